//! What the register of certificates tells of earlier registrations, and of numbers that were mistyped.

use decider::Decider as _;
use eventlog::Division;
use lifecycle::ids;
use uuid::Uuid;

use super::{ATTEMPTS, Asked, Handle};
use crate::domain::calendar::render_date;
use crate::domain::registration::{Command, Event, Prior, Registrations, Standing};
use crate::error::Error;
use crate::store::record::{self, AsOf, new_event};

impl Handle {
    /// Records a prior registration of a certificate; once, however often it is told. What the register says of an ordinal takes the place of
    /// what it said before.
    pub async fn record_prior(&self, asked: &Asked, cause: Uuid, certificate: Uuid, prior: Prior) -> Result<(), Error> {
        self.record(asked, cause, certificate, Command::RecordPrior(prior)).await
    }

    /// A certificate's number was mistyped, says the register's event at this position: what was concluded under it until now
    /// counts for the certificate that it is. However often it is told, that happens once.
    pub async fn merge(
        &self,
        asked: &Asked,
        cause: Uuid,
        (merged, into): (Uuid, Uuid),
        told_at: i64,
    ) -> Result<(), Error> {
        // The view knows by now that the mistyped number is nobody's: a submission under it that was decided on what was known
        // before comes before the end of the record, or is decided again.
        if self.0.tables.certificates_position().await? < told_at {
            return Err(Error::NotReady);
        }
        self.record(asked, cause, merged, Command::Merge { into }).await?;
        let record = record::load(&self.0.log, merged).await?;
        let end = record.entries.iter().rfind(|entry| entry.event == Event::RecordMerged { into });
        let before = end.map_or(0, |end| end.recorded.version - 1);
        for Standing { ordinal, conclusion, on } in record.as_of(AsOf::Version(before)).state.standings() {
            let name = format!("{ordinal}/{}/{}", conclusion.name(), render_date(on));
            let asked = Asked { request_id: Uuid::new_v5(&asked.request_id, name.as_bytes()), ..asked.clone() };
            let prior = Prior { ordinal, conclusion, on, merged_from: Some(merged) };
            self.record_prior(&asked, cause, into, prior).await?;
        }
        Ok(())
    }

    /// Decides about a record and records what follows; nothing where that was done because of this request before.
    async fn record(&self, asked: &Asked, cause: Uuid, certificate: Uuid, command: Command) -> Result<(), Error> {
        for _ in 0..ATTEMPTS {
            let record = record::load(&self.0.log, certificate).await?;
            let events = Registrations::decide(&record.state, command.clone())?;
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
