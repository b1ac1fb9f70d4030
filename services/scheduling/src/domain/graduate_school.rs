//! 毕业学校: where people graduated; whoever does not find theirs adds it (新增学校).

use decider::Decider;
use uuid::Uuid;

use super::division::Code;
use super::id::GraduateSchoolId;
use super::name::Name;

/// Schools that one person adds at most: nobody graduated from more of them.
pub const MOST_ADDED: usize = 5;
/// Digits in a row that no name of a school has, but numbers of people do.
const DIGITS_OF_A_NUMBER: usize = 6;

/// Codes of `graduate_school_kind` (学校类型) and what they mean.
const KINDS: [(&str, &str); 5] =
    [("1", "普通高等学校"), ("2", "成人高等学校"), ("3", "中等专业学校"), (ABROAD, "境外学校"), ("9", "其他")];
const ABROAD: &str = "4";

/// 学校类型, a code of one digit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind(String);

impl Kind {
    /// Reads a code of the table.
    pub fn parse(code: &str) -> Option<Self> {
        KINDS.iter().any(|(known, _)| *known == code).then(|| Self(code.to_owned()))
    }

    /// A kind that was accepted when it was recorded.
    pub fn recorded(code: String) -> Self {
        Self(code)
    }

    /// The code.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it lies in no province.
    pub fn is_abroad(&self) -> bool {
        self.0 == ABROAD
    }
}

/// Reads the name of a school as somebody writes it who graduated there; `None` when it cannot be one. What is added is read by
/// everybody, so that nothing passes that could be a number of a person.
pub fn parse_name(text: &str) -> Option<Name> {
    let name = Name::parse(text)?;
    let has_letters = name.as_str().contains(char::is_alphabetic);
    let longest_number = name.as_str().split(|c: char| !c.is_numeric()).map(|digits| digits.chars().count()).max();
    (has_letters && longest_number.unwrap_or(0) < DIGITS_OF_A_NUMBER).then_some(name)
}

/// A school that people graduate from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraduateSchool {
    /// Random.
    pub id: GraduateSchoolId,
    /// Full name.
    pub name: Name,
    /// Where it is; `None` abroad.
    pub province: Option<Code>,
    /// 学校类型
    pub kind: Kind,
}

/// Namespace of the streams of persons.
const PERSONS: Uuid = Uuid::from_u128(0x7e62_90ab_1d54_4c8f_a3f7_0b95_66d8_12ce);

/// The stream of what a person has added.
pub fn stream(person: Uuid) -> Uuid {
    Uuid::new_v5(&PERSONS, person.as_bytes())
}

/// How many schools a person has added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State(usize);

/// 新增学校
#[derive(Clone, Debug)]
pub struct AddGraduateSchool(pub GraduateSchool);

/// A school was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraduateSchoolAdded(pub GraduateSchool);

/// Why a school is not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 学校名称已经存在!
    SchoolExists,
    /// The person has added enough.
    TooManySchools,
}

/// Decides about what one person adds.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = AddGraduateSchool;
    type Event = GraduateSchoolAdded;
    type Rejection = Rejection;

    fn decide(
        State(added): &State,
        AddGraduateSchool(school): AddGraduateSchool,
    ) -> Result<Vec<GraduateSchoolAdded>, Rejection> {
        if *added >= MOST_ADDED { Err(Rejection::TooManySchools) } else { Ok(vec![GraduateSchoolAdded(school)]) }
    }

    fn evolve(State(added): State, GraduateSchoolAdded(_): &GraduateSchoolAdded) -> State {
        State(added + 1)
    }
}

#[cfg(test)]
mod tests {
    use decider::testing::given;

    use super::*;

    fn school() -> GraduateSchool {
        GraduateSchool {
            id: GraduateSchoolId(Uuid::from_u128(1)),
            name: parse_name("江苏师范大学").unwrap(),
            province: Code::parse("32"),
            kind: Kind::parse("1").unwrap(),
        }
    }

    #[test]
    fn a_person_adds_a_few_schools_and_no_more() {
        let added = || GraduateSchoolAdded(school());
        given::<Decisions>([]).when(AddGraduateSchool(school())).then([added()]);
        let history = || std::iter::repeat_with(added);
        given::<Decisions>(history().take(MOST_ADDED - 1)).when(AddGraduateSchool(school())).then([added()]);
        given::<Decisions>(history().take(MOST_ADDED))
            .when(AddGraduateSchool(school()))
            .then_refused(&Rejection::TooManySchools);
    }

    #[test]
    fn what_could_be_a_number_of_a_person_is_no_name() {
        for name in ["江苏师范大学", "第12345中学", "University of Oxford", "中国人民解放军信息工程大学（郑州）"]
        {
            assert!(parse_name(name).is_some(), "{name}");
        }
        for wrong in ["", "校", "123", "大学320303199001010018", "张三13800000000", "学校１２３４５６", "——"]
        {
            assert!(parse_name(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn only_kinds_of_the_table_are_known() {
        assert!(Kind::parse("4").unwrap().is_abroad() && !Kind::parse("1").unwrap().is_abroad());
        assert!(Kind::parse("5").is_none() && Kind::parse("").is_none());
    }
}
