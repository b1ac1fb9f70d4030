//! 任教学校: where teachers are employed.

use decider::Decider;

use super::agency::Agency;
use super::division::Code;
use super::id::{AgencyId, SchoolId};
use super::name::Name;

/// Codes of `employing_school_kind` and what they mean.
const KINDS: [(&str, &str); 11] = [
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
    ("40", "校外教育机构"),
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
    /// It is there.
    Open(School),
    /// It was there: 撤销, 停办.
    Closed(School),
}

impl State {
    /// The school, where there is or was one.
    pub fn school(self) -> Option<School> {
        match self {
            Self::Empty => None,
            Self::Open(school) | Self::Closed(school) => Some(school),
        }
    }
}

/// What can be asked for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds a school.
    AddSchool {
        /// Fresh.
        id: SchoolId,
        /// Full name.
        name: Name,
        /// The county where it stands.
        division: Code,
        /// The agency it shall belong to; `None` when nobody knows it.
        agency: Option<Agency>,
        /// What is taught there.
        kind: Kind,
    },
    /// 更名
    RenameSchool {
        /// Full name.
        name: Name,
    },
    /// 变更隶属: it belongs to another agency.
    MoveSchool {
        /// Which; `None` when nobody knows it.
        agency: Option<Agency>,
    },
    /// 撤销, 停办: nobody is employed there any more.
    CloseSchool,
}

/// What happened to a school.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was added.
    SchoolAdded(School),
    /// It is called otherwise.
    SchoolRenamed {
        /// Which.
        school: SchoolId,
        /// Full name.
        name: Name,
    },
    /// It belongs to another agency.
    SchoolMoved {
        /// Which.
        school: SchoolId,
        /// The agency that it belongs to.
        agency: AgencyId,
    },
    /// It is there no more.
    SchoolClosed {
        /// Which.
        school: SchoolId,
    },
}

/// Why a school is not added or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// 学校名称已经存在!
    SchoolExists,
    /// No such agency.
    UnknownAgency,
    /// The agency is not responsible for that county.
    AgencyElsewhere,
    /// No such school.
    UnknownSchool,
    /// It is there no more.
    SchoolClosed,
}

/// Decides about one school.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match (state, command) {
            (_, Command::AddSchool { id, name, division, agency, kind }) => {
                let agency = responsible(agency, division)?.id;
                match state {
                    State::Open(_) | State::Closed(_) => Err(Rejection::SchoolExists),
                    State::Empty => Ok(vec![Event::SchoolAdded(School { id, name, division, agency, kind })]),
                }
            }
            (State::Empty, Command::RenameSchool { .. } | Command::MoveSchool { .. } | Command::CloseSchool) => {
                Err(Rejection::UnknownSchool)
            }
            (State::Closed(_), Command::CloseSchool) => Ok(Vec::new()),
            (State::Closed(_), Command::RenameSchool { .. } | Command::MoveSchool { .. }) => {
                Err(Rejection::SchoolClosed)
            }
            (State::Open(school), Command::RenameSchool { name }) if school.name == name => Ok(Vec::new()),
            (State::Open(school), Command::RenameSchool { name }) => {
                Ok(vec![Event::SchoolRenamed { school: school.id, name }])
            }
            (State::Open(school), Command::MoveSchool { agency }) => {
                let agency = responsible(agency, school.division)?.id;
                let moved = Event::SchoolMoved { school: school.id, agency };
                Ok(if school.agency == agency { Vec::new() } else { vec![moved] })
            }
            (State::Open(school), Command::CloseSchool) => Ok(vec![Event::SchoolClosed { school: school.id }]),
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        match (event, state) {
            (Event::SchoolAdded(school), _) => State::Open(school.clone()),
            (Event::SchoolRenamed { name, .. }, State::Open(school)) => {
                State::Open(School { name: name.clone(), ..school })
            }
            (Event::SchoolMoved { agency, .. }, State::Open(school)) => {
                State::Open(School { agency: *agency, ..school })
            }
            (Event::SchoolClosed { .. }, State::Open(school)) => State::Closed(school),
            (
                Event::SchoolRenamed { .. } | Event::SchoolMoved { .. } | Event::SchoolClosed { .. },
                state @ (State::Empty | State::Closed(_)),
            ) => state,
        }
    }
}

