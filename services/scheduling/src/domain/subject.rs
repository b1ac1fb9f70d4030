//! 任教学科: the subjects of each 现任教学段, those of the nation and what a province adds or switches off (DOMAIN 4.2).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use decider::Decider;
use uuid::Uuid;

use super::division::Code;

/// Subjects that a province adds at most.
const MOST_ADDED: usize = 200;
/// Characters of the longest subject.
const LONGEST: usize = 30;

/// 现任教学段
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// 幼儿园
    Kindergarten,
    /// 小学
    Primary,
    /// 初级中学
    Junior,
    /// 高级中学
    Senior,
    /// 中等职业学校
    Vocational,
}

impl Stage {
    /// All of them, in the order of the code table.
    pub const ALL: [Self; 5] = [Self::Kindergarten, Self::Primary, Self::Junior, Self::Senior, Self::Vocational];

    /// As the table of subjects calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kindergarten => "幼儿园",
            Self::Primary => "小学",
            Self::Junior => "初级中学",
            Self::Senior => "高级中学",
            Self::Vocational => "中等职业学校",
        }
    }
}

/// What a subject is called: one to thirty characters, none of them blank.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// Reads a name; `None` when it cannot be one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let wrong = |character: char| character.is_control() || character.is_whitespace();
        ((1..=LONGEST).contains(&text.chars().count()) && !text.contains(wrong)).then(|| Self(text.to_owned()))
    }

    /// A name that was accepted when it was recorded.
    pub fn recorded(text: String) -> Self {
        Self(text)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Ours, since no official list is public.
const NATIONAL: &str = include_str!("../../directory/subjects.csv");

/// The subjects of a stage that hold for the whole nation, in their order.
pub fn national(stage: Stage) -> &'static [&'static str] {
    static SUBJECTS: LazyLock<BTreeMap<Stage, Vec<&str>>> = LazyLock::new(|| {
        let lines = NATIONAL.lines().filter(|line| !line.starts_with('#')).skip(1);
        let mut subjects: BTreeMap<Stage, Vec<&str>> = BTreeMap::new();
        for (name, subject) in lines.filter_map(|line| line.split_once(',')) {
            let stage = Stage::ALL.into_iter().find(|stage| stage.name() == name);
            subjects.entry(stage.expect("the file names stages")).or_default().push(subject);
        }
        subjects
    });
    SUBJECTS.get(&stage).map_or(&[], Vec::as_slice)
}

/// Namespace of the streams of provinces.
const PROVINCES: Uuid = Uuid::from_u128(0x5b1d_1f0a_9c3e_4b52_8e0d_6a7f_21c4_d930);

/// The stream of a province's subjects.
pub fn stream(province: Code) -> Uuid {
    Uuid::new_v5(&PROVINCES, province.province().as_str().as_bytes())
}

/// What a province has said of subjects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Whether it is on, for those that were added or switched.
    said: BTreeMap<(Stage, Subject), bool>,
    added: usize,
}

impl State {
    /// Whether a subject of a stage can be chosen; `None` where there is none.
    pub fn find(&self, stage: Stage, subject: &Subject) -> Option<bool> {
        let said = self.said.get(&(stage, subject.clone())).copied();
        said.or_else(|| national(stage).contains(&subject.as_str()).then_some(true))
    }
}

/// What can be asked for.
#[derive(Clone, Debug)]
pub enum Command {
    /// Adds a subject of the province's own.
    AddSubject {
        /// Whose.
        province: Code,
        /// Of which stage.
        stage: Stage,
        /// Which.
        subject: Subject,
    },
    /// Says how a subject is to be, there or not: what a file does.
    BringSubject {
        /// Whose.
        province: Code,
        /// Of which stage.
        stage: Stage,
        /// Which.
        subject: Subject,
        /// Whether it can be chosen.
        on: bool,
    },
    /// Switches a subject off or on for the province.
    SwitchSubject {
        /// Whose.
        province: Code,
        /// Of which stage.
        stage: Stage,
        /// Which.
        subject: Subject,
        /// Whether it can be chosen.
        on: bool,
    },
}

/// What a province said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It has a subject of its own.
    SubjectAdded {
        /// Whose.
        province: Code,
        /// Of which stage.
        stage: Stage,
        /// Which.
        subject: Subject,
    },
    /// A subject can be chosen there, or not any more.
    SubjectSwitched {
        /// Whose.
        province: Code,
        /// Of which stage.
        stage: Stage,
        /// Which.
        subject: Subject,
        /// Whether it can be chosen.
        on: bool,
    },
}

/// Why nothing is added or switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The stage has it, on or off.
    SubjectExists,
    /// The stage has no such subject.
    UnknownSubject,
    /// The province has added enough.
    TooManySubjects,
}

/// Decides about the subjects of one province.
pub struct Decisions;

