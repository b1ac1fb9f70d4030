//! Changes of drafts that others hear of: record and event in one transaction. The event is told to the log afterwards.

use std::sync::Arc;

use eventlog::Division;
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::domain::draft::{DraftEnd, DraftEvent, Step};
use crate::store::draft_events::encode;
use crate::store::drafts::{Draft, Drafts, columns};

/// A change that is written and waits for its event; dropped, nothing has happened.
#[derive(Debug)]
pub struct Changing {
    transaction: Transaction<'static, Postgres>,
    draft: Draft,
    untold: Arc<Notify>,
}

impl Changing {
    /// The draft that was written or deleted.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Makes the change, and with it the event, which the log is told of soon.
    pub async fn commit(mut self, event: &DraftEvent, actor: &str, division: Division) -> Result<(), sqlx::Error> {
        let (kind, payload) = encode(self.draft.id, event);
        // The draft's row is held: events of a draft come in the order of its changes.
        sqlx::query(
            "INSERT INTO public.untold_draft_event (draft_id, event_id, type, payload, actor, division, traceparent) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(self.draft.id)
        .bind(lifecycle::ids::random())
        .bind(kind)
        .bind(payload)
        .bind(actor)
        .bind(division.as_str())
        .bind(telemetry::current_traceparent())
        .execute(&mut *self.transaction)
        .await?;
        self.transaction.commit().await?;
        self.untold.notify_one();
        Ok(())
    }
}

/// A draft that no step of its pause has reached since: at this reminder, untouched since then, and not filed. Others may file for its
/// certificate, which is somebody else's by then.
macro_rules! idle {
    () => {
        "reminders = $1 AND greatest(updated_at, reminded_at) <= $2 AND NOT EXISTS ( \
             SELECT FROM public.event_log WHERE stream = draft.certificate_id \
             AND type = 'dingzhu.applications.v1.ApplicationSubmitted' \
             AND position(convert_to(draft.draft_id::text, 'UTF8') IN \"inner\") > 0)"
    };
}

impl Drafts {
    /// Adds a draft; `None` when the person has one for the certificate already.
    pub async fn begin_insert(&self, draft: &Draft) -> Result<Option<Changing>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let added = self.insert(&mut *transaction, draft).await?;
        Ok(added.then(|| self.changing(transaction, draft.clone())))
    }

    /// Writes the next revision over the one before it; `None` when another one stands there.
    pub async fn begin_save(&self, draft: &Draft) -> Result<Option<Changing>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if !self.save_in(&mut *transaction, draft).await? {
            return Ok(None);
        }
        Ok(Some(self.changing(transaction, draft.clone())))
    }

    /// Throws a person's draft away; `None` when there is none.
    pub async fn begin_drop(&self, draft: Uuid, person: Uuid) -> Result<Option<Changing>, sqlx::Error> {
        let sql = concat!("DELETE FROM public.draft WHERE draft_id = $1 AND person_id = $2 RETURNING ", columns!());
        self.begin(sqlx::query_as(sql).bind(draft).bind(person)).await
    }

    /// Whether a draft that a person began was thrown away because the pledge was refused; the log may not have been told of all yet.
    pub async fn pledge_was_refused(&self, draft: Uuid, person: Uuid) -> Result<bool, sqlx::Error> {
        let (kind, payload) = encode(draft, &DraftEvent::Dropped(DraftEnd::PledgeRefused));
        sqlx::query_scalar(
            "WITH told AS (SELECT type, payload FROM public.event_log WHERE stream = $1 \
                 UNION ALL SELECT type, payload FROM public.untold_draft_event WHERE draft_id = $1) \
             SELECT EXISTS (SELECT FROM told WHERE type = $2 AND payload = $3) \
                 AND EXISTS (SELECT FROM told WHERE type = 'dingzhu.applications.v1.DraftStarted' \
                     AND position(convert_to($4::text, 'UTF8') IN payload) > 0)",
        )
        .bind(draft)
        .bind(kind)
        .bind(payload)
        .bind(person)
        .fetch_one(&self.pool)
        .await
    }

    /// Drafts that have waited for a step since then, the longest first.
    pub async fn idle(&self, step: Step, since: OffsetDateTime, at_most: i64) -> Result<Vec<Uuid>, sqlx::Error> {
        let sql = concat!(
            "SELECT draft_id FROM public.draft WHERE ",
            idle!(),
            " ORDER BY greatest(updated_at, reminded_at) LIMIT $3"
        );
        let query = sqlx::query_scalar(sql).bind(step.after_reminders()).bind(since).bind(at_most);
        query.fetch_all(&self.pool).await
    }

    /// Takes a step with a draft, if it still waits for it: whoever has saved it meanwhile keeps it.
    pub async fn begin_step(
        &self,
        draft: Uuid,
        step: Step,
        since: OffsetDateTime,
        now: OffsetDateTime,
    ) -> Result<Option<Changing>, sqlx::Error> {
        let remind = concat!(
            "UPDATE public.draft SET reminders = reminders + 1, reminded_at = $4 WHERE draft_id = $3 AND ",
            idle!(),
            " RETURNING ",
            columns!()
        );
        let delete = concat!("DELETE FROM public.draft WHERE draft_id = $3 AND ", idle!(), " RETURNING ", columns!());
        match step {
            Step::Remind(_) => {
                let query = sqlx::query_as(remind).bind(step.after_reminders()).bind(since).bind(draft).bind(now);
                self.begin(query).await
            }
            Step::Delete => {
                self.begin(sqlx::query_as(delete).bind(step.after_reminders()).bind(since).bind(draft)).await
            }
        }
    }

    async fn begin(&self, query: QueryAs<'_, Postgres, Draft, PgArguments>) -> Result<Option<Changing>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let draft = query.fetch_optional(&mut *transaction).await?;
        Ok(draft.map(|draft| self.changing(transaction, draft)))
    }

    fn changing(&self, transaction: Transaction<'static, Postgres>, draft: Draft) -> Changing {
        Changing { transaction, draft, untold: Arc::clone(&self.untold) }
    }
}
