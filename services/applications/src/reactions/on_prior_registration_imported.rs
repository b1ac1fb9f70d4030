//! The register tells of a registration from before this system: it enters the certificate's record.

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use proto::certificates::v1::PriorRegistrationImported;
use uuid::Uuid;

use super::judge;
use crate::domain::calendar::parse_date;
use crate::domain::registration::Prior;
use crate::handle::{Asked, Handle};
use crate::wire::parse_conclusion;

/// Fed by certificates.
pub struct OnPriorRegistrationImported {
    /// Use cases.
    pub handle: Handle,
}

#[eventbus::async_trait]
impl Reaction for OnPriorRegistrationImported {
    fn name(&self) -> &'static str {
        "on_prior_registration_imported"
    }

    fn at_once(&self) -> usize {
        eventbus::ABREAST
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        if !event.is::<PriorRegistrationImported>() {
            return Ok(());
        }
        let imported: PriorRegistrationImported = event.decode()?;
        let incomplete = || ReactionError::Rejected("the prior registration is incomplete".to_owned());
        let (certificate, prior) = read(&imported).ok_or_else(incomplete)?;
        let asked = Asked {
            actor: "service:applications".to_owned(),
            request_id: ids.request_id(0),
            fingerprint: rpc::fingerprint(&imported),
        };
        let done = self.handle.record_prior(&asked, ids.cause(), certificate, prior).await;
        done.map_err(|error| judge(&error))
    }
}

fn read(imported: &PriorRegistrationImported) -> Option<(Uuid, Prior)> {
    let registration = imported.registration.as_ref()?;
    let prior = Prior {
        ordinal: u32::try_from(registration.ordinal).ok()?,
        conclusion: parse_conclusion(registration.conclusion)?,
        on: parse_date(&registration.conclude_date)?,
        merged_from: None,
    };
    Some((Uuid::try_parse(&imported.certificate_id).ok()?, prior))
}
