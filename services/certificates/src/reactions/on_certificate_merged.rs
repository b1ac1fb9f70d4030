//! An entry by hand was found to be another certificate: that one takes over whose it was, its registrations and its restriction.

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use proto::certificates::v1::CertificateMerged;
use uuid::Uuid;

use super::{asked, is_settled, judge};
use crate::handle::Handle;

/// The reaction to the service's own events.
#[derive(Debug)]
pub struct OnCertificateMerged {
    /// Knows and changes the records.
    pub handle: Handle,
}

#[eventbus::async_trait]
impl Reaction for OnCertificateMerged {
    fn name(&self) -> &'static str {
        "absorb-certificate"
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        if !event.is::<CertificateMerged>() {
            return Ok(());
        }
        let CertificateMerged { into_certificate_id, .. } = event.decode()?;
        let into = Uuid::parse_str(&into_certificate_id)
            .map_err(|_| ReactionError::Rejected("the event names no record".to_owned()))?;
        let asked = asked(ids, Some(ids.request_id(0)));
        match self.handle.absorb(&asked, (event.stream, event.version), into).await {
            Err(error) if !is_settled(&error) => Err(judge(&error)),
            _ => Ok(()),
        }
    }
}
