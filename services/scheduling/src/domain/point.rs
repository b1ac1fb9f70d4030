//! 确认点: where a teacher confirms on site; often the school itself.

use decider::Decider;

use super::agency::Agency;
use super::division::Code;
use super::id::{AgencyId, PointId, SchoolId};
use super::name::Name;
use super::school;

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
    /// 服务范围: whom it serves, in words; empty where nothing is said.
    pub range: String,
}

/// Whether a point is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not yet.
    #[default]
    Empty,
    /// It is there.
    Open(Point),
    /// It was there.
    Closed(Point),
}

impl State {
    /// The point, where there is or was one.
    pub fn point(self) -> Option<Point> {
        match self {
            Self::Empty => None,
            Self::Open(point) | Self::Closed(point) => Some(point),
        }
    }
}

/// What can be asked for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds a confirmation point.
    AddPoint {
        /// Fresh.
        id: PointId,
        /// The agency that it shall confirm for; `None` when nobody knows it.
        agency: Option<Agency>,
        /// What it is called.
        name: Name,
        /// The school that it shall be; `None` where it is an office of the agency.
        school: Option<school::State>,
        /// Whom it serves.
        range: String,
    },
    /// 更名
    RenamePoint {
        /// What it is called.
        name: Name,
    },
    /// Says whom it serves.
    SetPointRange {
        /// In words.
        range: String,
    },
    /// 撤销: nobody confirms there any more.
    ClosePoint,
}

/// What happened to a point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was added.
    PointAdded(Point),
    /// It is called otherwise.
    PointRenamed {
        /// Which.
        point: PointId,
        /// What it is called.
        name: Name,
    },
    /// It serves others than before.
    PointRangeSet {
        /// Which.
        point: PointId,
        /// In words.
        range: String,
    },
    /// It is there no more.
    PointClosed {
        /// Which.
        point: PointId,
    },
}

/// Why a point is not added or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The agency has a point of that name.
    PointExists,
    /// No such agency.
    UnknownAgency,
    /// No such school.
    UnknownSchool,
    /// The school is there no more.
    SchoolClosed,
    /// The school belongs to another agency.
    SchoolOfAnotherAgency,
    /// No such point.
    UnknownPoint,
    /// It is there no more.
    PointAbolished,
}

/// Decides about one point.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match (state, command) {
            (_, Command::AddPoint { id, agency, name, school, range }) => {
                let agency = agency.ok_or(Rejection::UnknownAgency)?;
                let (division, school) = site(&agency, school)?;
                match state {
                    State::Open(_) | State::Closed(_) => Err(Rejection::PointExists),
                    State::Empty => {
                        let point = Point { id, agency: agency.id, name, division, school, range };
                        Ok(vec![Event::PointAdded(point)])
                    }
                }
            }
            (State::Empty, Command::RenamePoint { .. } | Command::SetPointRange { .. } | Command::ClosePoint) => {
                Err(Rejection::UnknownPoint)
            }
            (State::Closed(_), Command::ClosePoint) => Ok(Vec::new()),
            (State::Closed(_), Command::RenamePoint { .. } | Command::SetPointRange { .. }) => {
                Err(Rejection::PointAbolished)
            }
            (State::Open(point), Command::RenamePoint { name }) => {
                let renamed = || Event::PointRenamed { point: point.id, name: name.clone() };
                Ok((point.name != name).then(renamed).into_iter().collect())
            }
            (State::Open(point), Command::SetPointRange { range }) => {
                let set = || Event::PointRangeSet { point: point.id, range: range.clone() };
                Ok((point.range != range).then(set).into_iter().collect())
            }
            (State::Open(point), Command::ClosePoint) => Ok(vec![Event::PointClosed { point: point.id }]),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        match (event, state) {
            (Event::PointAdded(point), _) => State::Open(point.clone()),
            (Event::PointRenamed { name, .. }, State::Open(point)) => {
                State::Open(Point { name: name.clone(), ..point })
            }
            (Event::PointRangeSet { range, .. }, State::Open(point)) => {
                State::Open(Point { range: range.clone(), ..point })
            }
            (Event::PointClosed { .. }, State::Open(point)) => State::Closed(point),
            (
                Event::PointRenamed { .. } | Event::PointRangeSet { .. } | Event::PointClosed { .. },
                state @ (State::Empty | State::Closed(_)),
            ) => state,
        }
    }
}

