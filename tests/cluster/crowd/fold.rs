//! What the log says of every application, folded from its events alone, and what the view's table shows, line by line.

use std::collections::BTreeMap;

use cluster::{Cluster, Service};
use prost::{Message, Name};
use proto::applications::v1 as wire;
use proto::applications::v1::{ReviewLevel, Status};
use proto::types::v1::Conclusion;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

/// Events of one page.
const PAGE: i64 = 5_000;

/// The view's rows as [`Folded::line`] has them; columns that this fold does not know of are left out.
const SHOWN: &str = "SELECT concat_ws('|', certificate_id, enrolment_number, person_id, draft_id, agency_id, point_id, school_id, \
                     stage, ordinal, status, level, conclusion, mending::text, refused::text, facts::text, version, position, \
                     (extract(epoch FROM submitted_at) * 1000000)::bigint, (extract(epoch FROM updated_at) * 1000000)::bigint) \
                     FROM views.application";

/// An application as the events leave it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    pub certificate_id: String,
    pub enrolment_number: String,
    pub person_id: String,
    draft_id: String,
    pub agency_id: String,
    pub point_id: String,
    pub school_id: String,
    pub stage: i32,
    pub ordinal: i32,
    pub status: i32,
    pub level: i32,
    pub conclusion: i32,
    mending: bool,
    refused: bool,
    facts: bool,
    pub version: i64,
    pub position: i64,
    submitted: i64,
    updated: i64,
}

impl Folded {
    /// As [`SHOWN`] has it.
    fn line(&self) -> String {
        format!(
            "{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}",
            self.certificate_id,
            self.enrolment_number,
            self.person_id,
            self.draft_id,
            self.agency_id,
            self.point_id,
            self.school_id,
            self.stage,
            self.ordinal,
            self.status,
            self.level,
            self.conclusion,
            self.mending,
            self.refused,
            self.facts,
            self.version,
            self.position,
            self.submitted,
            self.updated
        )
    }

    fn belongs_to(&mut self, form: wire::CodedPart) {
        (self.agency_id, self.point_id, self.school_id) = (form.agency_id, form.point_id, form.school_id);
        self.stage = form.stage;
    }

    fn stands(&mut self, status: Status, level: i32) {
        (self.status, self.level, self.mending, self.refused) = (status.into(), level, false, false);
        self.conclusion = 0;
    }

    fn is_to_be_mended(&mut self) {
        self.stands(Status::PendingOnlineConfirmation, 0);
        self.mending = true;
    }
}

/// All applications by 报名号.
pub type All = BTreeMap<String, Folded>;

/// How many events there are of each kind.
pub type Kinds = BTreeMap<String, usize>;

/// Reads the whole log of applications and folds it.
pub async fn fold(cluster: &Cluster) -> (All, Kinds) {
    let mut database = connect(cluster).await;
    let (mut all, mut kinds) = (All::new(), Kinds::new());
    let mut position = 0_i64;
    loop {
        let sql = "SELECT position, stream, version, type, payload, \"inner\", recorded_at FROM event_log \
                   WHERE position > $1 ORDER BY position LIMIT $2";
        let rows = sqlx::query(sql).bind(position).bind(PAGE).fetch_all(&mut database).await.unwrap();
        let Some(last) = rows.last() else { return (all, kinds) };
        position = last.get("position");
        for row in &rows {
            let event = Event {
                name: row.get::<&str, _>("type").trim_start_matches("dingzhu.applications.v1."),
                payload: row.get("payload"),
                inner: row.get("inner"),
            };
            *kinds.entry(event.name.to_owned()).or_default() += 1;
            let Some(changed) = event.apply(&mut all) else { continue };
            assert_eq!(changed.certificate_id, row.get::<Uuid, _>("stream").to_string());
            changed.version = row.get("version");
            changed.updated = micros(row.get("recorded_at"));
            if event.name == wire::ApplicationSubmitted::NAME {
                (changed.position, changed.submitted) = (row.get("position"), changed.updated);
            }
        }
    }
}

