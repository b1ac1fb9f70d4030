//! 站内消息: what each person was told, newest first.

use eventbus::{Event, View, ViewError};
use proto::notifications::v1::{Channel, NoticeQueued, NoticeQueuedInner};
use proto::types::v1::PersonalDataErased;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, PgPool, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::template::Values;

/// Name of the feed.
pub const NAME: &str = "inbox";

/// The view, and its queries. Whether a notice was read is a record of its own, beside the view.
#[derive(Debug, Clone)]
pub struct Inbox {
    pool: PgPool,
}

/// One notice, to be rendered from its template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Place in the log; newer is higher.
    pub position: i64,
    /// Id of the notice.
    pub notice: Uuid,
    /// Name of the template.
    pub template: String,
    /// Version that it was made with.
    pub version: u32,
    /// 报名号 that it is about.
    pub enrolment_number: String,
    /// What the placeholders stand for.
    pub values: Values,
    /// When it was recorded.
    pub created_at: OffsetDateTime,
    /// Whether the person has read it.
    pub read: bool,
}

impl Inbox {
    /// Over the service's own database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// At most `limit` notices of a person, older than `before`.
    pub async fn list(
        &self,
        person: Uuid,
        unread_only: bool,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Entry>, sqlx::Error> {
        let rows = sqlx::query(
            "SELECT position, notice_id, template, template_version, details, created_at, read.notice_id IS NOT NULL \
             FROM views.inbox LEFT JOIN public.notice_read AS read USING (notice_id) \
             WHERE person_id = $1 AND ($2 IS NULL OR position < $2) AND NOT ($3 AND read.notice_id IS NOT NULL) \
             ORDER BY position DESC LIMIT $4",
        )
        .bind(person)
        .bind(before)
        .bind(unread_only)
        .bind(i64::try_from(limit).expect("a page is small"))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(entry).collect()
    }

    /// How many notices of a person are not read yet.
    pub async fn unread(&self, person: Uuid) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT count(*) FROM views.inbox LEFT JOIN public.notice_read AS read USING (notice_id) \
             WHERE person_id = $1 AND read.notice_id IS NULL",
        )
        .bind(person)
        .fetch_one(&self.pool)
        .await
    }

    /// All notices of a person.
    pub async fn notices_of(&self, person: Uuid) -> Result<Vec<Uuid>, sqlx::Error> {
        let sql = "SELECT notice_id FROM views.inbox WHERE person_id = $1 ORDER BY position";
        sqlx::query_scalar(sql).bind(person).fetch_all(&self.pool).await
    }

    /// Whether a notice is one of a person's.
    pub async fn holds(&self, person: Uuid, notice: Uuid) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM views.inbox WHERE notice_id = $1 AND person_id = $2)")
            .bind(notice)
            .bind(person)
            .fetch_one(&self.pool)
            .await
    }
}

fn entry(row: &PgRow) -> Result<Entry, sqlx::Error> {
    let details: &[u8] = row.try_get(4)?;
    let details = <NoticeQueuedInner as prost::Message>::decode(details).map_err(sqlx::Error::decode)?;
    Ok(Entry {
        position: row.try_get(0)?,
        notice: row.try_get(1)?,
        template: row.try_get(2)?,
        version: u32::try_from(row.try_get::<i32, _>(3)?).map_err(sqlx::Error::decode)?,
        enrolment_number: details.enrolment_number,
        values: details.values.into_iter().map(|value| (value.name, value.value)).collect(),
        created_at: row.try_get(5)?,
        read: row.try_get(6)?,
    })
}

#[eventbus::async_trait]
impl View for Inbox {
    fn name(&self) -> &'static str {
        NAME
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS inbox ( \
             notice_id uuid PRIMARY KEY, person_id uuid NOT NULL, position bigint NOT NULL, template text NOT NULL, \
             template_version integer NOT NULL, details bytea NOT NULL, created_at timestamptz NOT NULL); \
         CREATE INDEX IF NOT EXISTS inbox_by_person ON inbox (person_id, position DESC)"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["inbox"]
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        // Whoever is forgotten is forgotten with all that they were told before.
        for segment in events.chunk_by(|event, _| !event.is::<PersonalDataErased>()) {
            tell(tx, segment).await?;
            if let Some(last) = segment.last().filter(|last| last.is::<PersonalDataErased>()) {
                forget(tx, last).await?;
            }
        }
        Ok(())
    }
}

async fn forget(tx: &mut PgConnection, event: &Event) -> Result<(), ViewError> {
    let erased: PersonalDataErased = event.decode()?;
    let person = Uuid::parse_str(&erased.person_id).map_err(|_| {
        ViewError::Contradiction(format!("the confirmation at position {} names nobody", event.position))
    })?;
    sqlx::query("DELETE FROM inbox WHERE person_id = $1").bind(person).execute(tx).await?;
    Ok(())
}

async fn tell(tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
    let mut rows = Rows::default();
    for event in events.iter().filter(|event| event.is::<NoticeQueued>()) {
        let queued: NoticeQueued = event.decode()?;
        if queued.channels.contains(&Channel::Inbox.into()) {
            rows.push(event, queued)?;
        }
    }
    if !rows.notices.is_empty() {
        sqlx::query(
            "INSERT INTO inbox SELECT * FROM unnest( \
                 $1::uuid[], $2::uuid[], $3::int8[], $4::text[], $5::int4[], $6::bytea[], $7::timestamptz[])",
        )
        .bind(rows.notices)
        .bind(rows.persons)
        .bind(rows.positions)
        .bind(rows.templates)
        .bind(rows.versions)
        .bind(rows.details)
        .bind(rows.times)
        .execute(tx)
        .await?;
    }
    Ok(())
}

/// Columns of the rows of one page of events.
#[derive(Default)]
struct Rows {
    notices: Vec<Uuid>,
    persons: Vec<Uuid>,
    positions: Vec<i64>,
    templates: Vec<String>,
    versions: Vec<i32>,
    details: Vec<Vec<u8>>,
    times: Vec<OffsetDateTime>,
}

impl Rows {
    fn push(&mut self, event: &Event, queued: NoticeQueued) -> Result<(), ViewError> {
        let person = Uuid::parse_str(&queued.person_id);
        self.persons.push(person.map_err(|_| {
            ViewError::Contradiction(format!("the notice at position {} names no person", event.position))
        })?);
        self.notices.push(event.stream);
        self.positions.push(event.position);
        self.templates.push(queued.template);
        self.versions.push(queued.template_version);
        self.details.push(event.inner.to_vec());
        self.times.push(event.recorded_at);
        Ok(())
    }
}
