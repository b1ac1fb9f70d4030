//! The registration record of one certificate: every application of it, decided from one history (DOMAIN 2.3).
//!
//! The stream's id is the certificate's; whoever's account files, the record is the same, so that nobody escapes a
//! bar with a second account.

mod advice;
mod command;
mod decide;
mod due;
mod event;
mod evolve;
mod explain;
mod filing;
mod note;
mod outlook;
mod reader;
mod rejection;
mod state;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use advice::Advice;
pub use command::{Amend, CertificateFacts, Command, ConclusionFact, Officer, Order, Submit};
pub use decide::agreed;
pub use due::{Due, DueState};
pub use event::{Amended, Concluded, Event, Submitted, Unit};
pub use explain::{Action, Next, Occasion, Verdict, explain};
pub use filing::{Ordinal, Standing, earliest, ordinal};
pub use outlook::{Aspect, Outlook, Surroundings};
pub use reader::Reader;
pub use rejection::Rejection;
pub use state::{Application, ConclusionRecord, Mending, Phase, Prior, Proposed, Registration};

/// Decides for the record of one certificate.
#[derive(Debug)]
pub struct Registrations;

impl decider::Decider for Registrations {
    type State = Registration;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &Registration, command: Command) -> Result<Vec<Event>, Rejection> {
        decide::decide(state, command)
    }

    fn evolve(state: Registration, event: &Event) -> Registration {
        evolve::evolve(state, event)
    }
}
