//! Drafts: plain rows with an optimistic revision, the personal part sealed under the person's key.

use std::sync::Arc;

use prost::Message as _;
use proto::applications::v1 as wire;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgExecutor, PgPool, Row as _};
use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;
use vault::{PersonKey, binding};

use crate::domain::form::{Coded, Personal};
use crate::domain::opening::GraceTicket;
use crate::domain::text::TextRef;
use crate::store::Corrupt;
use crate::views::applications::APPLICATIONS;
use crate::wire as values;

/// Filed drafts, or events that are looked through for them, in one statement, so that none holds locks for long.
const CLOSED_AT_ONCE: i64 = 5_000;

/// A draft as it is stored.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Random id.
    pub id: Uuid,
    /// Whose.
    pub person: Uuid,
    /// For which certificate.
    pub certificate: Uuid,
    /// Rises with each saving.
    pub revision: i32,
    /// The coded part, as far as filled in.
    pub coded: Coded,
    /// The rest, sealed.
    pub sealed: Vec<u8>,
    /// 协议, once agreed to.
    pub agreement: Option<TextRef>,
    /// A ticket for the time after the end of a window.
    pub ticket: Option<GraceTicket>,
    /// Last change.
    pub updated_at: OffsetDateTime,
}

/// What came of closing filed drafts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// How many there were.
    pub drafts: i64,
    /// Up to where the log's submissions have none any more; `None` while there may be others.
    pub up_to: Option<i64>,
    /// More may wait.
    pub more: bool,
}

/// What is sealed in a draft and, unchanged, in the submission made from it.
#[derive(Debug, Clone, Default)]
pub struct Secret {
    /// What the person filled in.
    pub personal: Personal,
    /// Name, number and certificate as they were when the draft was started.
    pub applicant: wire::Applicant,
    /// 签发日期
    pub certificate_issue_date: String,
    /// Of the account.
    pub account_mobile: String,
    /// Of the account.
    pub account_email: String,
}

impl Secret {
    /// As it is sealed.
    pub fn encode(&self) -> Vec<u8> {
        let message = wire::SealedForm {
            personal: Some(values::personal(self.personal.clone())),
            applicant: Some(self.applicant.clone()),
            certificate_issue_date: self.certificate_issue_date.clone(),
            account_mobile: self.account_mobile.clone(),
            account_email: self.account_email.clone(),
        };
        message.encode_to_vec()
    }

    /// Reads it back.
    pub fn decode(plain: &[u8]) -> Result<Self, Corrupt> {
        let message = wire::SealedForm::decode(plain).map_err(|_| corrupt())?;
        Ok(Self {
            personal: values::parse_personal(message.personal.unwrap_or_default()),
            applicant: message.applicant.unwrap_or_default(),
            certificate_issue_date: message.certificate_issue_date,
            account_mobile: message.account_mobile,
            account_email: message.account_email,
        })
    }
}

/// Bytes that open only as this revision of this draft.
pub fn seal(key: &PersonKey, draft: Uuid, certificate: Uuid, revision: i32, plain: &[u8]) -> Vec<u8> {
    key.seal(plain, &binding(draft, certificate, i64::from(revision)))
}

impl Draft {
    /// Opens the sealed part.
    pub fn open(&self, key: &PersonKey) -> Result<Vec<u8>, Corrupt> {
        let bound_to = binding(self.id, self.certificate, i64::from(self.revision));
        key.open(&self.sealed, &bound_to).map(|plain| plain.to_vec()).ok_or_else(corrupt)
    }
}

fn corrupt() -> Corrupt {
    Corrupt { kind: "draft".to_owned() }
}

/// What a [`Draft`] is read from.
macro_rules! columns {
    () => {
        "draft_id, person_id, certificate_id, revision, coded, sealed, agreement_version, agreement_digest, \
         ticket_window, updated_at"
    };
}
pub(super) use columns;

