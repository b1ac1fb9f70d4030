//! Append paths with one thing left out: each must be caught by the checks that the real one passes.

use std::str::FromStr as _;

use eventlog::{Append, AppendError, EventLog, Recorded, Settings};
use lifecycle::ids;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinSet;

use crate::fixture::{Fixture, anew};
use crate::history::check_chain;
use crate::order::{Appender, Record, writers_and_a_reader};
use crate::requests::three_at_once;

/// Takes positions from a sequence and holds no lock, as most event stores do.
#[derive(Clone)]
struct Unlocked(PgPool);

impl Unlocked {
    async fn new(fixture: &Fixture) -> Self {
        fixture.execute("CREATE SEQUENCE position").await;
        Self(fixture.log.pool().clone())
    }
}

impl Appender for Unlocked {
    async fn append_with_record(&self, record: Record, append: Append) -> Result<i64, AppendError> {
        let mut transaction = self.0.begin().await.unwrap();
        record.insert(&mut transaction).await;
        let sql = "INSERT INTO event_log
                   SELECT nextval('position'), 1, $1, 1, 'test.v1.Happened', '', '', '', '', $2, clock_timestamp(),
                          sha256(coalesce((SELECT hash FROM event_log ORDER BY position DESC LIMIT 1), ''))
                   RETURNING position";
        let query = sqlx::query_scalar(sql).bind(append.stream).bind(append.events[0].event_id);
        let position = query.fetch_one(&mut *transaction).await.unwrap();
        transaction.commit().await.map_err(|_| AppendError::Unavailable)?;
        Ok(position)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_without_the_lock_is_caught_by_the_reader_and_by_the_positions() {
    let fixture = Fixture::start().await;
    let (_, broken) = writers_and_a_reader(fixture.log.pool().clone(), Unlocked::new(&fixture).await).await;
    let said = |what: &str| broken.iter().any(|sentence| sentence.contains(what));
    assert!(said("the reader missed"), "{broken:?}");
    assert!(said("stands in place"), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_reads_the_head_before_the_lock_is_caught_by_the_chain() {
    let fixture = Fixture::start().await;
    let (first, second) = (anew(), anew());
    for append in [first, second] {
        fixture.log.append(append).await.unwrap();
    }
    // The third record is linked to the first, the head as it was seen before the lock.
    let events: Vec<Recorded> = fixture.log.read(0, 10).await.unwrap();
    let late = &events[1];
    let link = eventlog::Link {
        previous: &events[0].hash,
        position: 3,
        epoch: 1,
        stream: ids::random(),
        version: 1,
        kind: &late.kind,
        payload: &eventlog::digest(&late.payload),
        inner: &eventlog::digest(&late.inner),
        sealed: &eventlog::digest(&late.sealed),
        metadata: &eventlog::digest(&late.metadata_bytes),
        event_id: late.event_id,
        recorded_at: late.recorded_at,
    };
    let insert = async |hash: [u8; 32]| {
        let sql = r#"INSERT INTO event_log
                     SELECT 3, 1, $1, 1, type, payload, "inner", sealed, metadata, event_id, recorded_at, $2
                     FROM event_log WHERE position = 2"#;
        sqlx::query(sql).bind(link.stream).bind(hash).execute(fixture.log.pool()).await.unwrap();
    };
    insert(link.hash()).await;
    assert_eq!(check_chain(&fixture.log).await, vec!["the hash chain breaks at 3".to_owned()]);
}

/// 32 callers over two replicas, each with 20 commands that nothing speaks against: how many are refused all the same.
async fn good_commands_refused(fixture: &Fixture, search_path: &str) -> usize {
    let options = PgConnectOptions::from_str(&fixture.url).unwrap().options([("search_path", search_path)]);
    let start = async || {
        let pool = PgPoolOptions::new().connect_lazy_with(options.clone());
        EventLog::start(pool, Settings::default(), &fixture.lifecycle).await.unwrap()
    };
    let replicas = [start().await, start().await];
    let mut callers = JoinSet::new();
    for caller in 0..32 {
        let log = replicas[caller % 2].clone();
        callers.spawn(async move {
            let mut refused = 0;
            for _ in 0..20 {
                refused += usize::from(log.append(anew()).await.is_err());
            }
            refused
        });
    }
    callers.join_all().await.into_iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_itself_without_its_lock_is_caught() {
    let fixture = Fixture::start().await;
    // Whoever looks there first finds a function of that name that locks nothing.
    fixture.execute("CREATE FUNCTION pg_advisory_xact_lock(bigint) RETURNS void LANGUAGE sql AS ''").await;
    assert_eq!(good_commands_refused(&fixture, "pg_catalog, public").await, 0);
    assert!(good_commands_refused(&fixture, "public, pg_catalog").await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_writer_itself_without_request_memory_is_caught() {
    let fixture = Fixture::start().await;
    let forget = "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
                  CREATE TRIGGER forget BEFORE INSERT ON request FOR EACH ROW EXECUTE FUNCTION forget()";
    fixture.execute(forget).await;
    let broken = three_at_once(&fixture.log, [fixture.log.clone(), fixture.replica().await]).await;
    assert!(broken.iter().any(|sentence| sentence.contains("effects")), "{broken:?}");
}
