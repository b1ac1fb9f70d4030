//! 注册机构: the education authority of a division, one for each, with the names it had and has, until it is abolished.

use std::collections::BTreeMap;

use decider::Decider;
use time::{Date, OffsetDateTime};

use super::division::{Code, Division, Divisions, Level};
use super::id::AgencyId;
use super::name::Name;
use super::shanghai;
use super::window::Window;

/// Names that an authority has at most.
const MOST_NAMES: usize = 32;

/// An education authority, as it is called on some day.
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

/// The end of an authority (撤销, 合并, 划转).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abolition {
    /// First day without it.
    pub on: Date,
    /// Who goes on with what it did.
    pub successor: Option<AgencyId>,
}

/// An authority through the days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// By the first day of each name; the first one holds since ever.
    named: BTreeMap<Date, Agency>,
    abolition: Option<Abolition>,
}

impl Record {
    /// One that was never renamed.
    pub fn new(agency: Agency) -> Self {
        Self { named: BTreeMap::from([(Date::MIN, agency)]), abolition: None }
    }

    /// As it is called on a day, be it after its end.
    pub fn on(&self, day: Date) -> &Agency {
        let (_, agency) = self.named.range(..=day).next_back().expect("the first name holds since ever");
        agency
    }

    /// Its names in order, each with its first day; the first one has none.
    pub fn names(&self) -> impl Iterator<Item = (Option<Date>, &Name)> {
        self.named.iter().map(|(since, agency)| (Some(*since).filter(|since| *since != Date::MIN), &agency.name))
    }

    /// Its end, be it past or to come.
    pub fn abolition(&self) -> Option<Abolition> {
        self.abolition
    }

    /// Whether it has ended by that day.
    pub fn is_abolished_on(&self, day: Date) -> bool {
        self.abolition.is_some_and(|abolition| abolition.on <= day)
    }

    /// The same with another name from a day on.
    #[must_use]
    pub fn renamed(mut self, since: Date, name: Name) -> Self {
        let agency = Agency { name, ..self.on(since).clone() };
        self.named.insert(since, agency);
        self
    }

    /// The same with an end.
    #[must_use]
    pub fn abolished(self, abolition: Abolition) -> Self {
        Self { abolition: Some(abolition), ..self }
    }
}

/// Whether a division's authority is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Not yet.
    #[default]
    Empty,
    /// It is.
    Known(Record),
}

impl State {
    /// The authority, where there is one.
    pub fn record(self) -> Option<Record> {
        match self {
            Self::Empty => None,
            Self::Known(record) => Some(record),
        }
    }
}

/// Who shall go on with what an authority did.
#[derive(Clone, Debug)]
pub enum Successor {
    /// Nobody is named.
    None,
    /// This one.
    Known(Record),
    /// One that nobody knows.
    Unknown,
}

/// What can be asked for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds the authority of a division.
    AddAgency {
        /// Where it is responsible.
        division: &'static Division,
        /// Its full name.
        name: Name,
    },
    /// 更名: another name from a day on; a name of the same day is put right.
    RenameAgency {
        /// Its full name.
        name: Name,
        /// First day of the name.
        since: Date,
    },
    /// 撤销: ends it.
    AbolishAgency {
        /// First day without it.
        on: Date,
        /// Who goes on.
        successor: Successor,
        /// Whether one of those right below is still there on that day.
        has_others_below: bool,
        /// Its windows in the plan that goes on.
        windows: Vec<Window>,
        /// Now.
        now: OffsetDateTime,
    },
}

/// What happened to an authority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was added.
    AgencyAdded(Agency),
    /// It has another name from a day on.
    AgencyRenamed {
        /// Which.
        agency: AgencyId,
        /// Its full name.
        name: Name,
        /// First day of the name.
        since: Date,
    },
    /// It ends.
    AgencyAbolished {
        /// Which.
        agency: AgencyId,
        /// When, and who goes on.
        abolition: Abolition,
    },
}

/// Why an authority is not added or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The division has one.
    AgencyExists,
    /// A heading of the code table, or a city's second entry: no authority of its own.
    NoAuthorityHere,
    /// No such authority, or none of this province.
    UnknownAgency,
    /// It has ended by then.
    AgencyAbolished {
        /// Its name.
        name: Name,
        /// First day without it.
        on: Date,
    },
    /// It cannot go on with its own work.
    SucceedsItself,
    /// Those below go first.
    HasOthersBelow,
    /// A window of it is not over by then with its grace.
    WindowNotOver {
        /// That one.
        window: Window,
    },
    /// It has more names than anybody needs.
    TooManyNames,
}

