//! 确认点: where a teacher confirms on site; often the school itself.

use decider::Decider;

use super::agency::Agency;
use super::division::Code;
use super::id::{AgencyId, PointId, SchoolId};
use super::name::Name;
use super::school::School;

/// A confirmation point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Random.
    pub id: PointId,
    /// The agency that it confirms for.
    pub agency: AgencyId,
    /// What it is called.
    pub name: Name,
    /// Where it is: the school's county, else the agency's division.
    pub division: Code,
    /// The school that it is, where it is one (编制所在学校).
    pub school: Option<SchoolId>,
}

/// Whether a point is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not yet.
    #[default]
    Empty,
    /// It is.
    Active(Point),
}

impl State {
    /// The point, where there is one.
    pub fn point(self) -> Option<Point> {
        match self {
            Self::Empty => None,
            Self::Active(point) => Some(point),
        }
    }
}

/// Which school a new point shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Site {
    /// None: an office of the agency.
    Office,
    /// This one.
    School(School),
    /// One that nobody knows.
    UnknownSchool,
}

/// Adds a confirmation point.
#[derive(Clone, Debug)]
pub struct AddPoint {
    /// Fresh.
    pub id: PointId,
    /// The agency that it shall confirm for; `None` when nobody knows it.
    pub agency: Option<Agency>,
    /// What it is called.
    pub name: Name,
    /// Where it is.
    pub site: Site,
}

/// A confirmation point was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PointAdded(pub Point);

/// Why a point is not added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The agency has a point of that name.
    PointExists,
    /// No such agency.
    UnknownAgency,
    /// No such school.
    UnknownSchool,
    /// The school belongs to another agency.
    SchoolOfAnotherAgency,
}

/// Decides about one point.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = AddPoint;
    type Event = PointAdded;
    type Rejection = Rejection;

    fn decide(state: &State, AddPoint { id, agency, name, site }: AddPoint) -> Result<Vec<PointAdded>, Rejection> {
        let agency = agency.ok_or(Rejection::UnknownAgency)?;
        let (division, school) = match site {
            Site::Office => (agency.division, None),
            Site::School(school) if school.agency == agency.id => (school.division, Some(school.id)),
            Site::School(_) => return Err(Rejection::SchoolOfAnotherAgency),
            Site::UnknownSchool => return Err(Rejection::UnknownSchool),
        };
        match state {
            State::Active(_) => Err(Rejection::PointExists),
            State::Empty => Ok(vec![PointAdded(Point { id, agency: agency.id, name, division, school })]),
        }
    }

    fn evolve(_: State, PointAdded(point): &PointAdded) -> State {
        State::Active(point.clone())
    }
}

#[cfg(test)]
mod tests {
    use decider::testing::given;
    use uuid::Uuid;

    use super::super::school::{Kind, tests::agency};
    use super::*;

    fn name() -> Name {
        Name::parse("徐州市第一中学").unwrap()
    }

    fn school() -> School {
        School {
            id: SchoolId(Uuid::from_u128(1)),
            name: name(),
            division: Code::parse("320302").unwrap(),
            agency: agency("3203").id,
            kind: Kind::parse("34").unwrap(),
        }
    }

    fn add(agency: Option<Agency>, site: Site) -> AddPoint {
        AddPoint { id: PointId(Uuid::from_u128(2)), agency, name: name(), site }
    }

    fn added(division: &str, school: Option<SchoolId>) -> PointAdded {
        PointAdded(Point {
            id: PointId(Uuid::from_u128(2)),
            agency: agency("3203").id,
            name: name(),
            division: Code::parse(division).unwrap(),
            school,
        })
    }

    #[test]
    fn a_school_can_be_its_own_point() {
        given::<Decisions>([])
            .when(add(Some(agency("3203")), Site::School(school())))
            .then([added("320302", Some(school().id))]);
    }

    #[test]
    fn an_office_stands_where_its_agency_does() {
        given::<Decisions>([]).when(add(Some(agency("3203")), Site::Office)).then([added("3203", None)]);
    }

    #[test]
    fn a_point_needs_an_agency_and_a_school_of_that_agency() {
        let refused = |agency, site, rejection| given::<Decisions>([]).when(add(agency, site)).then_refused(&rejection);
        refused(None, Site::Office, Rejection::UnknownAgency);
        refused(Some(agency("3203")), Site::UnknownSchool, Rejection::UnknownSchool);
        refused(Some(agency("320302")), Site::School(school()), Rejection::SchoolOfAnotherAgency);
    }

    #[test]
    fn a_point_is_added_once() {
        given::<Decisions>([added("3203", None)])
            .when(add(Some(agency("3203")), Site::Office))
            .then_refused(&Rejection::PointExists);
    }
}