/// Deletes the drafts of a source of which the view of applications has one that was filed; how many were found, and how many deleted,
/// which others may have done.
macro_rules! close {
    ($source:literal, $rest:literal) => {
        concat!(
            "WITH found AS MATERIALIZED (SELECT draft.draft_id FROM ",
            $source,
            " JOIN views.application AS filed ON filed.person_id = draft.person_id AND filed.draft_id = draft.draft_id ",
            $rest,
            "), closed AS (DELETE FROM public.draft USING found WHERE draft.draft_id = found.draft_id RETURNING 1) \
             SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM closed)"
        )
    };
}

macro_rules! draft {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), " FROM public.draft ", $rest)
    };
}

impl FromRow<'_, PgRow> for Draft {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let coded: &[u8] = row.try_get("coded")?;
        let coded = wire::CodedPart::decode(coded).ok().and_then(|coded| values::parse_coded(coded).ok());
        let agreement = match (row.try_get::<Option<i32>, _>("agreement_version")?, row.try_get("agreement_digest")?) {
            (Some(version), Some(digest)) => u32::try_from(version).ok().map(|version| TextRef { version, digest }),
            _ => None,
        };
        Ok(Self {
            id: row.try_get("draft_id")?,
            person: row.try_get("person_id")?,
            certificate: row.try_get("certificate_id")?,
            revision: row.try_get("revision")?,
            coded: coded.ok_or_else(|| sqlx::Error::Decode(Box::new(corrupt())))?,
            sealed: row.try_get("sealed")?,
            agreement,
            ticket: row.try_get::<Option<Uuid>, _>("ticket_window")?.map(|window| GraceTicket { window }),
            updated_at: row.try_get("updated_at")?,
        })
    }
}

/// The table of drafts.
#[derive(Debug, Clone)]
pub struct Drafts {
    pub(super) pool: PgPool,
    /// Something has happened to a draft that the log is to be told of.
    pub(super) untold: Arc<Notify>,
}