/// Decides about one division's authority.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match (state, command) {
            (_, Command::AddAgency { division, name }) => {
                let level = division.level().ok_or(Rejection::NoAuthorityHere)?;
                if matches!(state, State::Known(_)) {
                    return Err(Rejection::AgencyExists);
                }
                let above = Divisions::national().authority_above(division);
                let (id, parent) = (AgencyId::of(division.code()), above.map(|above| AgencyId::of(above.code())));
                Ok(vec![Event::AgencyAdded(Agency { id, division: division.code(), name, level, parent })])
            }
            (State::Empty, Command::RenameAgency { .. } | Command::AbolishAgency { .. }) => {
                Err(Rejection::UnknownAgency)
            }
            (State::Known(record), Command::RenameAgency { name, since }) => rename(record, name, since),
            (State::Known(record), Command::AbolishAgency { on, successor, has_others_below, windows, now }) => {
                let events = abolish(record, on, successor, has_others_below)?;
                let ends = shanghai::begin(on).max(now);
                match windows.into_iter().find(|window| ends < window.end_with_grace()) {
                    Some(window) if !events.is_empty() => Err(Rejection::WindowNotOver { window }),
                    _ => Ok(events),
                }
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        match (event, state) {
            (Event::AgencyAdded(agency), _) => State::Known(Record::new(agency.clone())),
            (Event::AgencyRenamed { .. } | Event::AgencyAbolished { .. }, State::Empty) => State::Empty,
            (Event::AgencyRenamed { name, since, .. }, State::Known(record)) => {
                State::Known(record.renamed(*since, name.clone()))
            }
            (Event::AgencyAbolished { abolition, .. }, State::Known(record)) => {
                State::Known(record.abolished(*abolition))
            }
        }
    }
}

fn rename(record: &Record, name: Name, since: Date) -> Result<Vec<Event>, Rejection> {
    active_on(record, since)?;
    let before = record.on(since);
    if before.name == name {
        return Ok(Vec::new());
    }
    if record.named.len() >= MOST_NAMES && !record.named.contains_key(&since) {
        return Err(Rejection::TooManyNames);
    }
    Ok(vec![Event::AgencyRenamed { agency: before.id, name, since }])
}

fn abolish(record: &Record, on: Date, successor: Successor, below: bool) -> Result<Vec<Event>, Rejection> {
    let agency = record.on(on);
    let successor = match successor {
        Successor::None => None,
        Successor::Unknown => return Err(Rejection::UnknownAgency),
        Successor::Known(successor) => Some(successor),
    };
    let abolition = Abolition { on, successor: successor.as_ref().map(|successor| successor.on(on).id) };
    if record.abolition == Some(abolition) {
        return Ok(Vec::new());
    }
    if let Some(known) = record.abolition {
        return Err(Rejection::AgencyAbolished { name: agency.name.clone(), on: known.on });
    }
    if let Some(successor) = successor {
        let next = successor.on(on);
        if next.id == agency.id {
            return Err(Rejection::SucceedsItself);
        }
        if next.division.province() != agency.division.province() {
            return Err(Rejection::UnknownAgency);
        }
        active_on(&successor, on)?;
    }
    if below {
        return Err(Rejection::HasOthersBelow);
    }
    Ok(vec![Event::AgencyAbolished { agency: agency.id, abolition }])
}

/// An authority as it is called on a day on which it is still there.
pub fn active_on(record: &Record, day: Date) -> Result<&Agency, Rejection> {
    active(record, day, |end| day < end)
}

/// The same, still there until a window is over with its grace.
pub fn active_during<'r>(record: &'r Record, day: Date, window: &Window) -> Result<&'r Agency, Rejection> {
    active(record, day, |end| day < end && window.end_with_grace() <= shanghai::begin(end))
}

fn active(record: &Record, day: Date, is_there: impl FnOnce(Date) -> bool) -> Result<&Agency, Rejection> {
    let agency = record.on(day);
    match record.abolition {
        Some(Abolition { on, .. }) if !is_there(on) => {
            Err(Rejection::AgencyAbolished { name: agency.name.clone(), on })
        }
        _ => Ok(agency),
    }
}

#[cfg(test)]
mod tests;
