//! Use cases: load, decide, append; again when somebody else was faster.

mod amend;
mod bulk;
mod codes;
mod drafts;
mod dry_run;
mod due;
mod explain;
mod files;
mod idle_drafts;
mod lists;
mod publishing;
mod reading;
mod registers;
mod rule_sets;
mod submit;
mod texts;
mod watching;

use std::sync::Arc;

use decider::Decider as _;
use eventbus::Reference;
use eventlog::{Append, AppendError, Division, EventLog, NewEvent, Remembered, RequestKey};
use lifecycle::{clock, ids};
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use vault::Vault;

use crate::details::Details;
use crate::domain::calendar::shanghai_date;
use crate::domain::directory::{Assignment, Directory};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::registration::{
    Application, CertificateFacts, Command, ConclusionFact, Event, Registration, Registrations, Rejection,
};
use crate::domain::rules::RuleSet;
use crate::domain::values::{Conclusion, Level, Status, Turn};
use crate::domain::working_days::WorkCalendar;
use crate::error::Error;
use crate::shipped::Shipped;
use crate::store::drafts::Drafts;
use crate::store::filing::Filings;
use crate::store::record::{self, Record, new_event, sealed_text};
use crate::store::serials::Serials;
use crate::views::Tables;
use crate::views::rules::RuleBook;
use crate::views::texts::TextBook;

pub use amend::Amendment;
pub use bulk::{AT_ONCE, MOST_ITEMS, Wanted};
pub use codes::CodeTable;
pub use drafts::{Checked, DraftAt};
pub use dry_run::{Cursor, DryRun, Replayed};
pub use due::DueCertificate;
pub use explain::Explained;
pub use files::{FactsDue, Judged};
pub use lists::Count;
pub use reading::{Seen, Viewer, Warning};
pub use submit::{Pledge, Submission};
pub use watching::{Beginning, Changes, News, Place, State, Watch};

/// Attempts at a command while others change the same record.
const ATTEMPTS: usize = 5;

/// Everything that use cases stand on. Clones are the same.
#[derive(Clone)]
pub struct Handle(Arc<Ground>);

/// What [`Handle`] is made of.
pub struct Ground {
    /// The truth.
    pub log: EventLog,
    /// Keys of people.
    pub vault: Vault,
    /// Views that stay in tables.
    pub tables: Tables,
    /// Names and numbers on demand.
    pub details: Details,
    /// Drafts.
    pub drafts: Drafts,
    /// What submissions need.
    pub filings: Filings,
    /// Serials of 报名号.
    pub serials: Serials,
    /// Agencies, points, plans.
    pub directory: Reference<Directory>,
    /// Rule sets of provinces.
    pub rules: Reference<RuleBook>,
    /// Texts of provinces.
    pub texts: Reference<TextBook>,
    /// Whether the view of certificates has ever been complete.
    pub certificates: Reference<()>,
    /// Code tables, texts, national rules.
    pub shipped: Shipped,
    /// What happens to applications, for those who watch.
    pub changes: Changes,
}

/// Who asks, and by which request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// As the log names the caller.
    pub actor: String,
    /// Made by the caller; the same request has one effect.
    pub request_id: Uuid,
    /// What tells it from another request of the same id.
    pub fingerprint: [u8; 32],
}

/// Names an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Its certificate.
    pub certificate: Uuid,
    /// 报名号
    pub number: EnrolmentNumber,
}

/// Where an application stands after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Which application.
    pub key: Key,
    /// Version of the record.
    pub version: i64,
    /// 注册次数
    pub ordinal: u32,
    /// Its status.
    pub status: Status,
    /// Level whose turn it is.
    pub level: Option<Level>,
    /// Whose turn it is.
    pub turn: Turn,
    /// 注册结论
    pub conclusion: Option<Conclusion>,
}

/// The answer to a command as it is kept for a repeated request.
pub type Render = fn(&Done) -> Vec<u8>;

/// What a command is made of, beside what the caller wants.
pub struct Situation<'a> {
    /// The application as it stands.
    pub application: &'a Application,
    /// Dates of its point.
    pub assignment: Option<Assignment>,
    /// The certificate as it is now.
    pub certificate: Option<CertificateFacts>,
    /// In force.
    pub rules: Arc<RuleSet>,
    /// Now.
    pub now: OffsetDateTime,
    /// Today in Shanghai.
    pub today: Date,
    /// 节假日安排
    pub working_days: &'a WorkCalendar,
}

