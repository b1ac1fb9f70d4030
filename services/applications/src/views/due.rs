//! When each certificate was registered last, and where its newest application belongs: what due dates are computed from. A table of the
//! view of applications. Holds no person: whose a certificate is, the view of certificates says.
//!
//! Only a certificate with a conclusion that stands has a row: a first submission, of which a season brings most, writes nothing here.

mod query;

use std::collections::HashMap;

use eventbus::{Event as Published, ViewError};
use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, Row as _};
use time::Date;
use uuid::Uuid;

use super::applications::{Key, Row};
use crate::domain::calendar::{parse_date, render_date};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::form::Place;
use crate::domain::registration::{Event, Prior, Standing};
use crate::domain::values::Conclusion;
use crate::{store, wire};

pub use query::{Cycles, DueFilter, DueGroup, DueRow, DueSelection};

/// A row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    certificate: Uuid,
    /// The newest application, and where it belongs, as far as it was filed, amended or concluded since a conclusion stands.
    pub newest: Option<Newest>,
    kept: Vec<Kept>,
}

/// Where the newest application of a certificate belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// 报名号
    pub number: EnrolmentNumber,
    /// Two digits.
    pub province: String,
    /// 注册机构
    pub agency: Uuid,
    /// 确认点
    pub point: Uuid,
    /// 学校
    pub school: Uuid,
}

/// A conclusion that stands, and the application that it is of; none of what was not concluded in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kept {
    standing: Standing,
    number: Option<EnrolmentNumber>,
    /// Of what was not concluded in the record: the record of a mistyped number that it comes from.
    merged_from: Option<Uuid>,
}

impl Kept {
    fn gives_way_to(&self, later: &Prior) -> bool {
        let Standing { ordinal, conclusion, on } = self.standing;
        let prior = Prior { ordinal, conclusion, on, merged_from: self.merged_from };
        self.number.is_none() && prior.gives_way_to(later)
    }
}

impl Held {
    /// The conclusions that stand, oldest first.
    pub fn standings(&self) -> Vec<Standing> {
        self.kept.iter().map(|kept| kept.standing).collect()
    }

    fn qualified_on(&self) -> Option<Date> {
        let qualified = self.kept.iter().filter(|kept| kept.standing.conclusion == Conclusion::Qualified);
        qualified.map(|kept| kept.standing.on).max()
    }

    /// `newest` is the application that the event is of, with where it belongs now.
    fn evolve(&mut self, event: &Event, newest: Option<Newest>) {
        match event {
            Event::PriorRegistrationRecorded(prior) => {
                self.kept.retain(|kept| !kept.gives_way_to(prior));
                self.keep(Kept { standing: prior.standing(), number: None, merged_from: prior.merged_from });
            }
            Event::ApplicationSubmitted(_) | Event::ApplicationAmended(_) => self.newest = newest,
            Event::ApplicationConcluded(concluded) => {
                let (ordinal, conclusion, on) = (concluded.ordinal, concluded.conclusion, concluded.on);
                let number = Some(concluded.number);
                self.keep(Kept { standing: Standing { ordinal, conclusion, on }, number, merged_from: None });
                self.newest = newest;
            }
            Event::ConclusionReversed { number, .. } => {
                self.kept.retain(|kept| kept.number != Some(*number));
                // It lives again, whatever was filed and withdrawn since.
                self.newest = newest;
            }
            Event::RegistrationRevoked { number, on } => {
                if let Some(place) = self.kept.iter().position(|kept| kept.number == Some(*number)) {
                    let mut kept = self.kept.remove(place);
                    (kept.standing.conclusion, kept.standing.on) = (Conclusion::Revoked, *on);
                    self.keep(kept);
                }
            }
            // What was concluded under a mistyped number counts for the right certificate.
            Event::RecordMerged { .. } => self.kept.clear(),
            Event::ApplicationWithdrawn(_)
            | Event::FactsRecorded { .. }
            | Event::ApplicationConfirmed { .. }
            | Event::ConfirmationRefused { .. }
            | Event::ApplicationReturned { .. }
            | Event::ReviewPassed { .. }
            | Event::ReviewSentBack { .. }
            | Event::PublicityBegun { .. }
            | Event::PublicityEnded { .. }
            | Event::ObjectionRecorded(_)
            | Event::ObjectionSettled(_)
            | Event::CertificateNotePrinted(_)
            | Event::ReversalProposed { .. } => {}
        }
        // As if it had never had a row.
        if self.kept.is_empty() {
            self.newest = None;
        }
    }

    /// In the order of the record: by day, on the same day the register's first.
    fn keep(&mut self, kept: Kept) {
        self.kept.push(kept);
        self.kept.sort_by_key(|kept| (kept.standing.on, kept.number.is_some()));
    }
}

impl Newest {
    /// Of an application whose agency lies in this division.
    pub fn of(number: EnrolmentNumber, place: Place, division: &str) -> Self {
        let province = division.get(..2).unwrap_or_default().to_owned();
        Self { number, province, agency: place.agency, point: place.point, school: place.school }
    }
}

fn concerns(event: &Event) -> bool {
    matches!(
        event,
        Event::PriorRegistrationRecorded(_)
            | Event::RecordMerged { .. }
            | Event::ApplicationSubmitted(_)
            | Event::ApplicationAmended(_)
            | Event::ApplicationConcluded(_)
            | Event::ConclusionReversed { .. }
            | Event::RegistrationRevoked { .. }
    )
}