impl Drafts {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, untold: Arc::default() }
    }

    /// A person's draft.
    pub async fn find(&self, draft: Uuid, person: Uuid) -> Result<Option<Draft>, sqlx::Error> {
        let query = sqlx::query_as(draft!("WHERE draft_id = $1 AND person_id = $2"));
        query.bind(draft).bind(person).fetch_optional(&self.pool).await
    }

    /// A person's draft for a certificate.
    pub async fn find_for(&self, person: Uuid, certificate: Uuid) -> Result<Option<Draft>, sqlx::Error> {
        let query = sqlx::query_as(draft!("WHERE person_id = $1 AND certificate_id = $2"));
        query.bind(person).bind(certificate).fetch_optional(&self.pool).await
    }

    /// All drafts of a person, newest first.
    pub async fn of_person(&self, person: Uuid) -> Result<Vec<Draft>, sqlx::Error> {
        let query = sqlx::query_as(draft!("WHERE person_id = $1 ORDER BY updated_at DESC, draft_id"));
        query.bind(person).fetch_all(&self.pool).await
    }

    /// Adds a draft; false when the person has one for the certificate already.
    pub(super) async fn insert(&self, on: impl PgExecutor<'_>, draft: &Draft) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "INSERT INTO public.draft (draft_id, person_id, certificate_id, revision, coded, sealed, school_id, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(draft.id)
        .bind(draft.person)
        .bind(draft.certificate)
        .bind(draft.revision)
        .bind(values::coded(draft.coded.clone()).encode_to_vec())
        .bind(&draft.sealed)
        .bind(draft.coded.school)
        .bind(draft.updated_at)
        .execute(on)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes the next revision over the one before it; false when another one stands there.
    pub async fn save(&self, draft: &Draft) -> Result<bool, sqlx::Error> {
        self.save_in(&self.pool, draft).await
    }

    /// … in a transaction.
    pub(super) async fn save_in(&self, on: impl PgExecutor<'_>, draft: &Draft) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "UPDATE public.draft SET revision = $3, coded = $4, sealed = $5, school_id = $6, updated_at = $7, \
                 reminders = 0, reminded_at = NULL \
             WHERE draft_id = $1 AND person_id = $2 AND revision = $3 - 1",
        )
        .bind(draft.id)
        .bind(draft.person)
        .bind(draft.revision)
        .bind(values::coded(draft.coded.clone()).encode_to_vec())
        .bind(&draft.sealed)
        .bind(draft.coded.school)
        .bind(draft.updated_at)
        .execute(on)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Notes which agreement was agreed to; the draft's revision, `None` where there is no such draft.
    pub async fn accept(
        &self,
        draft: Uuid,
        person: Uuid,
        text: &TextRef,
        at: OffsetDateTime,
    ) -> Result<Option<i32>, sqlx::Error> {
        let sql = "UPDATE public.draft SET agreement_version = $3, agreement_digest = $4, updated_at = $5, \
                       reminders = 0, reminded_at = NULL \
                   WHERE draft_id = $1 AND person_id = $2 RETURNING revision";
        let version = i32::try_from(text.version).unwrap_or(i32::MAX);
        let query = sqlx::query_scalar(sql).bind(draft).bind(person).bind(version).bind(&text.digest).bind(at);
        query.fetch_optional(&self.pool).await
    }

    /// Notes a ticket, if PostgreSQL's clock is still before the end of the window; one that is there stays.
    pub async fn take_ticket(
        &self,
        draft: Uuid,
        person: Uuid,
        window: Uuid,
        end: OffsetDateTime,
    ) -> Result<bool, sqlx::Error> {
        let done = sqlx::query(
            "UPDATE public.draft SET ticket_window = $3, \
                 ticket_at = CASE WHEN ticket_window = $3 THEN ticket_at ELSE clock_timestamp() END \
             WHERE draft_id = $1 AND person_id = $2 AND (ticket_window = $3 OR clock_timestamp() < $4)",
        )
        .bind(draft)
        .bind(person)
        .bind(window)
        .bind(end)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Removes a draft that was filed, which its application has told of.
    pub async fn remove_filed(&self, draft: Uuid) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM public.draft WHERE draft_id = $1").bind(draft).execute(&self.pool).await.map(drop)
    }

    /// Deletes drafts that the view of applications knows to be filed: of all there are, or of those whose submission the log has
    /// behind a place.
    pub async fn close_filed(&self, behind: Option<i64>) -> Result<Closed, sqlx::Error> {
        // Read before: whatever is filed up to there is found in the view.
        let known = "SELECT position FROM public.feed_checkpoint WHERE name = $1";
        let known: i64 = sqlx::query_scalar(known).bind(APPLICATIONS).fetch_one(&self.pool).await?;
        let Some(behind) = behind else {
            let query = sqlx::query_as(close!("public.draft", "LIMIT $1")).bind(CLOSED_AT_ONCE);
            let (found, drafts): (i64, i64) = query.fetch_one(&self.pool).await?;
            let more = found == CLOSED_AT_ONCE;
            return Ok(Closed { drafts, up_to: (!more).then_some(known), more });
        };
        if known < behind {
            // The log is another one than it was.
            return Ok(Closed { drafts: 0, up_to: None, more: true });
        }
        let up_to = known.min(behind + CLOSED_AT_ONCE);
        if up_to == behind {
            return Ok(Closed { drafts: 0, up_to: Some(behind), more: false });
        }
        let query = sqlx::query_as(close!(
            "public.event_log AS event JOIN public.draft ON draft.certificate_id = event.stream",
            "WHERE event.position > $1 AND event.position <= $2 \
             AND event.type = 'dingzhu.applications.v1.ApplicationSubmitted'"
        ));
        let (_, drafts): (i64, i64) = query.bind(behind).bind(up_to).fetch_one(&self.pool).await?;
        Ok(Closed { drafts, up_to: Some(up_to), more: up_to < known })
    }
}
