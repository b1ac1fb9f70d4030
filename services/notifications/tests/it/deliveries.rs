//! Delivery records: leases that exclude each other, run out and are lost; people whose address is not to be had.

use std::collections::HashSet;
use std::time::Duration;

use cluster::wait;
use notifications::domain::channel::Channel;
use notifications::domain::notice::Failure;
use notifications::handle::{Handle, Outcome};
use notifications::store::{DeliveryState, Store};
use proto::notifications::v1 as api;
use proto::notifications::v1::ListDeliveriesRequest;
use tonic::Code;
use uuid::Uuid;

use crate::stage::{DEADLINE, NUMBER, Stage, person, settings};

const LONG: Duration = Duration::from_secs(600);

/// The records alone, with this many due deliveries; nobody delivers them.
async fn records(count: usize) -> (cluster::database::TestDatabase, Store, sqlx::PgPool) {
    let database = cluster::database::TestDatabase::create().await.unwrap();
    let pool = eventlog::pool(&database.url(), "test", 12).unwrap();
    let mut connection = pool.acquire().await.unwrap();
    <notifications::Notifications as service::Service>::migrations().run(&mut *connection).await.unwrap();
    drop(connection);
    let store = Store::new(pool.clone());
    for _ in 0..count {
        let mail = [(Channel::Mail, DeliveryState::Queued)];
        store.begin_deliveries(lifecycle::ids::random(), &mail).await.unwrap().commit().await.unwrap();
    }
    (database, store, pool)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_in_one_hand_at_a_time() {
    let (_database, store, _) = records(100).await;
    let takers = (0..8).map(|_| {
        let store = store.clone();
        async move {
            let mut taken = Vec::new();
            loop {
                let leases = store.lease_deliveries(5, LONG, lifecycle::ids::random()).await.unwrap();
                if leases.is_empty() {
                    return taken;
                }
                taken.extend(leases.iter().map(|lease| lease.notice));
            }
        }
    });
    let taken: Vec<Uuid> = futures::future::join_all(takers).await.concat();
    // Who came while another was taking the last ones may have gone away with nothing; nobody got one twice.
    let rest = store.lease_deliveries(100, LONG, lifecycle::ids::random()).await.unwrap();
    let all: Vec<_> = taken.into_iter().chain(rest.iter().map(|lease| lease.notice)).collect();
    assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (100, 100));
}

#[tokio::test]
async fn rows_that_another_replica_is_taking_are_passed_over_without_waiting() {
    let (_database, store, pool) = records(3).await;
    let mut other = pool.begin().await.unwrap();
    sqlx::query("SELECT FROM delivery LIMIT 2 FOR UPDATE").execute(&mut *other).await.unwrap();
    let leased = store.lease_deliveries(3, LONG, lifecycle::ids::random()).await.unwrap();
    assert_eq!(leased.len(), 1);
}

#[tokio::test]
async fn a_lease_that_ran_out_is_taken_by_another_and_settles_nothing_any_more() {
    let (_database, store, _) = records(1).await;
    let late = store.lease_deliveries(1, Duration::ZERO, lifecycle::ids::random()).await.unwrap().remove(0);
    let now = store.lease_deliveries(1, LONG, lifecycle::ids::random()).await.unwrap().remove(0);
    assert_eq!((late.notice, late.attempt, now.notice, now.attempt), (now.notice, 1, now.notice, 2));

    let settlement = notifications::store::Settlement {
        state: DeliveryState::Delivered,
        masked_address: "t***@school.example",
        problem: "",
    };
    assert!(store.begin_settlement(&late, settlement).await.unwrap().is_none());
    store.postpone_delivery(&late, Duration::ZERO, "", "TOO LATE").await.unwrap();
    assert!(store.lease_deliveries(1, LONG, lifecycle::ids::random()).await.unwrap().is_empty());
    store.begin_settlement(&now, settlement).await.unwrap().unwrap().commit().await.unwrap();
    let page = store.list_deliveries(None, None, 10).await.unwrap();
    assert_eq!((page.deliveries[0].state, page.deliveries[0].attempts), (DeliveryState::Delivered, 2));
    assert_eq!(page.deliveries[0].problem, "");
}

