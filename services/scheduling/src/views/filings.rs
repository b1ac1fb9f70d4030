//! Under which window and revision each application was accepted, and with which agency it is filed: whom a change of a plan touches.

use std::collections::BTreeMap;

use eventbus::{Event, LoadError, View, ViewError};
use proto::applications::v1 as applications;
use sqlx::{PgConnection, PgPool};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::id::{AgencyId, PointId, WindowId};
use crate::domain::shanghai::SHANGHAI;
use crate::domain::slot::Slot;
use crate::domain::touch::Touch;
use crate::domain::window::Window;
use crate::store;

/// Name of the view.
pub const FILINGS: &str = "filings";

/// Fed by applications.
pub struct FilingView;

#[eventbus::async_trait]
impl View for FilingView {
    fn name(&self) -> &'static str {
        FILINGS
    }

    fn schema(&self) -> &'static str {
        include_str!("filings.sql")
    }

    fn tables(&self) -> &'static [&'static str] {
        &["filing"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<applications::ApplicationSubmitted>()
            || event.is::<applications::ApplicationAmended>()
            || event.is::<applications::ApplicationWithdrawn>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        // The last word on each application of the page: what was there before, or what was submitted in it.
        let (mut filed, mut moved, mut gone) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for event in events {
            if event.is::<applications::ApplicationSubmitted>() {
                let filing = submitted(event)?;
                filed.insert(filing.number.clone(), filing);
            } else if event.is::<applications::ApplicationAmended>() {
                let applications::ApplicationAmended { enrolment_number, form, .. } = event.decode()?;
                let agency = agency(event, form)?;
                if let Some(filing) = filed.get_mut(&enrolment_number) {
                    filing.agency = agency;
                } else {
                    moved.insert(enrolment_number, agency);
                }
            } else if event.is::<applications::ApplicationWithdrawn>() {
                let applications::ApplicationWithdrawn { enrolment_number, .. } = event.decode()?;
                filed.remove(&enrolment_number);
                gone.push(enrolment_number);
            }
        }
        insert(tx, filed.into_values().collect()).await?;
        sqlx::query(
            "UPDATE filing SET agency_id = moved.agency_id \
             FROM unnest($1::text[], $2::uuid[]) AS moved (enrolment_number, agency_id) \
             WHERE filing.enrolment_number = moved.enrolment_number",
        )
        .bind(moved.keys().cloned().collect::<Vec<_>>())
        .bind(moved.values().map(|agency| agency.0).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await?;
        sqlx::query("DELETE FROM filing WHERE enrolment_number = ANY($1)").bind(gone).execute(tx).await?;
        Ok(())
    }
}

fn submitted(event: &Event) -> Result<Filing, ViewError> {
    let submitted: applications::ApplicationSubmitted = event.decode()?;
    Ok(Filing {
        agency: agency(event, submitted.form)?,
        number: submitted.enrolment_number,
        window: WindowId(id(event, &submitted.window_id)?),
        revision: submitted.window_revision,
        position: event.position,
        submitted_at: event.recorded_at,
    })
}

fn agency(event: &Event, form: Option<applications::CodedPart>) -> Result<AgencyId, ViewError> {
    Ok(AgencyId(id(event, &form.unwrap_or_default().agency_id)?))
}

fn id(event: &Event, text: &str) -> Result<Uuid, ViewError> {
    let incomplete =
        |_| ViewError::Contradiction(format!("{} at position {} is incomplete", event.kind, event.position));
    Uuid::parse_str(text).map_err(incomplete)
}

async fn insert(tx: &mut PgConnection, filed: Vec<Filing>) -> Result<(), sqlx::Error> {
    if filed.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "INSERT INTO filing (enrolment_number, agency_id, window_id, window_revision, position, submitted_at) \
         SELECT * FROM unnest($1::text[], $2::uuid[], $3::uuid[], $4::integer[], $5::bigint[], $6::timestamptz[])",
    )
    .bind(filed.iter().map(|filing| filing.number.clone()).collect::<Vec<_>>())
    .bind(filed.iter().map(|filing| filing.agency.0).collect::<Vec<_>>())
    .bind(filed.iter().map(|filing| filing.window.0).collect::<Vec<_>>())
    .bind(filed.iter().map(|filing| filing.revision).collect::<Vec<_>>())
    .bind(filed.iter().map(|filing| filing.position).collect::<Vec<_>>())
    .bind(filed.iter().map(|filing| filing.submitted_at).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// An application that stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    /// 报名号
    pub number: String,
    /// Where it is filed by now.
    pub agency: AgencyId,
    /// Under which it was accepted.
    pub window: WindowId,
    /// Of the window.
    pub revision: i32,
    /// Of the submission, in the log of applications.
    pub position: i64,
    /// When it was recorded.
    pub submitted_at: OffsetDateTime,
}

/// How many a change touches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// In 网报待确认.
    pub applications: i64,
    /// Begun and not filed.
    pub drafts: i64,
    /// Whom both belong to, each once.
    pub people: i64,
    /// Live bookings in which nobody could confirm any more.
    pub bookings: i64,
    /// Accepted under the window as it was.
    pub superseded: i64,
}