impl Decider for Decisions {
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::AddSubject { province, stage, subject } => {
                if state.find(stage, &subject).is_some() {
                    return Err(Rejection::SubjectExists);
                }
                if state.added >= MOST_ADDED {
                    return Err(Rejection::TooManySubjects);
                }
                Ok(vec![Event::SubjectAdded { province, stage, subject }])
            }
            Command::BringSubject { province, stage, subject, on } if state.find(stage, &subject).is_some() => {
                Self::decide(state, Command::SwitchSubject { province, stage, subject, on })
            }
            Command::BringSubject { province, stage, subject, on } => {
                let add = Command::AddSubject { province, stage, subject: subject.clone() };
                let mut events = Self::decide(state, add)?;
                if !on {
                    events.push(Event::SubjectSwitched { province, stage, subject, on });
                }
                Ok(events)
            }
            Command::SwitchSubject { province, stage, subject, on } => match state.find(stage, &subject) {
                None => Err(Rejection::UnknownSubject),
                Some(already) if already == on => Ok(Vec::new()),
                Some(_) => Ok(vec![Event::SubjectSwitched { province, stage, subject, on }]),
            },
        }
    }

    fn evolve(mut state: State, event: &Event) -> State {
        match event {
            Event::SubjectAdded { stage, subject, .. } => {
                state.said.insert((*stage, subject.clone()), true);
                state.added += 1;
            }
            Event::SubjectSwitched { stage, subject, on, .. } => {
                state.said.insert((*stage, subject.clone()), *on);
            }
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use decider::testing::given;

    use super::*;

    fn jiangsu() -> Code {
        Code::parse("32").unwrap()
    }

    fn subject(text: &str) -> Subject {
        Subject::parse(text).unwrap()
    }

    fn add(text: &str) -> Command {
        Command::AddSubject { province: jiangsu(), stage: Stage::Primary, subject: subject(text) }
    }

    fn added(text: &str) -> Event {
        Event::SubjectAdded { province: jiangsu(), stage: Stage::Primary, subject: subject(text) }
    }

    fn switch(text: &str, on: bool) -> Command {
        Command::SwitchSubject { province: jiangsu(), stage: Stage::Primary, subject: subject(text), on }
    }

    fn switched(text: &str, on: bool) -> Event {
        Event::SubjectSwitched { province: jiangsu(), stage: Stage::Primary, subject: subject(text), on }
    }

    #[test]
    fn every_stage_has_subjects_of_the_nation() {
        assert_eq!(national(Stage::Kindergarten), ["无"]);
        assert_eq!(national(Stage::Primary)[..3], ["语文", "数学", "英语"]);
        assert!(Stage::ALL.into_iter().all(|stage| !national(stage).is_empty()));
    }

    #[test]
    fn a_province_adds_what_a_stage_does_not_have() {
        given::<Decisions>([]).when(add("书法")).then([added("书法")]);
        given::<Decisions>([]).when(add("语文")).then_refused(&Rejection::SubjectExists);
        given::<Decisions>([added("书法")]).when(add("书法")).then_refused(&Rejection::SubjectExists);
        given::<Decisions>([added("书法"), switched("书法", false)])
            .when(add("书法"))
            .then_refused(&Rejection::SubjectExists);
        let of_another_stage =
            Command::AddSubject { province: jiangsu(), stage: Stage::Senior, subject: subject("书法") };
        let expected = Event::SubjectAdded { province: jiangsu(), stage: Stage::Senior, subject: subject("书法") };
        given::<Decisions>([added("书法")]).when(of_another_stage).then([expected]);
    }

    #[test]
    fn a_province_switches_subjects_of_its_own_and_of_the_nation() {
        given::<Decisions>([]).when(switch("语文", false)).then([switched("语文", false)]);
        given::<Decisions>([]).when(switch("语文", true)).then_nothing();
        given::<Decisions>([switched("语文", false)]).when(switch("语文", true)).then([switched("语文", true)]);
        given::<Decisions>([added("书法")]).when(switch("书法", false)).then([switched("书法", false)]);
        given::<Decisions>([]).when(switch("书法", false)).then_refused(&Rejection::UnknownSubject);
    }

    #[test]
    fn a_file_adds_what_is_not_there_and_switches_what_is() {
        let bring = |text: &str, on| Command::BringSubject {
            province: jiangsu(),
            stage: Stage::Primary,
            subject: subject(text),
            on,
        };
        given::<Decisions>([]).when(bring("书法", true)).then([added("书法")]);
        given::<Decisions>([]).when(bring("书法", false)).then([added("书法"), switched("书法", false)]);
        given::<Decisions>([added("书法")]).when(bring("书法", true)).then_nothing();
        given::<Decisions>([added("书法")]).when(bring("书法", false)).then([switched("书法", false)]);
        given::<Decisions>([]).when(bring("语文", true)).then_nothing();
        given::<Decisions>([]).when(bring("语文", false)).then([switched("语文", false)]);
        let enough = (0..MOST_ADDED).map(|n| added(&format!("学科{n}")));
        given::<Decisions>(enough).when(bring("书法", true)).then_refused(&Rejection::TooManySubjects);
    }

    #[test]
    fn a_province_does_not_add_without_end() {
        let history = || (0..MOST_ADDED).map(|n| added(&format!("学科{n}")));
        given::<Decisions>(history()).when(add("书法")).then_refused(&Rejection::TooManySubjects);
        given::<Decisions>(history().skip(1)).when(add("书法")).then([added("书法")]);
    }

    #[test]
    fn a_subject_has_one_to_thirty_characters() {
        assert!(Subject::parse(" 无 ").is_some() && Subject::parse(&"学".repeat(30)).is_some());
        for wrong in ["", " ", "书 法", "书\n法", &"学".repeat(31)] {
            assert!(Subject::parse(wrong).is_none(), "{wrong:?}");
        }
    }
}
