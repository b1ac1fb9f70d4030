//! What the register of certificates tells of the time before this system.

use decider::Decider as _;
use eventlog::Division;
use lifecycle::ids;
use uuid::Uuid;

use super::{ATTEMPTS, Asked, Handle};
use crate::domain::registration::{Command, Prior, Registrations};
use crate::error::Error;
use crate::store::record::{self, new_event};

impl Handle {
    /// Records a prior registration of a certificate; once, however often it is told.
    pub async fn record_prior(&self, asked: &Asked, cause: Uuid, certificate: Uuid, prior: Prior) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let record = record::load(&self.0.log, certificate).await?;
            let events = Registrations::decide(&record.state, Command::RecordPrior(prior))?;
            let Some(event) = events.into_iter().next() else { return Ok(()) };
            let event = new_event(certificate, record.version + 1, event, ids::random(), Division::NONE, None);
            let mut append = asked.append(certificate, record.version, vec![event], Vec::new(), None);
            append.cause = Some(cause);
            match self.0.log.append(append).await.map_err(Error::from) {
                Ok(_) => return Ok(()),
                Err(Error::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict)
    }
}