#[tokio::test]
async fn what_was_put_off_is_not_due_before_its_time() {
    let (_database, store, _) = records(1).await;
    let lease = store.lease_deliveries(1, LONG, lifecycle::ids::random()).await.unwrap().remove(0);
    store.postpone_delivery(&lease, LONG, "", "SMTP_451").await.unwrap();
    assert!(store.lease_deliveries(1, LONG, lifecycle::ids::random()).await.unwrap().is_empty());
    store.postpone_delivery(&lease, Duration::ZERO, "", "SMTP_451").await.unwrap();
    assert_eq!(store.lease_deliveries(1, LONG, lifecycle::ids::random()).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_away_is_waited_for() {
    let stage = Stage::set(&["--delivery-first-pause-ms", "1", "--delivery-longest-pause-ms", "1"]).await;
    stage.contacts.fail(person(1), Code::Unavailable);
    stage.submit(person(1), NUMBER).await;
    // The inbox waits for nobody.
    stage.inbox_of(person(1), 1).await;
    let mut operator = stage.operator().await;
    let tried = wait::until("a try without identity", DEADLINE, async || {
        let request = ListDeliveriesRequest { state: api::DeliveryState::Queued.into(), ..Default::default() };
        let deliveries = operator.list_deliveries(request).await.unwrap().into_inner().deliveries;
        deliveries.iter().any(|delivery| delivery.problem == "IDENTITY_Unavailable").then_some(())
    });
    tried.await.unwrap();
    assert!(stage.files("mail").is_empty());
    stage.contacts.set(person(1), "13800001111", "teacher@school.example");
    let deliveries = stage.settled().await;
    assert!(deliveries.iter().all(|delivery| delivery.state == i32::from(api::DeliveryState::Delivered)));
    assert_eq!((stage.files("mail").len(), stage.files("sms").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_gone_gets_nothing_and_is_not_asked_for_again() {
    let stage = Stage::set(&[]).await;
    stage.submit(person(1), NUMBER).await;
    stage.inbox_of(person(1), 1).await;
    let deliveries = stage.settled().await;
    let failed: Vec<_> =
        deliveries.iter().filter(|delivery| delivery.state == i32::from(api::DeliveryState::Failed)).collect();
    assert_eq!(failed.len(), 2);
    assert!(failed.iter().all(|delivery| delivery.problem == "PERSON_UNKNOWN" && delivery.attempts == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_outcomes_at_once_leave_one_in_the_log() {
    // Nobody delivers before the test does: the address is not to be had.
    let stage = Stage::set(&["--delivery-first-pause-ms", "600000"]).await;
    stage.contacts.fail(person(1), Code::Unavailable);
    stage.submit(person(1), NUMBER).await;
    let notice = Uuid::parse_str(&stage.inbox_of(person(1), 1).await.notices[0].notice_id).unwrap();
    let ground = &stage.running.service.ground;
    let put_off = wait::until("both deliveries to be put off", DEADLINE, async || {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM delivery WHERE problem <> ''")
            .fetch_one(&ground.pool)
            .await
            .unwrap();
        (count == 2).then_some(())
    });
    put_off.await.unwrap();
    let folder = stage.folder.path().display().to_string();
    let handle = Handle::new(ground.log.clone(), settings(&["--mail-dir", &folder, "--sms-dir", &folder])).unwrap();
    sqlx::query("UPDATE delivery SET due_at = clock_timestamp()").execute(&ground.pool).await.unwrap();
    let store = Store::new(ground.pool.clone());
    let leases = store.lease_deliveries(2, LONG, lifecycle::ids::random()).await.unwrap();
    assert_eq!(leases.len(), 2, "the service was faster");

    let (first, second) = (&leases[0], &leases[1]);
    let outcomes = tokio::join!(
        handle.settle(first, Outcome::Delivered, "a"),
        handle.settle(first, Outcome::Failed(Failure::GaveUp), "b"),
        handle.settle(second, Outcome::Delivered, "c"),
    );
    assert!(outcomes.0.is_ok() && outcomes.1.is_ok() && outcomes.2.is_ok(), "{outcomes:?}");
    let events = ground.log.load(notice).await.unwrap();
    assert_eq!(events.len(), 4, "queued, inbox, and one outcome for each of the two");
    assert!(events.iter().zip(1..).all(|(event, version)| event.version == version));
}
