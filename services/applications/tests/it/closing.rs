//! The closing instant: two replicas on a database that stalls across it, and people who submit before, meanwhile and afterwards.

use std::time::Duration;

use applications::config::Settings;
use futures::future::join_all;
use futures::{StreamExt as _, stream};
use prost::Message as _;
use proto::applications::v1 as wire;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::drafts_client::DraftsClient;
use service::testing::{Again, Channel};
use time::OffsetDateTime;

use crate::stage::{Stage, Teacher, eventually, reason};

const BEFORE: usize = 10;
const MEANWHILE: usize = 20;
const WITH_TICKETS: usize = 6;
const AFTERWARDS: usize = 10;
/// How long before and after the closing instant the database stalls: longer together than the writer waits for its lock.
const HALF_A_STALL: Duration = Duration::from_millis(2_500);
const GRACE: Duration = Duration::from_secs(30 * 60);

/// Both replicas.
struct Replicas {
    stage: Stage,
    second: Again,
}

/// Somebody whose draft is ready.
struct Waiting {
    teacher: Teacher,
    submission: wire::SubmitApplicationRequest,
}

impl Replicas {
    async fn start() -> Self {
        let stage = Stage::start().await;
        let second = stage.running.start_again(&stage.running.settings, Settings::default()).await.unwrap();
        Self { stage, second }
    }

    /// A channel of somebody to one of them.
    fn channel(&self, teacher: &Teacher, number: usize) -> Channel {
        if number.is_multiple_of(2) {
            self.stage.running.person(teacher.person)
        } else {
            self.second.person(teacher.person)
        }
    }

    async fn prepare(&self, count: usize) -> Vec<Waiting> {
        let ready = stream::iter(0..count).map(async |_| {
            let teacher = self.stage.teacher().await;
            let submission = self.stage.submission(&teacher).await;
            Waiting { teacher, submission }
        });
        ready.buffered(8).collect().await
    }

    /// Until when a ticket of this draft admits, as one of them sees it.
    async fn ticket(&self, waiting: &Waiting, number: usize) -> i64 {
        let draft_id = waiting.submission.draft_id.clone();
        let mut drafts = DraftsClient::new(self.channel(&waiting.teacher, number));
        let taken = drafts.take_grace_ticket(wire::TakeGraceTicketRequest { draft_id }).await.unwrap();
        taken.into_inner().valid_until_time.unwrap().seconds
    }

    /// Submits at both of them in turns, all at once; gives the reasons of the refusals, empty where there is none.
    async fn submit(&self, all: &[Waiting]) -> Vec<String> {
        let submitted = all.iter().enumerate().map(|(number, waiting)| async move {
            let mut applicant = ApplicationsClient::new(self.channel(&waiting.teacher, number));
            match applicant.submit_application(waiting.submission.clone()).await {
                Ok(_) => String::new(),
                refused => reason(refused),
            }
        });
        join_all(submitted).await
    }

    /// Waits until the database's clock is past an instant.
    async fn until(&self, instant: OffsetDateTime) {
        let pool = &self.stage.running.service.ground.pool;
        eventually("the database's clock", || async {
            let now: OffsetDateTime = sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await.unwrap();
            (now >= instant).then_some(())
        })
        .await;
    }

    /// What was recorded, and when.
    async fn recorded(&self) -> Vec<(OffsetDateTime, wire::ApplicationSubmitted)> {
        let sql =
            "SELECT recorded_at, payload FROM event_log WHERE type = 'dingzhu.applications.v1.ApplicationSubmitted'";
        let rows: Vec<(OffsetDateTime, Vec<u8>)> =
            sqlx::query_as(sql).fetch_all(&self.stage.running.service.ground.pool).await.unwrap();
        rows.into_iter().map(|(at, payload)| (at, wire::ApplicationSubmitted::decode(&*payload).unwrap())).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_submission_is_recorded_at_or_after_the_closing_instant_of_a_database_that_stalls_across_it() {
    let replicas = Replicas::start().await;
    let before = replicas.prepare(BEFORE).await;
    let (meanwhile, with_tickets) = (replicas.prepare(MEANWHILE).await, replicas.prepare(WITH_TICKETS).await);
    let afterwards = replicas.prepare(AFTERWARDS).await;

    let closing = replicas.stage.close_in(15).await;
    let ends = (closing + GRACE).unix_timestamp();
    for (number, waiting) in with_tickets.iter().enumerate() {
        eventually("both replicas to know the closing instant", || async {
            (replicas.ticket(waiting, number).await == ends).then_some(())
        })
        .await;
    }
    assert!(replicas.submit(&before).await.iter().all(String::is_empty), "in time");

    replicas.until(closing - HALF_A_STALL).await;
    let mut stall = replicas.stage.running.service.ground.pool.begin().await.unwrap();
    // The lock under which every submission is recorded.
    let lock = "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(7308332183942328167)";
    sqlx::raw_sql(lock).execute(&mut *stall).await.unwrap();
    let releasing = async {
        replicas.until(closing + HALF_A_STALL).await;
        stall.rollback().await.unwrap();
    };
    let (late, admitted, ()) = tokio::join!(replicas.submit(&meanwhile), replicas.submit(&with_tickets), releasing);
    assert!(late.iter().all(|reason| reason == "WINDOW_CLOSED"), "sent in time, recorded too late: {late:?}");
    assert!(admitted.iter().all(String::is_empty), "a ticket admits within the grace: {admitted:?}");
    let refused = replicas.submit(&afterwards).await;
    assert!(refused.iter().all(|reason| reason == "WINDOW_CLOSED"), "{refused:?}");

    let recorded = replicas.recorded().await;
    let (graced, plain): (Vec<_>, Vec<_>) = recorded.iter().partition(|(_, submitted)| submitted.with_grace_ticket);
    assert_eq!((plain.len(), graced.len()), (BEFORE, WITH_TICKETS), "what was answered is what is recorded");
    assert!(plain.iter().all(|(at, _)| *at < closing));
    assert!(graced.iter().all(|(at, _)| closing <= *at && *at < closing + GRACE));
    assert!(recorded.iter().all(|(_, submitted)| submitted.window_revision == 2));
}
