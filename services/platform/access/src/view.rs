//! The view of identity's events that decisions about access rest on: published keys, staff grants, restricted and erased people.

use eventbus::{Event, View, ViewError};
use proto::identity::v1::{
    AccountReinstated, AccountRestricted, PersonErased, SigningKeyPublished, StaffRoleGranted, StaffRoleRevoked,
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::root::RootPublicKey;

/// Name of the feed behind [`AuthorityView`].
pub const AUTHORITY: &str = "authority";

/// Keys, grants and erasures, each accepted only with the root key's signature; and restrictions, which give nobody anything and stand
/// in every token that was made since.
#[derive(Clone, Copy, Debug)]
pub struct AuthorityView {
    root: RootPublicKey,
}

impl AuthorityView {
    /// A view that trusts what this root key signed.
    pub fn new(root: RootPublicKey) -> Self {
        Self { root }
    }
}

#[tonic::async_trait]
impl View for AuthorityView {
    fn name(&self) -> &'static str {
        AUTHORITY
    }

    fn schema(&self) -> &'static str {
        include_str!("authority.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["authority_key", "authority_grant", "authority_restricted", "authority_erased"]
    }

    /// Accounts come and go by the million; keys, roles, restrictions and erasures are few.
    fn concerns(&self, event: &Event) -> bool {
        event.is::<SigningKeyPublished>()
            || event.is::<StaffRoleGranted>()
            || event.is::<StaffRoleRevoked>()
            || event.is::<AccountRestricted>()
            || event.is::<AccountReinstated>()
            || event.is::<PersonErased>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events {
            if event.is::<SigningKeyPublished>() {
                self.publish_key(tx, event).await?;
            } else if event.is::<StaffRoleGranted>() {
                self.grant(tx, event).await?;
            } else if event.is::<StaffRoleRevoked>() {
                self.revoke(tx, event).await?;
            } else if event.is::<AccountRestricted>() {
                restrict(tx, event).await?;
            } else if event.is::<AccountReinstated>() {
                reinstate(tx, event).await?;
            } else {
                self.erase(tx, event).await?;
            }
        }
        Ok(())
    }
}

impl AuthorityView {
    async fn publish_key(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
        let key = event.decode::<SigningKeyPublished>()?.key.unwrap_or_default();
        let time = |at: Option<prost_types::Timestamp>| {
            OffsetDateTime::from_unix_timestamp(at.unwrap_or_default().seconds).map_err(|_| contradiction(event))
        };
        if !self.root.signed_key(&key) {
            return Err(contradiction(event));
        }
        sqlx::query("INSERT INTO authority_key (key_id, public_key, not_before, not_after) VALUES ($1, $2, $3, $4)")
            .bind(&key.key_id)
            .bind(&key.public_key[..])
            .bind(time(key.not_before_time)?)
            .bind(time(key.not_after_time)?)
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn grant(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
        let granted = event.decode::<StaffRoleGranted>()?;
        if !self.root.signed_grant(&granted) {
            return Err(contradiction(event));
        }
        let scope = granted.scope.unwrap_or_default();
        let id = |text: &str| Uuid::parse_str(text).map_err(|_| contradiction(event));
        let unit = if scope.unit_id.is_empty() { None } else { Some(id(&scope.unit_id)?) };
        sqlx::query("INSERT INTO authority_grant (grant_id, person, role, division, unit) VALUES ($1, $2, $3, $4, $5)")
            .bind(id(&granted.grant_id)?)
            .bind(id(&granted.person_id)?)
            .bind(granted.role)
            .bind(scope.division)
            .bind(unit)
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn revoke(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
        let revoked = event.decode::<StaffRoleRevoked>()?;
        if !self.root.signed_revocation(&revoked) {
            return Err(contradiction(event));
        }
        sqlx::query("DELETE FROM authority_grant WHERE grant_id = $1")
            .bind(Uuid::parse_str(&revoked.grant_id).map_err(|_| contradiction(event))?)
            .execute(tx)
            .await?;
        Ok(())
    }

    async fn erase(&self, tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
        let erased = event.decode::<PersonErased>()?;
        if !self.root.signed_erasure(&erased) {
            return Err(contradiction(event));
        }
        sqlx::query("INSERT INTO authority_erased (person, erased_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(Uuid::parse_str(&erased.person_id).map_err(|_| contradiction(event))?)
            .bind(event.recorded_at)
            .execute(tx)
            .await?;
        Ok(())
    }
}

async fn restrict(tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
    sqlx::query("INSERT INTO authority_restricted (person, restricted_at) VALUES ($1, $2) ON CONFLICT DO NOTHING")
        // The stream of a person's account is the person.
        .bind(event.stream)
        .bind(event.recorded_at)
        .execute(tx)
        .await?;
    Ok(())
}

async fn reinstate(tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
    sqlx::query("DELETE FROM authority_restricted WHERE person = $1").bind(event.stream).execute(tx).await?;
    Ok(())
}

/// Unsigned or unreadable: the view halts, since it cannot know whom to trust any more.
fn contradiction(event: &Event) -> ViewError {
    ViewError::Contradiction(format!("{} at position {} is not signed by the root key", event.kind, event.position))
}