/// Follows these events; `applications` has those that they are of as they stand afterwards.
pub(super) async fn follow(
    tx: &mut PgConnection,
    events: &[(&Published, Event)],
    applications: &HashMap<Key, Row>,
) -> Result<(), ViewError> {
    let mut certificates: Vec<Uuid> =
        events.iter().filter(|(_, event)| concerns(event)).map(|(published, _)| published.stream).collect();
    if certificates.is_empty() {
        return Ok(());
    }
    certificates.sort_unstable();
    certificates.dedup();
    let found: Vec<Held> = sqlx::query_as("SELECT * FROM registration_due WHERE certificate_id = ANY($1)")
        .bind(&certificates)
        .fetch_all(&mut *tx)
        .await?;
    let before: HashMap<Uuid, Held> = found.into_iter().map(|held| (held.certificate, held)).collect();
    let mut held = before.clone();
    for (published, event) in events.iter().filter(|(_, event)| concerns(event)) {
        let application = event.number().and_then(|number| applications.get(&(published.stream, number)));
        let of = held.entry(published.stream);
        let of = of.or_insert_with(|| Held { certificate: published.stream, ..Held::default() });
        of.evolve(event, application.map(|row| Newest::of(row.number, row.place, published.division.as_str())));
    }
    let changed = held.into_values().filter(|held| before.get(&held.certificate) != Some(held));
    let (mut kept, over): (Vec<Held>, Vec<Held>) = changed.partition(|held| !held.kept.is_empty());
    let over: Vec<Uuid> =
        over.iter().map(|held| held.certificate).filter(|certificate| before.contains_key(certificate)).collect();
    if !over.is_empty() {
        let sql = "DELETE FROM registration_due WHERE certificate_id = ANY($1)";
        sqlx::query(sql).bind(over).execute(&mut *tx).await?;
    }
    kept.sort_unstable_by_key(|held| held.certificate);
    save(tx, &kept).await
}

async fn save(tx: &mut PgConnection, rows: &[Held]) -> Result<(), ViewError> {
    if rows.is_empty() {
        return Ok(());
    }
    let newest = |pick: fn(&Newest) -> Uuid| -> Vec<Option<Uuid>> {
        rows.iter().map(|held| held.newest.as_ref().map(pick)).collect()
    };
    let text = |pick: fn(&Newest) -> &str| -> Vec<Option<&str>> {
        rows.iter().map(|held| held.newest.as_ref().map(pick)).collect()
    };
    // Postgres has no arrays of arrays of unequal length: the lists travel as text.
    let standings: Vec<String> =
        rows.iter().map(|held| held.kept.iter().map(render).collect::<Vec<_>>().join(",")).collect();
    sqlx::query(
        "INSERT INTO registration_due (certificate_id, enrolment_number, province, agency_id, point_id, school_id, \
             standings, qualified_on) \
         SELECT id, number, province, agency, point, school, \
             coalesce(string_to_array(nullif(standings, ''), ','), '{}'), qualified_on \
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::date[]) \
             AS held (id, number, province, agency, point, school, standings, qualified_on) \
         ON CONFLICT (certificate_id) DO UPDATE SET enrolment_number = excluded.enrolment_number, \
             province = excluded.province, agency_id = excluded.agency_id, point_id = excluded.point_id, \
             school_id = excluded.school_id, standings = excluded.standings, qualified_on = excluded.qualified_on",
    )
    .bind(rows.iter().map(|held| held.certificate).collect::<Vec<_>>())
    .bind(text(|newest| newest.number.as_str()))
    .bind(text(|newest| &newest.province))
    .bind(newest(|newest| newest.agency))
    .bind(newest(|newest| newest.point))
    .bind(newest(|newest| newest.school))
    .bind(standings)
    .bind(rows.iter().map(Held::qualified_on).collect::<Vec<_>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// As it stands in the column `standings`.
fn render(kept: &Kept) -> String {
    let Standing { ordinal, conclusion, on } = kept.standing;
    let number = kept.number.map(|number| number.to_string()).unwrap_or_default();
    let merged_from = kept.merged_from.map(|from| format!("/{from}")).unwrap_or_default();
    format!("{}/{ordinal}/{}/{number}{merged_from}", render_date(on), i32::from(wire::conclusion(conclusion)))
}

fn parse(text: &str) -> Option<Kept> {
    let mut parts = text.split('/');
    let on = parse_date(parts.next()?)?;
    let ordinal = parts.next()?.parse().ok()?;
    let conclusion = wire::parse_conclusion(parts.next()?.parse().ok()?)?;
    let number = match parts.next()? {
        "" => None,
        number => Some(EnrolmentNumber::parse(number)?),
    };
    let merged_from = match parts.next() {
        None => None,
        Some(from) => Some(Uuid::try_parse(from).ok()?),
    };
    Some(Kept { standing: Standing { ordinal, conclusion, on }, number, merged_from })
}

impl FromRow<'_, PgRow> for Held {
    /// Also of a join that finds no row of the view.
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let corrupt = || sqlx::Error::Decode(Box::new(store::Corrupt { kind: "row of due dates".to_owned() }));
        let newest = match row.try_get::<Option<String>, _>("enrolment_number")? {
            None => None,
            Some(number) => Some(Newest {
                number: EnrolmentNumber::parse(&number).ok_or_else(corrupt)?,
                province: row.try_get("province")?,
                agency: row.try_get("agency_id")?,
                point: row.try_get("point_id")?,
                school: row.try_get("school_id")?,
            }),
        };
        let standings = row.try_get::<Option<Vec<String>>, _>("standings")?.unwrap_or_default();
        let kept = standings.iter().map(|text| parse(text).ok_or_else(corrupt)).collect::<Result<_, _>>()?;
        Ok(Self { certificate: row.try_get("certificate_id")?, newest, kept })
    }
}