impl Situation<'_> {
    /// 公示 from today to a day, or to the one that the rule set prescribes, if it does.
    pub fn publicity(&self, until: Option<Date>) -> ConclusionFact {
        let prescribed = self.rules.publicity_working_days;
        let at_least = self.working_days.after(self.today, prescribed);
        ConclusionFact::PublicityBegun { until: until.or((prescribed > 0).then_some(at_least)), at_least }
    }
}

/// A command, and the instant before which it must be recorded.
pub struct Attempt {
    /// The command.
    pub command: Command,
    /// By PostgreSQL's clock.
    pub not_after: Option<OffsetDateTime>,
}

impl From<Command> for Attempt {
    fn from(command: Command) -> Self {
        Self { command, not_after: None }
    }
}

/// What was decided about an application, and not recorded yet.
struct Decided {
    key: Key,
    person: Uuid,
    /// Version of the record that the decision saw.
    version: i64,
    events: Vec<Event>,
    after: Registration,
    not_after: Option<OffsetDateTime>,
}

impl Decided {
    fn new(key: Key, person: Uuid, record: Record, events: Vec<Event>, not_after: Option<OffsetDateTime>) -> Self {
        let after = events.iter().fold(record.state, Registrations::evolve);
        Self { key, person, version: record.version, events, after, not_after }
    }

    /// Where the application stands then.
    fn done(&self) -> Result<Done, Error> {
        let application = self.after.application(self.key.number).ok_or(Rejection::NotFound)?;
        let count = i64::try_from(self.events.len()).expect("a decision makes few events");
        Ok(done(self.key, application, self.version + count))
    }
}

impl Handle {
    /// From its parts.
    pub fn new(ground: Ground) -> Self {
        Self(Arc::new(ground))
    }

    /// The log that it writes.
    pub fn log(&self) -> &EventLog {
        &self.0.log
    }

    /// Code tables, texts, national rules.
    pub fn shipped(&self) -> &Shipped {
        &self.0.shipped
    }

    /// Agencies, points and plans; refused until they have once been complete.
    pub fn directory(&self) -> Result<Arc<Directory>, Error> {
        Ok(self.0.directory.require()?)
    }

    /// The rule set of an agency's province that is in force today, or the national one.
    pub fn rules_of(&self, directory: &Directory, agency: Option<Uuid>) -> Result<Arc<RuleSet>, Error> {
        self.rules(agency.and_then(|agency| directory.province_of(agency)).unwrap_or_default())
    }

    /// The rule set of a province that is in force today, or the national one.
    pub fn rules(&self, province: &str) -> Result<Arc<RuleSet>, Error> {
        self.rules_on(province, shanghai_date(clock::now()))
    }

