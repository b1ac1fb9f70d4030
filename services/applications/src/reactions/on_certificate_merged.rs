//! A certificate's number was mistyped: what was concluded under it counts for the certificate that it is.

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use proto::certificates::v1::CertificateMerged;
use uuid::Uuid;

use super::judge;
use crate::handle::{Asked, Handle};

/// Fed by certificates.
pub struct OnCertificateMerged {
    /// Use cases.
    pub handle: Handle,
}

#[eventbus::async_trait]
impl Reaction for OnCertificateMerged {
    fn name(&self) -> &'static str {
        "on_certificate_merged"
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        if !event.is::<CertificateMerged>() {
            return Ok(());
        }
        let merged: CertificateMerged = event.decode()?;
        let certificates = Uuid::try_parse(&merged.certificate_id).and_then(|certificate| {
            let into = Uuid::try_parse(&merged.into_certificate_id)?;
            Ok((certificate, into))
        });
        let certificates =
            certificates.map_err(|_| ReactionError::Rejected("the event names no certificates".to_owned()))?;
        let asked = Asked {
            actor: "service:applications".to_owned(),
            request_id: ids.request_id(0),
            fingerprint: rpc::fingerprint(&merged),
        };
        let done = self.handle.merge(&asked, ids.cause(), certificates, event.position).await;
        done.map_err(|error| judge(&error))
    }
}
