//! 任教学校: where teachers are employed.

use decider::Decider;

use super::agency::Agency;
use super::division::Code;
use super::id::{AgencyId, SchoolId};
use super::name::Name;

/// Codes of `employing_school_kind` and what they mean.
const KINDS: [(&str, &str); 10] = [
    ("11", "幼儿园"),
    ("21", "小学"),
    ("31", "初级中学"),
    ("32", "九年一贯制学校"),
    ("34", "高级中学"),
    ("35", "完全中学"),
    ("36", "十二年一贯制学校"),
    ("37", "中等职业学校"),
    ("38", "特殊教育学校"),
    ("39", "教研机构"),
];

/// Kind of a school, a code of two digits.
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
}

/// A school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct School {
    /// Random.
    pub id: SchoolId,
    /// Full name as on the seal.
    pub name: Name,
    /// The county where it stands.
    pub division: Code,
    /// The agency it belongs to (人事隶属).
    pub agency: AgencyId,
    /// What is taught there.
    pub kind: Kind,
}

/// Whether a school is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not yet.
    #[default]
    Empty,
    /// It is.
    Active(School),
}

impl State {
    /// The school, where there is one.
    pub fn school(self) -> Option<School> {
        match self {
            Self::Empty => None,
            Self::Active(school) => Some(school),
        }
    }
}

/// Adds a school.
#[derive(Clone, Debug)]
pub struct AddSchool {
    /// Fresh.
    pub id: SchoolId,
    /// Full name.
    pub name: Name,
    /// The county where it stands.
    pub division: Code,
    /// The agency it shall belong to; `None` when nobody knows it.
    pub agency: Option<Agency>,
    /// What is taught there.
    pub kind: Kind,
}

/// A school was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchoolAdded(pub School);

/// Why a school is not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 学校名称已经存在!
    SchoolExists,
    /// No such agency.
    UnknownAgency,
    /// The agency is not responsible for that county.
    AgencyElsewhere,
}

/// Decides about one school.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = AddSchool;
    type Event = SchoolAdded;
    type Rejection = Rejection;

    fn decide(state: &State, command: AddSchool) -> Result<Vec<SchoolAdded>, Rejection> {
        let AddSchool { id, name, division, agency, kind } = command;
        let agency = agency.ok_or(Rejection::UnknownAgency)?;
        if !agency.division.covers(division) {
            return Err(Rejection::AgencyElsewhere);
        }
        match state {
            State::Active(_) => Err(Rejection::SchoolExists),
            State::Empty => Ok(vec![SchoolAdded(School { id, name, division, agency: agency.id, kind })]),
        }
    }

    fn evolve(_: State, SchoolAdded(school): &SchoolAdded) -> State {
        State::Active(school.clone())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use decider::testing::given;
    use uuid::Uuid;

    use super::super::division::Level;
    use super::*;

    pub(crate) fn agency(division: &str) -> Agency {
        let division = Code::parse(division).unwrap();
        let name = Name::parse("某地教育局").unwrap();
        Agency { id: AgencyId::of(division), division, name, level: Level::City, parent: None }
    }

    fn add(division: &str, agency: Option<Agency>) -> AddSchool {
        AddSchool {
            id: SchoolId(Uuid::from_u128(1)),
            name: Name::parse("徐州市第一中学").unwrap(),
            division: Code::parse(division).unwrap(),
            agency,
            kind: Kind::parse("34").unwrap(),
        }
    }

    fn added() -> SchoolAdded {
        SchoolAdded(School {
            id: SchoolId(Uuid::from_u128(1)),
            name: Name::parse("徐州市第一中学").unwrap(),
            division: Code::parse("320302").unwrap(),
            agency: AgencyId::of(Code::parse("3203").unwrap()),
            kind: Kind::parse("34").unwrap(),
        })
    }

    #[test]
    fn a_school_in_a_county_may_belong_to_the_city() {
        given::<Decisions>([]).when(add("320302", Some(agency("3203")))).then([added()]);
    }

    #[test]
    fn a_school_belongs_to_an_agency_that_is_responsible_there() {
        given::<Decisions>([]).when(add("320302", None)).then_refused(&Rejection::UnknownAgency);
        given::<Decisions>([]).when(add("320302", Some(agency("320303")))).then_refused(&Rejection::AgencyElsewhere);
    }

    #[test]
    fn a_school_is_added_once() {
        given::<Decisions>([added()]).when(add("320302", Some(agency("3203")))).then_refused(&Rejection::SchoolExists);
    }

    #[test]
    fn only_kinds_of_the_table_are_known() {
        assert!(Kind::parse("11").is_some());
        assert!(Kind::parse("12").is_none() && Kind::parse("").is_none());
    }
}
