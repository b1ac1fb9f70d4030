//! What follows from events: certificates find their owners, from whichever side comes later; what is over is closed.

pub mod on_certificate_merged;
pub mod on_certificate_synced;
pub mod on_conflict_settled;
pub mod on_person_erased;
pub mod on_profile_completed;

use std::collections::BTreeSet;

use eventbus::{ReactionError, ReactionIds};
use service::erasure::caught_up;
use uuid::Uuid;

use crate::domain::certificate::Rejection;
use crate::error::Error;
use crate::handle::{Asked, Handle};
use crate::store::holders;
use crate::views::conflicts;

/// Who asks: the service itself, because of an event; as a request, where it must not happen twice.
fn asked(ids: &ReactionIds, request: Option<Uuid>) -> Asked {
    let request = request.map(|request| (request, [0; 32]));
    Asked { actor: "service:certificates".to_owned(), request, cause: Some(ids.cause()) }
}

/// What a failed command means for the event.
fn judge(error: &Error) -> ReactionError {
    if error.is_transient() {
        ReactionError::Transient(error.to_string())
    } else {
        ReactionError::Rejected(error.to_string())
    }
}

/// A record that has gone, or is this person's already, is nothing to worry about.
fn is_settled(error: &Error) -> bool {
    matches!(error, Error::NotFound | Error::Rejected(Rejection::UnknownCertificate))
}

/// What sources say of an erased person against records of others is over.
async fn forget_claims(handle: &Handle, asked: &Asked, person: Uuid) -> Result<(), ReactionError> {
    let pool = handle.log().pool();
    let stored = |error| judge(&Error::from(error));
    let Some(holder) = holders::of(pool, person).await.map_err(stored)? else { return Ok(()) };
    caught_up(handle.log(), conflicts::CONFLICTS).await?;
    let rows = conflicts::of_holder(pool, &holder).await.map_err(stored)?;
    let certificates: BTreeSet<Uuid> = rows.into_iter().map(|row| row.certificate_id).collect();
    for certificate in certificates {
        let forgotten = handle.forget_claims(asked, certificate, person, holder).await;
        forgotten.map_err(|error| judge(&error))?;
    }
    Ok(())
}
