//! Changes of drafts that others hear of: record and event in one transaction, whose append comes last.

use eventlog::{Append, AppendError, Division, EventLog};
use sqlx::postgres::PgArguments;
use sqlx::query::QueryAs;
use sqlx::{Postgres, Transaction};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::draft::{DraftEvent, Step};
use crate::store::draft_events::new_event;
use crate::store::drafts::{Draft, Drafts, columns};

/// A change that is written and waits for its event; dropped, nothing has happened.
#[derive(Debug)]
pub struct Changing {
    transaction: Transaction<'static, Postgres>,
    draft: Draft,
    /// Events of the draft so far. Whoever writes one holds the draft's row, so that they do not meet.
    told: i64,
}

impl Changing {
    /// The draft that was written or deleted.
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Records the event, and with it the change.
    pub async fn record(
        self,
        log: &EventLog,
        event: DraftEvent,
        actor: String,
        division: Division,
    ) -> Result<(), AppendError> {
        let Self { transaction, draft: Draft { id, certificate, person, .. }, told } = self;
        let started = DraftEvent::Started { certificate, person };
        // A draft from before there were events is told of with its first one.
        let untold = (told == 0 && event != started).then_some(started);
        let append = Append {
            stream: id,
            expected_version: told,
            events: untold.iter().chain([&event]).map(|event| new_event(id, event, division)).collect(),
            actor,
            request: None,
            claims: Vec::new(),
            not_after: None,
            traceparent: telemetry::current_traceparent(),
            cause: None,
        };
        Box::pin(log.append_in(transaction, append)).await.map(drop)
    }
}

/// A draft that no step of its pause has reached since: at this reminder, untouched since then, and not filed.
macro_rules! idle {
    () => {
        "reminders = $1 AND greatest(updated_at, reminded_at) <= $2 AND NOT EXISTS ( \
             SELECT FROM public.event_log WHERE stream = draft.certificate_id AND recorded_at > draft.updated_at \
             AND type = 'dingzhu.applications.v1.ApplicationSubmitted')"
    };
}

impl Drafts {
    /// Adds a draft; `None` when the person has one for the certificate already.
    pub async fn begin_insert(&self, draft: &Draft) -> Result<Option<Changing>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let added = self.insert(&mut *transaction, draft).await?;
        Ok(added.then(|| Changing { transaction, draft: draft.clone(), told: 0 }))
    }

    /// Writes the next revision over the one before it; `None` when another one stands there.
    pub async fn begin_save(&self, draft: &Draft) -> Result<Option<Changing>, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if !self.save_in(&mut *transaction, draft).await? {
            return Ok(None);
        }
        Ok(Some(changing(transaction, draft.clone()).await?))
    }

    /// Throws a person's draft away; `None` when there is none.
    pub async fn begin_drop(&self, draft: Uuid, person: Uuid) -> Result<Option<Changing>, sqlx::Error> {
        let sql = concat!("DELETE FROM public.draft WHERE draft_id = $1 AND person_id = $2 RETURNING ", columns!());
        self.begin(sqlx::query_as(sql).bind(draft).bind(person)).await
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
        match query.fetch_optional(&mut *transaction).await? {
            Some(draft) => Ok(Some(changing(transaction, draft).await?)),
            None => Ok(None),
        }
    }
}

async fn changing(mut transaction: Transaction<'static, Postgres>, draft: Draft) -> Result<Changing, sqlx::Error> {
    let sql = "SELECT coalesce(max(version), 0) FROM public.event_log WHERE stream = $1";
    let told = sqlx::query_scalar(sql).bind(draft.id).fetch_one(&mut *transaction).await?;
    Ok(Changing { transaction, draft, told })
}
