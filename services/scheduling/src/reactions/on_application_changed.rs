//! An application was withdrawn, confirmed, refused or concluded, or goes to another point: its place is for others.

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use proto::applications::v1 as applications;

use crate::domain::booking::{Cause, EnrolmentNumber};
use crate::domain::officer::Officer;
use crate::error::Error;
use crate::handle::Asked;
use crate::handle::slots::Slots;

/// Fed by applications.
pub struct OnApplicationChanged {
    /// Use cases.
    pub slots: Slots,
}

#[eventbus::async_trait]
impl Reaction for OnApplicationChanged {
    fn name(&self) -> &'static str {
        "on_application_changed"
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        let Some((number, cause)) = read(event)? else { return Ok(()) };
        let incomplete = || ReactionError::Rejected("the event names no application".to_owned());
        let number = EnrolmentNumber::parse(&number).ok_or_else(incomplete)?;
        let officer = Officer { actor: "service:scheduling".to_owned(), reach: Vec::new() };
        // The id follows from the event, and the event does not change.
        let asked = Asked { officer, request_id: ids.request_id(0), fingerprint: [0; 32] };
        let heard = match cause {
            Some(cause) => self.slots.hear(&asked, ids.cause(), (&number, event.version), cause).await,
            None => self.slots.hear_refusal(&asked, ids.cause(), &number, event.recorded_at).await,
        };
        match heard {
            Ok(()) => Ok(()),
            Err(error @ (Error::Booking(_) | Error::NotFound { .. } | Error::Corrupt { .. })) => {
                Err(ReactionError::Rejected(error.to_string()))
            }
            Err(error) => Err(ReactionError::Transient(error.to_string())),
        }
    }
}

/// Which application may need no place any more, and why; `None` where its point refused to confirm it.
fn read(event: &Event) -> Result<Option<(String, Option<Cause>)>, ReactionError> {
    let read = if event.is::<applications::ApplicationWithdrawn>() {
        (event.decode::<applications::ApplicationWithdrawn>()?.enrolment_number, Some(Cause::Withdrawn))
    } else if event.is::<applications::ApplicationConfirmed>() {
        (event.decode::<applications::ApplicationConfirmed>()?.enrolment_number, Some(Cause::Confirmed))
    } else if event.is::<applications::ConfirmationRefused>() {
        (event.decode::<applications::ConfirmationRefused>()?.enrolment_number, None)
    } else if event.is::<applications::ApplicationConcluded>() {
        (event.decode::<applications::ApplicationConcluded>()?.enrolment_number, Some(Cause::Concluded))
    } else if event.is::<applications::ApplicationAmended>() {
        (event.decode::<applications::ApplicationAmended>()?.enrolment_number, Some(Cause::PointChanged))
    } else {
        return Ok(None);
    };
    Ok(Some(read))
}
