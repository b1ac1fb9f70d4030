//! An application took a step, or a draft waits for one: its applicant is told.

use std::time::Duration;

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use prost::Name as _;
use proto::applications::v1::{
    ApplicationAmended, ApplicationConcluded, ApplicationConfirmed, ApplicationReturned, ApplicationSubmitted,
    ApplicationWithdrawn, ConclusionReversed, ConfirmationRefused, DraftReminded, RegistrationRevoked, ReviewLevel,
    ReviewPassed, ReviewSentBack,
};
use proto::types::v1::Conclusion as ProtoConclusion;
use time::Date;
use time::macros::format_description;
use tokio::time::{Instant, sleep};
use uuid::Uuid;
use vault::Vault;

use crate::domain::step::{Conclusion, Level, Returner, Step};
use crate::error::Error;
use crate::handle::{Handle, Told};
use crate::views::applicants::{Applicant, Applicants};

#[cfg(test)]
mod tests;

/// How long the view of applicants may take to come as far as the event, and how often it is looked at.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// The reaction.
#[derive(Debug)]
pub struct OnApplicationStep {
    /// Tells people.
    pub handle: Handle,
    /// Knows whose application it is.
    pub applicants: Applicants,
    /// Knows who is erased here, before the service applications has said so.
    pub vault: Vault,
}

#[eventbus::async_trait]
impl Reaction for OnApplicationStep {
    fn name(&self) -> &'static str {
        "application-steps"
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        let Some((about, step)) = read(event)? else { return Ok(()) };
        let (enrolment_number, person) = match about {
            About::Application(number) => match self.applicant(&number, event.position).await? {
                Some(person) => (number, person),
                None => return Ok(()),
            },
            About::Draft { owner } => (String::new(), owner),
        };
        let erased = self.vault.is_destroyed(person).await;
        if erased.map_err(|error| service::erasure::transient("the keys", &error))? {
            return Ok(());
        }
        let told = Told {
            step,
            enrolment_number,
            person,
            cause: ids.cause(),
            at: event.recorded_at,
            division: event.division,
        };
        self.handle.tell(&told).await.map_err(|error| judge(&error))
    }
}

impl OnApplicationStep {
    /// The view runs beside this reaction and may be a little behind it. `None` when the person is erased.
    async fn applicant(&self, enrolment_number: &str, position: i64) -> Result<Option<Uuid>, ReactionError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.applicants.find(enrolment_number, position).await;
            match found.map_err(|error| judge(&Error::from(error)))? {
                Applicant::Known(person) => return Ok(Some(person)),
                Applicant::Erased => return Ok(None),
                Applicant::Unknown => return Err(ReactionError::Rejected("nobody filed this application".to_owned())),
                Applicant::Behind if Instant::now() < deadline => sleep(POLL).await,
                Applicant::Behind => {
                    return Err(ReactionError::Transient("the view of applicants is behind".to_owned()));
                }
            }
        }
    }
}

fn judge(error: &Error) -> ReactionError {
    if error.is_transient() {
        ReactionError::Transient(error.to_string())
    } else {
        ReactionError::Rejected(error.to_string())
    }
}

/// What an event is about.
#[derive(Debug, PartialEq, Eq)]
enum About {
    /// The application of this 报名号.
    Application(String),
    /// A draft, which has none.
    Draft {
        /// Whose it is.
        owner: Uuid,
    },
}