/// Filings as the view's table holds them, with what other views know of them. Clones are the same.
#[derive(Clone, Debug)]
pub struct Filings {
    pool: PgPool,
}

impl Filings {
    /// Over the service's database.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// Counts what a change touches.
    pub async fn touched(&self, touch: &Touch, now: OffsetDateTime) -> Result<Touched, LoadError> {
        // Who may still file does so with an agency; who has filed did so under a window.
        let (filed, open, window, point): (&[AgencyId], &[AgencyId], Option<Uuid>, Option<Uuid>) = match touch {
            Touch::Nobody => return Ok(Touched::default()),
            Touch::Agencies { agencies, .. } => (agencies, agencies, None, None),
            Touch::Window { window, agency } => (&[], std::slice::from_ref(agency), Some(window.0), None),
            Touch::Opening(agency) => (&[], std::slice::from_ref(agency), None, None),
            Touch::Point { point, .. } => (&[], &[], None, Some(point.0)),
        };
        let ids = |agencies: &[AgencyId]| agencies.iter().map(|agency| agency.0).collect::<Vec<_>>();
        let (applications, drafts, people): (i64, i64, i64) = sqlx::query_as(
            "SELECT count(*) FILTER (WHERE is_filed), count(*) FILTER (WHERE NOT is_filed), \
                 count(DISTINCT person_id) FILTER (WHERE person_id <> $5) \
             FROM (SELECT person_id, true AS is_filed FROM filing JOIN application USING (enrolment_number) \
                   WHERE pending AND (filing.agency_id = ANY($1) OR filing.window_id = $3 OR application.point_id = $4) \
                   UNION ALL SELECT person_id, false FROM draft WHERE agency_id = ANY($2) OR point_id = $4) AS touched",
        )
        .bind(ids(filed))
        .bind(ids(open))
        .bind(window)
        .bind(point)
        .bind(Uuid::nil())
        .fetch_one(&self.pool)
        .await?;
        let superseded = sqlx::query_scalar("SELECT count(*) FROM filing WHERE window_id = $1");
        let superseded = superseded.bind(window).fetch_one(&self.pool).await?;
        Ok(Touched { applications, drafts, people, bookings: self.barred(touch, now).await?, superseded })
    }

    /// Live bookings of slots that are not over and that a change bars.
    async fn barred(&self, touch: &Touch, now: OffsetDateTime) -> Result<i64, LoadError> {
        let rows: Vec<(Uuid, Date, i32, i64)> = sqlx::query_as(
            "SELECT point_id, date, half_day, count(*) FROM slot_booking \
             WHERE point_id = ANY($1) AND date >= $2 AND NOT no_show GROUP BY point_id, date, half_day",
        )
        .bind(touch.points().iter().map(|point| point.0).collect::<Vec<_>>())
        .bind(now.to_offset(SHANGHAI).date())
        .fetch_all(&self.pool)
        .await?;
        let mut barred = 0;
        for (point, date, half, count) in rows {
            let half = store::read_half_day(half).ok_or("the view holds an unknown half-day")?;
            let slot = Slot { point: PointId(point), date, half };
            if now < slot.ends_at() && touch.bars(&slot) {
                barred += count;
            }
        }
        Ok(barred)
    }

    /// Those that were accepted under an earlier revision of these windows, after a place: first those that were recorded when the window
    /// was over as it is by now, the newest first, then the others.
    pub async fn superseded(
        &self,
        windows: &BTreeMap<WindowId, Window>,
        (after_end, before): (bool, i64),
        at_most: usize,
    ) -> Result<Vec<(bool, Filing)>, LoadError> {
        let rows: Vec<(bool, String, Uuid, Uuid, i32, i64, OffsetDateTime)> = sqlx::query_as(
            "SELECT * FROM (SELECT submitted_at >= known.ends AS after_end, enrolment_number, agency_id, filing.window_id, \
                     window_revision, position, submitted_at \
                 FROM filing JOIN unnest($1::uuid[], $2::integer[], $3::timestamptz[]) AS known (window_id, revision, ends) \
                     ON filing.window_id = known.window_id AND filing.window_revision < known.revision) AS superseded \
             WHERE (after_end, position) < ($4, $5) ORDER BY after_end DESC, position DESC LIMIT $6",
        )
        .bind(windows.keys().map(|window| window.0).collect::<Vec<_>>())
        .bind(windows.values().map(|window| window.revision.cast_signed()).collect::<Vec<_>>())
        .bind(windows.values().map(|window| window.end).collect::<Vec<_>>())
        .bind(after_end)
        .bind(before)
        .bind(i64::try_from(at_most)?)
        .fetch_all(&self.pool)
        .await?;
        let filing = |(after_end, number, agency, window, revision, position, submitted_at)| {
            let (agency, window) = (AgencyId(agency), WindowId(window));
            (after_end, Filing { number, agency, window, revision, position, submitted_at })
        };
        Ok(rows.into_iter().map(filing).collect())
    }
}