struct Event<'r> {
    name: &'r str,
    payload: &'r [u8],
    inner: &'r [u8],
}

impl Event<'_> {
    fn read<M: Message + Name + Default>(&self) -> M {
        M::decode(self.payload).unwrap()
    }

    /// The application that it changes; `None` where it belongs to none, or this fold does not know of it.
    fn apply<'a>(&self, all: &'a mut All) -> Option<&'a mut Folded> {
        // Every event of an application begins with these two.
        let wire::ApplicationWithdrawn { enrolment_number, .. } = Message::decode(self.payload).ok()?;
        if self.name == wire::ApplicationSubmitted::NAME {
            let submitted: wire::ApplicationSubmitted = self.read();
            let mut folded = Folded {
                certificate_id: submitted.certificate_id,
                enrolment_number: submitted.enrolment_number,
                person_id: submitted.person_id,
                draft_id: wire::SubmissionInner::decode(self.inner).unwrap().draft_id,
                ordinal: submitted.ordinal,
                ..Folded::default()
            };
            folded.belongs_to(submitted.form.unwrap());
            folded.stands(Status::PendingOnlineConfirmation, 0);
            assert_eq!(all.insert(enrolment_number.clone(), folded), None, "{enrolment_number} was given twice");
            return all.get_mut(&enrolment_number);
        }
        let folded = all.get_mut(&enrolment_number)?;
        match self.name {
            "ApplicationAmended" => {
                folded.belongs_to(self.read::<wire::ApplicationAmended>().form.unwrap());
                folded.stands(Status::PendingOnlineConfirmation, 0);
            }
            "ApplicationWithdrawn" => folded.stands(Status::Withdrawn, 0),
            "FactsRecorded" => folded.facts = true,
            "ApplicationConfirmed" => {
                folded.stands(Status::Confirmed, self.read::<wire::ApplicationConfirmed>().level);
            }
            "ConfirmationRefused" => {
                folded.is_to_be_mended();
                folded.refused = true;
            }
            "ApplicationReturned" => folded.is_to_be_mended(),
            "ReviewPassed" => folded.stands(Status::Confirmed, self.read::<wire::ReviewPassed>().next_level),
            "ReviewSentBack" => match self.read::<wire::ReviewSentBack>().to_level() {
                ReviewLevel::Unspecified => folded.is_to_be_mended(),
                level => folded.stands(Status::Confirmed, level.into()),
            },
            "ApplicationConcluded" => {
                folded.stands(Status::Concluded, 0);
                folded.conclusion = self.read::<wire::ApplicationConcluded>().conclusion;
            }
            "ConclusionReversed" => folded.stands(Status::Confirmed, self.read::<wire::ConclusionReversed>().level),
            "RegistrationRevoked" => folded.conclusion = Conclusion::Revoked.into(),
            "PublicityBegun"
            | "PublicityEnded"
            | "ObjectionRecorded"
            | "ObjectionSettled"
            | "CertificateNotePrinted"
            | "ReversalProposed" => {}
            _ => return None,
        }
        Some(folded)
    }
}

/// A digest of the lines in their order.
pub fn digest(lines: &[String]) -> String {
    hex::encode(Sha256::digest(lines.join("\n")))
}

/// The lines that the fold leads to, in the order of the certificates.
pub fn lines(all: &All) -> Vec<String> {
    let mut lines: Vec<String> = all.values().map(Folded::line).collect();
    lines.sort_unstable();
    lines
}

/// The lines that the view's table holds.
pub async fn shown(cluster: &Cluster) -> Vec<String> {
    let mut database = connect(cluster).await;
    let mut lines: Vec<String> = sqlx::query_scalar(SHOWN).fetch_all(&mut database).await.unwrap();
    lines.sort_unstable();
    lines
}

fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap()
}

async fn connect(cluster: &Cluster) -> PgConnection {
    let layout = cluster.layout();
    let url = layout.superuser_url(&layout.database(Service::Applications)).unwrap();
    PgConnection::connect(&url).await.unwrap()
}