/// What an event is about and the step that was taken; `None` for what nobody is told of.
fn read(event: &Event) -> Result<Option<(About, Step)>, ReactionError> {
    let name = event.kind.strip_prefix("dingzhu.applications.v1.").unwrap_or_default();
    let (number, step) = match name {
        DraftReminded::NAME => {
            let message: DraftReminded = event.decode()?;
            let owner = Uuid::parse_str(&message.person_id).map_err(|_| unreadable("person"))?;
            let (last, delete_on) = (message.reminder > 1, date(&message.delete_date)?);
            return Ok(Some((About::Draft { owner }, Step::DraftReminded { last, delete_on })));
        }
        ApplicationSubmitted::NAME => {
            let message: ApplicationSubmitted = event.decode()?;
            (message.enrolment_number, Step::Submitted)
        }
        ApplicationAmended::NAME => {
            let message: ApplicationAmended = event.decode()?;
            let form_version = u32::try_from(message.form_version).map_err(|_| unreadable("form version"))?;
            (message.enrolment_number, Step::Amended { form_version })
        }
        ApplicationWithdrawn::NAME => {
            let message: ApplicationWithdrawn = event.decode()?;
            (message.enrolment_number, Step::Withdrawn)
        }
        ApplicationConfirmed::NAME => {
            let message: ApplicationConfirmed = event.decode()?;
            (message.enrolment_number, Step::Confirmed { next: level(message.level)? })
        }
        ConfirmationRefused::NAME => {
            let message: ConfirmationRefused = event.decode()?;
            (message.enrolment_number, Step::ConfirmationRefused)
        }
        ApplicationReturned::NAME => {
            let message: ApplicationReturned = event.decode()?;
            (message.enrolment_number, Step::Returned { by: returner(&message.by_role)? })
        }
        ReviewPassed::NAME => {
            let message: ReviewPassed = event.decode()?;
            let step = Step::ReviewPassed { level: level(message.level)?, next: level(message.next_level)? };
            (message.enrolment_number, step)
        }
        ReviewSentBack::NAME => {
            let message: ReviewSentBack = event.decode()?;
            let level_of_review = level(message.level)?;
            let step = if message.to_level == i32::from(ReviewLevel::Unspecified) {
                Step::SentBackToApplicant { level: level_of_review }
            } else {
                Step::SentBackToLevel { level: level_of_review, to: level(message.to_level)? }
            };
            (message.enrolment_number, step)
        }
        ApplicationConcluded::NAME => {
            let message: ApplicationConcluded = event.decode()?;
            let (conclusion, on) = (conclusion(message.conclusion)?, date(&message.conclude_date)?);
            (message.enrolment_number, Step::Concluded { conclusion, on })
        }
        ConclusionReversed::NAME => {
            let message: ConclusionReversed = event.decode()?;
            (message.enrolment_number, Step::ConclusionReversed { level: level(message.level)? })
        }
        RegistrationRevoked::NAME => {
            let message: RegistrationRevoked = event.decode()?;
            (message.enrolment_number, Step::Revoked { on: date(&message.revoke_date)? })
        }
        _ => return Ok(None),
    };
    Ok(Some((About::Application(number), step)))
}

fn level(number: i32) -> Result<Level, ReactionError> {
    match ReviewLevel::try_from(number) {
        Ok(ReviewLevel::County) => Ok(Level::County),
        Ok(ReviewLevel::City) => Ok(Level::City),
        Ok(ReviewLevel::Province) => Ok(Level::Province),
        Ok(ReviewLevel::Unspecified) | Err(_) => Err(unreadable("level of review")),
    }
}

fn returner(role: &str) -> Result<Returner, ReactionError> {
    match role {
        "liaison" => Ok(Returner::Liaison),
        "clerk" => Ok(Returner::Clerk),
        _ => Err(unreadable("role")),
    }
}

fn conclusion(number: i32) -> Result<Conclusion, ReactionError> {
    match ProtoConclusion::try_from(number) {
        Ok(ProtoConclusion::Qualified) => Ok(Conclusion::Qualified),
        Ok(ProtoConclusion::Deferred) => Ok(Conclusion::Deferred),
        Ok(ProtoConclusion::Failed) => Ok(Conclusion::Failed),
        // 撤销注册 has an event of its own.
        Ok(ProtoConclusion::Revoked | ProtoConclusion::Unspecified) | Err(_) => Err(unreadable("conclusion")),
    }
}

fn date(text: &str) -> Result<Date, ReactionError> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|_| unreadable("date"))
}

fn unreadable(what: &str) -> ReactionError {
    ReactionError::Rejected(format!("the event names no {what} that is known here"))
}
