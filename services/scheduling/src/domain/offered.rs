//! Which agencies are offered for a city, and which of them its teachers take: worked out once for the nation (DOMAIN 6).

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use super::division::{Division, Divisions};
use super::id::AgencyId;

/// `city,advice`
const ADVICE: &str = include_str!("../../directory/advice.csv");

/// What a teacher of a city may choose among.
#[derive(Clone, Debug)]
pub struct Offered {
    province: &'static str,
    agencies: HashSet<AgencyId>,
    advice: &'static str,
}

static OFFERED: LazyLock<HashMap<&'static str, Offered>> = LazyLock::new(|| {
    let tree = Divisions::national();
    let advice: HashMap<&str, &str> = lines(ADVICE).collect();
    let of = |province: &'static Division, city: &'static Division| {
        let offered = tree.offered(province.digits, city.digits)?;
        let agencies = offered.into_iter().map(|division| AgencyId::of(division.code())).collect();
        let advice = advice.get(city.digits).copied().unwrap_or_default();
        Some((city.digits, Offered { province: province.digits, agencies, advice }))
    };
    let cities =
        tree.children("").flat_map(|province| tree.children(province.digits).map(move |city| (province, city)));
    cities.filter_map(|(province, city)| of(province, city)).collect()
});

fn lines(csv: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    csv.lines().filter(|line| !line.starts_with('#')).skip(1).filter_map(|line| line.split_once(','))
}

impl Offered {
    /// What is offered for a city of four digits of a province of two; `None` when that province has no such city.
    pub fn find(province: &str, city: &str) -> Option<&'static Self> {
        OFFERED.get(city).filter(|offered| offered.province == province)
    }

    /// Whether an agency is offered, known already or not.
    pub fn includes(&self, agency: AgencyId) -> bool {
        self.agencies.contains(&agency)
    }

    /// 市直属 schools choose the city's own agency, others their county's: the sentence where the city has said so, else empty.
    pub fn advice(&self) -> &'static str {
        self.advice
    }
}

#[cfg(test)]
mod tests {
    use super::super::division::Code;
    use super::*;

    fn agency(digits: &str) -> AgencyId {
        AgencyId::of(Code::parse(digits).unwrap())
    }

    #[test]
    fn what_is_looked_up_is_what_the_tree_offers() {
        let tree = Divisions::national();
        let mut cities = 0;
        for province in tree.children("") {
            for city in tree.children(province.digits) {
                let offered = tree.offered(province.digits, city.digits).unwrap();
                let offer = Offered::find(province.digits, city.digits).unwrap();
                assert!(
                    offered.iter().all(|division| offer.includes(AgencyId::of(division.code()))),
                    "{}",
                    city.digits
                );
                assert_eq!(offer.agencies.len(), offered.len(), "{}", city.digits);
                cities += 1;
            }
        }
        assert_eq!(cities, OFFERED.len());
    }

    #[test]
    fn a_city_offers_nothing_elsewhere() {
        let xuzhou = Offered::find("32", "3203").unwrap();
        assert!(xuzhou.includes(agency("320302")) && xuzhou.includes(agency("32")));
        assert!(!xuzhou.includes(agency("320102")) && !xuzhou.includes(agency("33")));
        assert!(Offered::find("33", "3203").is_none() && Offered::find("32", "320302").is_none());
    }

    #[test]
    fn xuzhou_says_who_takes_the_citys_own_agency() {
        let advice = Offered::find("32", "3203").unwrap().advice();
        assert!(advice.contains("市直属") && advice.contains("徐州市教育局"), "{advice}");
        assert_eq!(Offered::find("32", "3201").unwrap().advice(), "");
    }

    #[test]
    fn advice_is_given_for_cities_that_exist() {
        for (city, advice) in lines(ADVICE) {
            assert!(OFFERED.contains_key(city) && !advice.is_empty(), "{city}");
        }
    }
}
