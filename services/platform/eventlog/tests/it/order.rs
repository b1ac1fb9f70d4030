//! Many writers with slow commits and rollbacks, and a reader that misses nothing.

use std::time::Duration;

use eventlog::{Append, AppendError, EventLog};
use lifecycle::ids;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::fixture::{Fixture, anew};
use crate::history::{Acknowledged, Broken, Reader, check, check_all, check_chain};

/// A table of records whose rows make their transaction slow to commit, or fail at the commit.
const RECORDS: &str = "
CREATE TABLE record (id uuid PRIMARY KEY, commit_ms int NOT NULL, fails boolean NOT NULL);
CREATE FUNCTION commit_slowly() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_sleep(NEW.commit_ms / 1000.0);
    IF NEW.fails THEN RAISE EXCEPTION 'refused at the commit'; END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON record DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION commit_slowly();
";

const WRITERS: u64 = 24;
const COMMANDS_PER_WRITER: u32 = 12;

/// An append path under test: the real one, or a mutant.
pub trait Appender: Clone + Send + Sync + 'static {
    /// Appends the command of an open transaction that has written a record, and commits.
    fn append_with_record(
        &self,
        record: Record,
        append: Append,
    ) -> impl Future<Output = Result<i64, AppendError>> + Send;
}

/// The record that goes with an append, and how its commit behaves.
#[derive(Clone, Copy, Debug)]
pub struct Record {
    pub id: Uuid,
    commit_ms: i32,
    fails: bool,
}

impl Record {
    pub async fn insert(&self, connection: &mut sqlx::PgConnection) {
        let query = sqlx::query("INSERT INTO record VALUES ($1, $2, $3)");
        query.bind(self.id).bind(self.commit_ms).bind(self.fails).execute(connection).await.unwrap();
    }
}

impl Appender for EventLog {
    async fn append_with_record(&self, record: Record, append: Append) -> Result<i64, AppendError> {
        let mut transaction = self.pool().begin().await.unwrap();
        record.insert(&mut transaction).await;
        self.append_in(transaction, append).await.map(|appended| appended.position)
    }
}

/// Lets 24 writers loose, a third of whose transactions come to nothing, while a reader follows.
pub async fn writers_and_a_reader(pool: PgPool, appender: impl Appender) -> (Vec<Acknowledged>, Broken) {
    sqlx::raw_sql(RECORDS).execute(&pool).await.unwrap();
    let (done, mut finished) = watch::channel(());
    let mut reader = Reader::new(pool.clone());
    let mut writers = JoinSet::new();
    for seed in 0..WRITERS {
        let (appender, pool, done) = (appender.clone(), pool.clone(), done.clone());
        writers.spawn(async move {
            let mut random = StdRng::seed_from_u64(seed);
            let mut acknowledged = Vec::new();
            for _ in 0..COMMANDS_PER_WRITER {
                let commit_ms = random.random_range(0..20);
                let fails = random.random_bool(0.15);
                let record = Record { id: ids::random(), commit_ms, fails };
                if random.random_bool(0.2) {
                    // Gives up after its records are written.
                    let mut transaction = pool.begin().await.unwrap();
                    record.insert(&mut transaction).await;
                    transaction.rollback().await.unwrap();
                    continue;
                }
                let append = anew();
                let event_id = append.events[0].event_id;
                match appender.append_with_record(record, append).await {
                    Ok(position) => acknowledged.push(Acknowledged { event_id, position }),
                    Err(error) => assert!(fails, "{error} without a reason"),
                }
            }
            drop(done);
            acknowledged
        });
    }
    drop(done);
    let reading = async {
        // The channel closes when the last writer is done.
        while finished.has_changed().is_ok() {
            reader.catch_up().await;
            let _ = tokio::time::timeout(Duration::from_millis(2), finished.changed()).await;
        }
        reader.catch_up().await;
    };
    let (acknowledged, ()) = tokio::join!(writers.join_all(), reading);
    let acknowledged: Vec<Acknowledged> = acknowledged.into_iter().flatten().collect();
    let mut broken = check(&pool, &acknowledged).await;
    broken.extend(reader.check().await);
    (acknowledged, broken)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_behind_24_slow_writers_misses_nothing() {
    let fixture = Fixture::start().await;
    // Half of the transactions go through a second replica's pool.
    let second = fixture.replica().await;
    let (acknowledged, broken) =
        writers_and_a_reader(fixture.log.pool().clone(), Replicas(fixture.log.clone(), second)).await;
    assert_eq!(broken, Broken::new());
    assert_eq!(check_chain(&fixture.log).await, Broken::new());
    assert!(acknowledged.len() > 100, "only {} commands succeeded", acknowledged.len());
    assert_eq!(
        fixture.events().await,
        i64::try_from(acknowledged.len()).unwrap(),
        "an event without an acknowledgement"
    );
    let records = fixture.value("SELECT count(*) FROM record").await;
    assert_eq!(records, i64::try_from(acknowledged.len()).unwrap(), "records and events come and go together");
}

#[derive(Clone)]
struct Replicas(EventLog, EventLog);

impl Appender for Replicas {
    async fn append_with_record(&self, record: Record, append: Append) -> Result<i64, AppendError> {
        let log = if record.id.as_u128().is_multiple_of(2) { &self.0 } else { &self.1 };
        log.append_with_record(record, append).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_and_the_writer_share_one_order() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE note (id uuid PRIMARY KEY)").await;
    let mut tasks = JoinSet::new();
    for number in 0..60 {
        let log = fixture.log.clone();
        tasks.spawn(async move {
            let append = anew();
            let event_id = append.events[0].event_id;
            let appended = if number % 3 == 0 {
                let mut transaction = log.pool().begin().await.unwrap();
                sqlx::query("INSERT INTO note VALUES ($1)").bind(event_id).execute(&mut *transaction).await.unwrap();
                log.append_in(transaction, append).await.unwrap()
            } else {
                log.append(append).await.unwrap()
            };
            Acknowledged { event_id, position: appended.position }
        });
    }
    let acknowledged = tasks.join_all().await;
    check_all(&fixture.log, &acknowledged).await;
    assert_eq!(fixture.events().await, 60);
    assert_eq!(fixture.value("SELECT count(*) FROM note JOIN event_log ON id = event_id").await, 20);
}

#[tokio::test]
async fn records_go_when_their_command_is_refused() {
    let fixture = Fixture::start().await;
    fixture.execute("CREATE TABLE note (id uuid PRIMARY KEY)").await;
    let append = anew();
    let stream = append.stream;
    fixture.log.append(append).await.unwrap();
    let mut transaction = fixture.log.pool().begin().await.unwrap();
    sqlx::query("INSERT INTO note VALUES ($1)").bind(stream).execute(&mut *transaction).await.unwrap();
    let refused = fixture.log.append_in(transaction, crate::fixture::to(stream, 0)).await;
    assert_eq!(refused, Err(AppendError::VersionConflict { expected: 0, actual: 1 }));
    assert_eq!(fixture.value("SELECT count(*) FROM note").await, 0);
}