fn responsible(agency: Option<Agency>, division: Code) -> Result<Agency, Rejection> {
    let agency = agency.ok_or(Rejection::UnknownAgency)?;
    if agency.division.covers(division) { Ok(agency) } else { Err(Rejection::AgencyElsewhere) }
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

    fn id() -> SchoolId {
        SchoolId(Uuid::from_u128(1))
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn add(division: &str, agency: Option<Agency>) -> Command {
        Command::AddSchool {
            id: id(),
            name: name("徐州市第一中学"),
            division: Code::parse(division).unwrap(),
            agency,
            kind: Kind::parse("34").unwrap(),
        }
    }

    fn added() -> Event {
        Event::SchoolAdded(School {
            id: id(),
            name: name("徐州市第一中学"),
            division: Code::parse("320302").unwrap(),
            agency: AgencyId::of(Code::parse("3203").unwrap()),
            kind: Kind::parse("34").unwrap(),
        })
    }

    fn rename(text: &str) -> Command {
        Command::RenameSchool { name: name(text) }
    }

    fn renamed(text: &str) -> Event {
        Event::SchoolRenamed { school: id(), name: name(text) }
    }

    fn moved(agency: &str) -> Event {
        Event::SchoolMoved { school: id(), agency: AgencyId::of(Code::parse(agency).unwrap()) }
    }

    fn move_to(agency: Option<Agency>) -> Command {
        Command::MoveSchool { agency }
    }

    const CLOSED: Event = Event::SchoolClosed { school: SchoolId(Uuid::from_u128(1)) };

    #[test]
    fn a_school_in_a_county_may_belong_to_the_city() {
        given::<Decisions>([]).when(add("320302", Some(agency("3203")))).then([added()]);
    }

    #[test]
    fn a_school_belongs_to_an_agency_that_is_responsible_there() {
        given::<Decisions>([]).when(add("320302", None)).then_refused(&Rejection::UnknownAgency);
        given::<Decisions>([]).when(add("320302", Some(agency("320303")))).then_refused(&Rejection::AgencyElsewhere);
        given::<Decisions>([added()]).when(move_to(None)).then_refused(&Rejection::UnknownAgency);
        given::<Decisions>([added()]).when(move_to(Some(agency("320303")))).then_refused(&Rejection::AgencyElsewhere);
    }

    #[test]
    fn a_school_is_added_once() {
        for history in [vec![added()], vec![added(), CLOSED]] {
            given::<Decisions>(history)
                .when(add("320302", Some(agency("3203"))))
                .then_refused(&Rejection::SchoolExists);
        }
    }

    #[test]
    fn a_school_is_renamed_moved_and_closed() {
        given::<Decisions>([added()]).when(rename("徐州一中")).then([renamed("徐州一中")]);
        given::<Decisions>([added(), renamed("徐州一中")]).when(rename("徐州一中")).then_nothing();
        given::<Decisions>([added()]).when(move_to(Some(agency("320302")))).then([moved("320302")]);
        given::<Decisions>([added(), moved("320302")]).when(move_to(Some(agency("320302")))).then_nothing();
        given::<Decisions>([added()]).when(Command::CloseSchool).then([CLOSED]);
        given::<Decisions>([added(), CLOSED]).when(Command::CloseSchool).then_nothing();
        let history = [added(), renamed("徐州一中"), moved("320302"), CLOSED];
        let school = given::<Decisions>(history).state().school().unwrap();
        assert_eq!((school.name, school.agency), (name("徐州一中"), agency("320302").id));
    }

    #[test]
    fn a_school_that_is_not_there_is_not_changed() {
        for command in [rename("徐州一中"), move_to(Some(agency("320302")))] {
            given::<Decisions>([]).when(command.clone()).then_refused(&Rejection::UnknownSchool);
            given::<Decisions>([added(), CLOSED]).when(command).then_refused(&Rejection::SchoolClosed);
        }
        given::<Decisions>([]).when(Command::CloseSchool).then_refused(&Rejection::UnknownSchool);
    }

    #[test]
    fn only_kinds_of_the_table_are_known() {
        assert!(Kind::parse("11").is_some() && Kind::parse("40").is_some());
        assert!(Kind::parse("12").is_none() && Kind::parse("").is_none());
    }
}
