//! A person came: the certificates that carry their number and name become theirs.

use eventbus::{Event, Reaction, ReactionError, ReactionIds};
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::{AccountRegistered, GetPersonDetailsRequest, NameChanged, ProfileCompleted};
use service::PeerChannel;
use service::erasure::caught_up;
use tonic::Code;
use uuid::Uuid;

use super::{asked, forget_claims, is_settled, judge};
use crate::domain::certificate::Command;
use crate::domain::name;
use crate::error::Error;
use crate::handle::Handle;
use crate::store::holders;
use crate::views::register;

/// Written into the person's own access log.
const PURPOSE: &str = "匹配教师资格证书";

/// The reaction to identity's events.
#[derive(Debug)]
pub struct OnProfileCompleted {
    /// Records the matches.
    pub handle: Handle,
    /// Knows number and name.
    pub profiles: ProfilesClient<PeerChannel>,
}

#[eventbus::async_trait]
impl Reaction for OnProfileCompleted {
    fn name(&self) -> &'static str {
        "match-person"
    }

    async fn react(&self, event: &Event, ids: &ReactionIds) -> Result<(), ReactionError> {
        let person_id = if event.is::<AccountRegistered>() {
            event.decode::<AccountRegistered>()?.person_id
        } else if event.is::<ProfileCompleted>() {
            event.decode::<ProfileCompleted>()?.person_id
        } else if event.is::<NameChanged>() {
            event.decode::<NameChanged>()?.person_id
        } else {
            return Ok(());
        };
        let person =
            Uuid::parse_str(&person_id).map_err(|_| ReactionError::Rejected("the event names no person".to_owned()))?;
        let request = GetPersonDetailsRequest { person_id, purpose: PURPOSE.to_owned() };
        let details = match self.profiles.clone().get_person_details(request).await {
            Ok(details) => details.into_inner(),
            // Erased since, or not complete yet: then another event follows.
            Err(status) if matches!(status.code(), Code::NotFound | Code::FailedPrecondition) => {
                return self.forget_erased(person, ids).await;
            }
            Err(status) => return Err(ReactionError::Transient(format!("identity: {:?}", status.code()))),
        };
        // So that their erasure finds what is said of them; one that came before it was known must find it, too.
        let hash = self.handle.holder_hash(&details.number);
        let remembered = holders::remember(self.handle.log().pool(), person, &hash).await;
        remembered.map_err(|error| judge(&Error::from(error)))?;
        self.forget_erased(person, ids).await?;
        self.match_all(person, &details.number, &details.name, ids).await
    }
}

impl OnProfileCompleted {
    /// Of whoever is erased nothing stays, however late identity's answer from before came.
    async fn forget_erased(&self, person: Uuid, ids: &ReactionIds) -> Result<(), ReactionError> {
        if !self.handle.is_erased(person).await.map_err(|error| judge(&error))? {
            return Ok(());
        }
        forget_claims(&self.handle, &asked(ids, None), person).await?;
        holders::forget(self.handle.log().pool(), person).await.map_err(|error| judge(&Error::from(error)))
    }

    async fn match_all(&self, person: Uuid, number: &str, name: &str, ids: &ReactionIds) -> Result<(), ReactionError> {
        let pool = self.handle.log().pool();
        let stored = |error| judge(&Error::from(error));
        // A certificate that was recorded before this person came must be seen here, since its own reaction may have asked
        // identity before: the view has to be as far as the log was when we began.
        caught_up(self.handle.log(), register::REGISTER).await?;
        let holder = self.handle.holder_hash(number);
        let rows = register::of_holder(pool, &holder).await.map_err(stored)?;
        for row in rows.into_iter().filter(|row| row.person != Some(person)) {
            let opened = self.handle.open(row.sealed_under(), &row.sealed, row.sealed_event, row.sealed_version).await;
            let Some(personal) = opened.map_err(|error| judge(&error))? else { continue };
            if !name::is_same(&personal.holder_name, name) {
                continue;
            }
            // By the certificate, not by its place among those that are found: the next try may find others.
            let request = Uuid::new_v5(&ids.request_id(0), row.certificate_id.as_bytes());
            let asked = asked(ids, Some(request));
            let command = Command::Match { person, holder };
            match self.handle.change(&asked, row.certificate_id, command, Vec::new()).await {
                Err(error) if !is_settled(&error) => return Err(judge(&error)),
                _ => {}
            }
        }
        Ok(())
    }
}
