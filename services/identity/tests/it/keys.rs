//! `Keys`, and the key ring behind it, by several replicas and over months.

use std::time::Duration as StdDuration;

use access::root::RootKey;
use cluster::database::TestDatabase;
use eventlog::EventLog;
use identity::domain::session::{Entry, Session};
use identity::error::Error;
use identity::store::keys::STREAM;
use identity::store::sessions::Kept;
use identity::tokens::Tokens;
use lifecycle::Lifecycle;
use proto::identity::v1 as api;
use proto::identity::v1::keys_client::KeysClient;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;
use vault::{MasterKey, Vault};

use crate::desk::{Desk, Teacher};

/// A database on which replicas can start.
struct Ground {
    lifecycle: Lifecycle,
    log: EventLog,
    vault: Vault,
    _database: TestDatabase,
}

impl Ground {
    async fn lay() -> Self {
        let database = TestDatabase::create().await.unwrap();
        let lifecycle = Lifecycle::new(StdDuration::from_secs(5));
        let log = eventlog::testing::start(&database.url(), &lifecycle).await.unwrap();
        let vault = Vault::new(log.pool().clone(), MasterKey::parse(&"0f".repeat(32)).unwrap());
        vault.migrate().await.unwrap();
        Self { lifecycle, log, vault, _database: database }
    }

    /// A replica with a writer of its own.
    async fn replica(&self) -> Tokens {
        let log =
            EventLog::start(self.log.pool().clone(), eventlog::Settings::default(), &self.lifecycle).await.unwrap();
        Tokens::open(log, self.vault.clone(), RootKey::from_seed([1; 32])).await.unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

fn token(tokens: &Tokens, now: OffsetDateTime) -> Result<String, Error> {
    let session = Kept {
        id: Uuid::from_u128(2),
        person: Uuid::from_u128(1),
        entry: Entry::Registration,
        session: Session::begin(now),
        by_code: true,
        passed: false,
        ended: false,
        spent: false,
    };
    tokens.issue(&session, (true, false), now).map(|access| access.token)
}

#[tokio::test]
async fn the_first_start_publishes_one_key_that_the_root_key_signed() {
    let desk = Desk::open().await;
    let mut keys = KeysClient::new(desk.identity.anyone());
    let keys = keys.list_signing_keys(api::ListSigningKeysRequest {}).await.unwrap().into_inner().keys;
    assert_eq!(keys.len(), 1);
    assert!(service::testing::root_key().public().signed_key(&keys[0]));
    assert_eq!(desk.head().await, 1);
}

#[tokio::test]
async fn replicas_that_start_at_once_agree_on_one_key_and_sign_alike() {
    let ground = Ground::lay().await;
    let replicas = futures::future::join_all((0..6).map(|_| ground.replica())).await;
    let now = lifecycle::clock::now();
    assert_eq!(ground.log.load(STREAM).await.unwrap().len(), 1, "one key for all");
    for replica in &replicas {
        assert_eq!(replica.published(now), replicas[0].published(now));
        assert_eq!(token(replica, now).unwrap(), token(&replicas[0], now).unwrap(), "Ed25519 signs alike");
    }
}

#[tokio::test]
async fn a_key_is_followed_by_the_next_one_that_was_published_before() {
    let ground = Ground::lay().await;
    let (one, other) = (ground.replica().await, ground.replica().await);
    let start = lifecycle::clock::now();
    let first = one.published(start);

    let ahead = start + Duration::days(29);
    one.refresh(ahead).await.unwrap();
    other.refresh(ahead).await.unwrap();
    assert_eq!(one.published(ahead).len(), 2);
    assert_eq!(one.published(ahead), other.published(ahead));
    assert_eq!(one.published(ahead)[0], first[0]);

    // Whoever has heard of the next key goes on with it at the change, though nobody looks at the log then.
    let change = start + Duration::days(30);
    assert_ne!(token(&one, change - Duration::HOUR).unwrap(), token(&one, change + Duration::SECOND).unwrap());
    assert_eq!(one.published(change).len(), 2, "the last tokens of the first key are alive");

    let over = change + Duration::HOUR;
    one.refresh(over).await.unwrap();
    assert_eq!(one.published(over).len(), 1);
    let destroyed: i64 = sqlx::query_scalar("SELECT count(*) FROM person_key WHERE person = $1 AND wrapped IS NULL")
        .bind(first[0].key_id.parse::<Uuid>().unwrap())
        .fetch_one(ground.log.pool())
        .await
        .unwrap();
    assert_eq!(destroyed, 1, "its private half can be read by nobody any more");
}

#[tokio::test]
async fn after_a_downtime_of_weeks_nothing_is_signed_with_a_key_that_nobody_knows_yet() {
    let ground = Ground::lay().await;
    let (one, unaware) = (ground.replica().await, ground.replica().await);
    let woken = lifecycle::clock::now() + Duration::days(40);
    let first = one.published(woken);
    one.refresh(woken).await.unwrap();
    let published = one.published(woken);
    assert_eq!((published.len(), &published[0]), (2, &first[0]));
    let begins = published[1].not_before_time.unwrap().seconds;
    assert!(begins >= woken.unix_timestamp() + 24 * 3600, "it is out for a day before");
    // Who knows the first key only can read what is signed until then, and not what is signed later.
    let soon = woken + Duration::hours(23);
    assert_eq!(token(&one, soon).unwrap(), token(&unaware, soon).unwrap());
    let later = woken + Duration::hours(25);
    assert_ne!(token(&one, later).unwrap(), token(&unaware, later).unwrap());
    one.refresh(later).await.unwrap();
    assert_eq!(one.published(later), published[1..], "the first key's last token has ended");
}

#[tokio::test]
async fn without_a_key_nobody_is_signed_in() {
    let ground = Ground::lay().await;
    let replica = ground.replica().await;
    let much_later = lifecycle::clock::now() + Duration::days(61);
    assert!(matches!(token(&replica, much_later), Err(Error::NoSigningKey)));
}

#[tokio::test]
async fn a_token_of_another_replica_is_accepted() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let other = desk.handle().await;
    let attempt = desk.start_sign_in(&teacher).await;
    let signed_in = other.complete_sign_in(attempt.attempt_id.parse().unwrap(), &attempt.code).await.unwrap();
    desk.profiles(&signed_in.tokens.access.token).get_profile(api::GetProfileRequest {}).await.unwrap();
}