    /// Does one thing with one application; `text` is sealed beside the event under the applicant's key.
    pub async fn act(
        &self,
        asked: &Asked,
        key: Key,
        text: Option<&str>,
        render: Render,
        attempt: impl Fn(Situation<'_>) -> Attempt + Send + Sync,
    ) -> Result<Vec<u8>, Error> {
        let acted = self.act_once_more(asked, key, text, render, attempt).await;
        self.or_remembered(asked, acted).await
    }

    /// What [`Handle::act`] would answer; nothing is recorded.
    pub async fn rehearse(
        &self,
        asked: &Asked,
        key: Key,
        render: Render,
        attempt: impl Fn(Situation<'_>) -> Attempt + Send + Sync,
    ) -> Result<Vec<u8>, Error> {
        let decided = self.decide(key, attempt).await;
        self.or_remembered(asked, decided.and_then(|decided| Ok(render(&decided.done()?)))).await
    }

    async fn act_once_more(
        &self,
        asked: &Asked,
        key: Key,
        text: Option<&str>,
        render: Render,
        attempt: impl Fn(Situation<'_>) -> Attempt + Send + Sync,
    ) -> Result<Vec<u8>, Error> {
        for _ in 0..ATTEMPTS {
            let decided = self.decide(key, &attempt).await?;
            let plain = text.filter(|text| !text.is_empty()).map(sealed_text);
            match self.append(asked, decided, plain, render).await {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        Err(Error::Conflict)
    }

    /// Loads what a command is made of, and decides it.
    async fn decide(
        &self,
        key: Key,
        attempt: impl Fn(Situation<'_>) -> Attempt + Send + Sync,
    ) -> Result<Decided, Error> {
        let directory = self.directory()?;
        let (record, certificate) =
            futures::try_join!(async { Ok::<_, Error>(record::load(&self.0.log, key.certificate).await?) }, async {
                Ok(self.0.tables.certificate(key.certificate).await?)
            },)?;
        let application = record.state.application(key.number).ok_or(Rejection::NotFound)?;
        self.0.certificates.require()?;
        let now = clock::now();
        let Attempt { command, not_after } = attempt(Situation {
            application,
            assignment: directory.assignment(application.window, application.place.agency, application.place.point),
            certificate: certificate.map(|certificate| certificate.facts),
            rules: self.rules_of(&directory, Some(application.place.agency))?,
            now,
            today: shanghai_date(now),
            working_days: &self.0.shipped.working_days,
        });
        let person = application.person;
        let events = Registrations::decide(&record.state, command)?;
        Ok(Decided::new(key, person, record, events, not_after))
    }

    /// Records what was decided about one application; a secret is sealed beside the first event.
    async fn append(
        &self,
        asked: &Asked,
        decided: Decided,
        plain: Option<Vec<u8>>,
        render: Render,
    ) -> Result<Vec<u8>, Error> {
        let answer = render(&decided.done()?);
        let Decided { key, person, version, events, after, not_after } = decided;
        if events.is_empty() {
            return Ok(answer);
        }
        let application = after.application(key.number).ok_or(Rejection::NotFound)?;
        let secret = match &plain {
            Some(plain) => match self.0.vault.obtain(person).await {
                Ok(key) => Some((key, plain)),
                // Who is erased has no key: words about them are not kept any more.
                Err(vault::VaultError::Destroyed) => None,
                Err(error) => return Err(error.into()),
            },
            None => None,
        };
        let division = self.division(application.place.agency)?;
        let new: Vec<NewEvent> = (version + 1..)
            .zip(events)
            .map(|(version, event)| {
                let secret = secret.as_ref().map(|(key, plain)| (key, plain.as_slice()));
                new_event(key.certificate, version, event, ids::random(), division, secret)
            })
            .collect();
        let appended = self.0.log.append(asked.append(key.certificate, version, new, answer, not_after)).await;
        match appended {
            Ok(appended) => Ok(appended.answer),
            Err(AppendError::TooLate { not_after, .. }) => {
                Err(Error::Rejected(Rejection::ConfirmationEnded { end: not_after }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A refusal may be the answer to a request that was done before: then the first answer is given again.
    async fn or_remembered(&self, asked: &Asked, done: Result<Vec<u8>, Error>) -> Result<Vec<u8>, Error> {
        match done {
            Ok(answer) => Ok(answer),
            Err(
                error @ (Error::Overloaded { .. }
                | Error::Unavailable { .. }
                | Error::RequestIdReused
                | Error::Storage(_)),
            ) => Err(error),
            Err(refusal) => match self.0.log.remembered(&asked.actor, asked.request_id, &asked.fingerprint).await? {
                Some(Remembered::Answer { answer, .. }) => Ok(answer),
                Some(Remembered::Reused) => Err(Error::RequestIdReused),
                None => Err(refusal),
            },
        }
    }

    fn division(&self, agency: Uuid) -> Result<Division, Error> {
        let directory = self.directory()?;
        let code = directory.agencies.get(&agency).and_then(|agency| Division::parse(&agency.division));
        Ok(code.unwrap_or(Division::NONE))
    }
}

impl Asked {
    fn append(
        &self,
        stream: Uuid,
        expected_version: i64,
        events: Vec<NewEvent>,
        answer: Vec<u8>,
        not_after: Option<OffsetDateTime>,
    ) -> Append {
        Append {
            stream,
            expected_version,
            events,
            actor: self.actor.clone(),
            request: Some(RequestKey { id: self.request_id, fingerprint: self.fingerprint, answer }),
            claims: Vec::new(),
            not_before: None,
            not_after,
            traceparent: telemetry::current_traceparent(),
            cause: None,
        }
    }
}

fn done(key: Key, application: &Application, version: i64) -> Done {
    Done {
        key,
        version,
        ordinal: application.ordinal,
        status: application.status(),
        level: application.step().map(|step| step.level),
        turn: application.turn(),
        conclusion: application.conclusion().map(|record| record.conclusion),
    }
}
