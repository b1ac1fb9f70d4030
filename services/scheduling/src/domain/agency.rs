//! 注册机构: the education authority of a division, one for each.

use decider::Decider;

use super::division::{Code, Division, Divisions, Level};
use super::id::AgencyId;
use super::name::Name;

/// An education authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// Follows from the division.
    pub id: AgencyId,
    /// Where it is responsible.
    pub division: Code,
    /// 徐州市教育局
    pub name: Name,
    /// Follows from the division.
    pub level: Level,
    /// The authority above; `None` at the top of a province.
    pub parent: Option<AgencyId>,
}

/// Whether a division's authority is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not yet.
    #[default]
    Empty,
    /// It is.
    Active(Agency),
}

impl State {
    /// The agency, where there is one.
    pub fn agency(self) -> Option<Agency> {
        match self {
            Self::Empty => None,
            Self::Active(agency) => Some(agency),
        }
    }
}

/// Adds the authority of a division.
#[derive(Clone, Debug)]
pub struct AddAgency {
    /// Where it is responsible.
    pub division: &'static Division,
    /// Its full name.
    pub name: Name,
}

/// An authority was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgencyAdded(pub Agency);

/// Why an authority is not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The division has one.
    AgencyExists,
    /// A heading of the code table, or a city's second entry: no authority of its own.
    NoAuthorityHere,
}

/// Decides about one division's authority.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = AddAgency;
    type Event = AgencyAdded;
    type Rejection = Rejection;

    fn decide(state: &State, AddAgency { division, name }: AddAgency) -> Result<Vec<AgencyAdded>, Rejection> {
        let level = division.level().ok_or(Rejection::NoAuthorityHere)?;
        match state {
            State::Active(_) => Err(Rejection::AgencyExists),
            State::Empty => {
                let above = Divisions::national().authority_above(division);
                let (id, parent) = (AgencyId::of(division.code()), above.map(|above| AgencyId::of(above.code())));
                Ok(vec![AgencyAdded(Agency { id, division: division.code(), name, level, parent })])
            }
        }
    }

    fn evolve(_: State, AgencyAdded(agency): &AgencyAdded) -> State {
        State::Active(agency.clone())
    }
}

#[cfg(test)]
mod tests {
    use decider::testing::given;

    use super::*;

    fn add(digits: &str, name: &str) -> AddAgency {
        AddAgency { division: Divisions::national().find(digits).unwrap(), name: Name::parse(name).unwrap() }
    }

    fn xuzhou() -> AgencyAdded {
        let code = |digits| Code::parse(digits).unwrap();
        AgencyAdded(Agency {
            id: AgencyId::of(code("3203")),
            division: code("320300"),
            name: Name::parse("徐州市教育局").unwrap(),
            level: Level::City,
            parent: Some(AgencyId::of(code("32"))),
        })
    }

    #[test]
    fn a_division_gets_its_authority_with_level_and_parent() {
        given::<Decisions>([]).when(add("3203", "徐州市教育局")).then([xuzhou()]);
    }

    #[test]
    fn a_division_has_one_authority() {
        given::<Decisions>([xuzhou()]).when(add("3203", "徐州市教委")).then_refused(&Rejection::AgencyExists);
    }

    #[test]
    fn a_pseudo_city_has_no_authority() {
        given::<Decisions>([]).when(add("1101", "市辖区教育局")).then_refused(&Rejection::NoAuthorityHere);
        given::<Decisions>([]).when(add("441900", "东莞市教育局")).then_refused(&Rejection::NoAuthorityHere);
    }

    #[test]
    fn the_authority_at_the_top_has_none_above() {
        let events = given::<Decisions>([]).when(add("32", "江苏省教育厅")).events();
        assert!(matches!(&events[..], [AgencyAdded(Agency { parent: None, level: Level::Province, .. })]));
    }
}
