//! A register told of a certificate: if its holder has an account already, it is matched.

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use proto::certificates::v1::{CertificateChanged, CertificateSynced};
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::{FindPersonByNumberRequest, PersonLookup};
use service::PeerChannel;
use uuid::Uuid;

use super::{asked, is_settled, judge};
use crate::domain::certificate::{Command, Event as Certificate};
use crate::handle::Handle;
use crate::store;

/// The reaction to the service's own events.
#[derive(Debug)]
pub struct OnCertificateSynced {
    /// Records the match.
    pub handle: Handle,
    /// Knows who has which number.
    pub profiles: ProfilesClient<PeerChannel>,
}

#[eventbus::async_trait]
impl Reaction for OnCertificateSynced {
    fn name(&self) -> &'static str {
        "match-certificate"
    }

    fn at_once(&self) -> usize {
        eventbus::ABREAST
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        if !event.is::<CertificateSynced>() && !event.is::<CertificateChanged>() {
            return Ok(());
        }
        let read = store::read(&event.kind, &event.payload, &event.inner);
        let Some(Certificate::Synced { details, .. } | Certificate::Changed { details, .. }) = read else {
            return Err(ReactionError::Rejected("the event cannot be read".to_owned()));
        };
        let generation = self.handle.generation_of(event.stream, event.version, &details).await;
        let sealed_under = (event.stream, generation.map_err(|error| judge(&error))?);
        let opened = self.handle.open(sealed_under, &event.sealed, event.event_id, event.version).await;
        // Whose key was destroyed has no account any more.
        let Some(personal) = opened.map_err(|error| judge(&error))? else { return Ok(()) };
        let lookup = PersonLookup { number: personal.holder_number.to_uppercase(), name: personal.holder_name };
        let mut profiles = self.profiles.clone();
        let found = profiles.find_person_by_number(FindPersonByNumberRequest { lookups: vec![lookup] }).await;
        let found = found.map_err(|status| ReactionError::Transient(format!("identity: {:?}", status.code())))?;
        let Some(matched) = found.into_inner().matches.into_iter().next() else { return Ok(()) };
        if matched.person_id.is_empty() || !matched.name_matches {
            return Ok(());
        }
        let person = Uuid::parse_str(&matched.person_id)
            .map_err(|_| ReactionError::Transient("identity answers no person's id".to_owned()))?;
        let asked = asked(ids, Some(ids.request_id(0)));
        let command = Command::Match { person, holder: details.holder };
        match self.handle.change(&asked, event.stream, command, Vec::new()).await {
            Err(error) if !is_settled(&error) => Err(judge(&error)),
            _ => Ok(()),
        }
    }
}