/// Where a point of the agency stands, and which school it is.
fn site(agency: &Agency, school: Option<school::State>) -> Result<(Code, Option<SchoolId>), Rejection> {
    match school {
        None => Ok((agency.division, None)),
        Some(school::State::Open(school)) if school.agency == agency.id => Ok((school.division, Some(school.id))),
        Some(school::State::Open(_)) => Err(Rejection::SchoolOfAnotherAgency),
        Some(school::State::Closed(_)) => Err(Rejection::SchoolClosed),
        Some(school::State::Empty) => Err(Rejection::UnknownSchool),
    }
}

#[cfg(test)]
mod tests {
    use decider::testing::given;
    use uuid::Uuid;

    use super::super::school::{Kind, School, tests::agency};
    use super::*;

    fn id() -> PointId {
        PointId(Uuid::from_u128(2))
    }

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

    fn add(agency: Option<Agency>, school: Option<school::State>) -> Command {
        Command::AddPoint { id: id(), agency, name: name(), school, range: "本校教师".to_owned() }
    }

    fn added(division: &str, school: Option<SchoolId>) -> Event {
        Event::PointAdded(Point {
            id: id(),
            agency: agency("3203").id,
            name: name(),
            division: Code::parse(division).unwrap(),
            school,
            range: "本校教师".to_owned(),
        })
    }

    fn renamed(text: &str) -> Event {
        Event::PointRenamed { point: id(), name: Name::parse(text).unwrap() }
    }

    fn rename(text: &str) -> Command {
        Command::RenamePoint { name: Name::parse(text).unwrap() }
    }

    fn set(text: &str) -> Command {
        Command::SetPointRange { range: text.to_owned() }
    }

    const CLOSED: Event = Event::PointClosed { point: PointId(Uuid::from_u128(2)) };

    #[test]
    fn a_school_can_be_its_own_point() {
        given::<Decisions>([])
            .when(add(Some(agency("3203")), Some(school::State::Open(school()))))
            .then([added("320302", Some(school().id))]);
    }

    #[test]
    fn an_office_stands_where_its_agency_does() {
        given::<Decisions>([]).when(add(Some(agency("3203")), None)).then([added("3203", None)]);
    }

    #[test]
    fn a_point_needs_an_agency_and_a_school_of_that_agency() {
        let refused = |agency, school, rejection| {
            given::<Decisions>([]).when(add(agency, school)).then_refused(&rejection);
        };
        let open = school::State::Open(school());
        refused(None, None, Rejection::UnknownAgency);
        refused(Some(agency("3203")), Some(school::State::Empty), Rejection::UnknownSchool);
        refused(Some(agency("3203")), Some(school::State::Closed(school())), Rejection::SchoolClosed);
        refused(Some(agency("320302")), Some(open), Rejection::SchoolOfAnotherAgency);
    }

    #[test]
    fn a_point_is_added_once() {
        for history in [vec![added("3203", None)], vec![added("3203", None), CLOSED]] {
            given::<Decisions>(history).when(add(Some(agency("3203")), None)).then_refused(&Rejection::PointExists);
        }
    }

    #[test]
    fn a_point_gets_another_name_and_range_and_is_closed() {
        let added = || added("3203", None);
        given::<Decisions>([added()]).when(rename("政务中心")).then([renamed("政务中心")]);
        given::<Decisions>([added(), renamed("政务中心")]).when(rename("政务中心")).then_nothing();
        let event = Event::PointRangeSet { point: id(), range: "全市教师".to_owned() };
        given::<Decisions>([added()]).when(set("全市教师")).then([event.clone()]);
        given::<Decisions>([added(), event.clone()]).when(set("全市教师")).then_nothing();
        given::<Decisions>([added()]).when(Command::ClosePoint).then([CLOSED]);
        given::<Decisions>([added(), CLOSED]).when(Command::ClosePoint).then_nothing();
        let history = [added(), renamed("政务中心"), event, CLOSED];
        let point = given::<Decisions>(history).state().point().unwrap();
        assert_eq!((point.name.as_str(), point.range.as_str()), ("政务中心", "全市教师"));
    }

    #[test]
    fn a_point_that_is_not_there_is_not_changed() {
        for command in [rename("政务中心"), set("全市教师")] {
            given::<Decisions>([]).when(command.clone()).then_refused(&Rejection::UnknownPoint);
            given::<Decisions>([added("3203", None), CLOSED]).when(command).then_refused(&Rejection::PointAbolished);
        }
        given::<Decisions>([]).when(Command::ClosePoint).then_refused(&Rejection::UnknownPoint);
    }
}
