//! The master key is rotated by editing the files of replicas that go on reading and writing: none is restarted, nothing is refused.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cluster::database::TestDatabase;
use sqlx::PgPool;
use tempfile::TempDir;
use uuid::Uuid;
use vault::{MasterKey, Settings, Vault, VaultError};

const PATIENCE: Duration = Duration::from_secs(60);

/// A replica with a key file of its own.
struct Replica {
    vault: Vault,
    file: PathBuf,
    settings: Settings,
}

impl Replica {
    async fn start(database: &TestDatabase, folder: &TempDir, name: &str, digits: &[&str]) -> Self {
        let file = folder.path().join(name);
        std::fs::write(&file, lines(digits)).unwrap();
        let (keys_database_url, master_key_file) = (database.url(), Some(file.clone()));
        let settings = Settings { keys_database_url, master_key_file, master_keys: None };
        let vault = Vault::open(&settings).unwrap();
        vault.migrate().await.unwrap();
        Self { vault, file, settings }
    }

    /// The operator edits its file.
    fn now_has(&self, digits: &[&str]) {
        std::fs::write(&self.file, lines(digits)).unwrap();
    }
}

fn lines(digits: &[&str]) -> String {
    digits.iter().map(|digit| digit.repeat(64) + "\n").collect()
}

async fn wrapped_by(database: &TestDatabase, digit: &str) -> i64 {
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let sql = "SELECT count(*) FROM person_key WHERE wrapped IS NOT NULL AND master = $1";
    let master = MasterKey::parse(&digit.repeat(64)).unwrap();
    sqlx::query_scalar(sql).bind(master.id()).fetch_one(&pool).await.unwrap()
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    cluster::wait::until(what, PATIENCE, async || holds().await.then_some(())).await.unwrap();
}

#[tokio::test]
async fn nobody_waits_for_long_for_a_lock_in_the_key_database() {
    let (database, folder) = (TestDatabase::create().await.unwrap(), tempfile::tempdir().unwrap());
    let replica = Replica::start(&database, &folder, "keys", &["a"]).await;
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let mut held = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE person_key").execute(&mut *held).await.unwrap();
    let begun = Instant::now();
    let refused = replica.vault.find(Uuid::from_u128(1)).await;
    assert!(matches!(refused, Err(VaultError::Database(_))));
    assert!(begun.elapsed() < Duration::from_secs(15));
    let named = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'vault')";
    assert!(sqlx::query_scalar::<_, bool>(named).fetch_one(&pool).await.unwrap());
}

/// What the replicas at work have done, and whether it is enough.
#[derive(Default)]
struct Load {
    made: AtomicU64,
    done: AtomicBool,
}

/// One replica makes keys and seals, the other one opens at once what was sealed, and both open what was there before. Everything
/// succeeds, always.
async fn work(one: Vault, other: Vault, first: u128, before: Arc<Vec<(Uuid, Vec<u8>)>>, load: Arc<Load>) {
    for number in first.. {
        let person = Uuid::from_u128(number);
        let sealed = one.obtain(person).await.expect("a key is made").seal(b"word", b"");
        let key = other.find(person).await.expect("it is found on the other replica").unwrap();
        assert!(key.open(&sealed, b"").is_some());
        let (person, sealed) = &before[usize::try_from(number).unwrap() % before.len()];
        let key = one.find(*person).await.expect("an old key is found").unwrap();
        assert!(key.open(sealed, b"").is_some());
        load.made.fetch_add(1, Ordering::Relaxed);
        if load.done.load(Ordering::Relaxed) {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_restarts_nobody_and_refuses_nothing() {
    let (database, folder) = (TestDatabase::create().await.unwrap(), tempfile::tempdir().unwrap());
    let old = Replica::start(&database, &folder, "old", &["a"]).await;
    let people: Vec<Uuid> = (1..=3_000).map(Uuid::from_u128).collect();
    let keys = old.vault.obtain_all(&people).await.unwrap();
    let before = Arc::new(people.iter().map(|person| (*person, keys[person].seal(b"word", b""))).collect::<Vec<_>>());
    let hash = old.vault.index("number").hash("320399");

    let one = Replica::start(&database, &folder, "one", &["a"]).await;
    let other = Replica::start(&database, &folder, "other", &["a"]).await;
    let load = Arc::new(Load::default());
    let mut working = tokio::task::JoinSet::new();
    for (writer, reader, first) in [(&one, &other, 10_000_000_u128), (&other, &one, 20_000_000)] {
        let (writer, reader) = (writer.vault.clone(), reader.vault.clone());
        working.spawn(work(writer, reader, first, Arc::clone(&before), Arc::clone(&load)));
    }
    let goes_on = async || {
        let goal = load.made.load(Ordering::Relaxed) + 100;
        until("the replicas to go on", async || load.made.load(Ordering::Relaxed) >= goal).await;
    };
    goes_on().await;

    one.now_has(&["a", "b"]);
    goes_on().await;
    other.now_has(&["a", "b"]);
    goes_on().await;
    one.now_has(&["b", "a"]);
    until("the new key to be used", async || wrapped_by(&database, "b").await > 0).await;
    goes_on().await;
    other.now_has(&["b", "a"]);
    // As the command does.
    let command = Vault::open(&one.settings).unwrap();
    tokio::time::sleep(vault::CHANGE_COUNTS_AFTER).await;
    assert_eq!(command.rotate_master_key(|_| {}).await.unwrap().left, 0);
    assert_eq!(wrapped_by(&database, "a").await, 0);
    goes_on().await;
    one.now_has(&["b"]);
    goes_on().await;
    other.now_has(&["b"]);
    goes_on().await;
    assert_eq!(wrapped_by(&database, "a").await, 0);
    load.done.store(true, Ordering::Relaxed);
    while let Some(worked) = working.join_next().await {
        worked.unwrap();
    }

    let fresh = Replica::start(&database, &folder, "fresh", &["b"]).await;
    let keys = fresh.vault.find_all(&people).await.unwrap();
    assert!(before.iter().all(|(person, sealed)| keys[person].open(sealed, b"").is_some()));
    assert_eq!(fresh.vault.index("number").hash("320399"), hash);
    let strange = Vault::open(&old.settings).unwrap().load().await;
    assert!(matches!(strange, Err(VaultError::Unwrap)), "the old key opens nothing any more");
}

#[tokio::test]
async fn a_replica_that_meets_a_key_of_a_new_name_reads_its_file_on_the_spot() {
    let (database, folder) = (TestDatabase::create().await.unwrap(), tempfile::tempdir().unwrap());
    let reader = Replica::start(&database, &folder, "reader", &["a"]).await;
    let writer = Replica::start(&database, &folder, "writer", &["b", "a"]).await;
    let person = Uuid::from_u128(1);
    let sealed = writer.vault.obtain(person).await.unwrap().seal(b"word", b"");
    assert!(
        matches!(reader.vault.find(person).await, Err(VaultError::Unwrap)),
        "its operator has not given it the key"
    );
    reader.now_has(&["a", "b"]);
    let key = reader.vault.find(person).await.unwrap().unwrap();
    assert!(key.open(&sealed, b"").is_some());
}

#[tokio::test]
async fn a_file_that_is_half_written_changes_nothing() {
    let (database, folder) = (TestDatabase::create().await.unwrap(), tempfile::tempdir().unwrap());
    let replica = Replica::start(&database, &folder, "replica", &["a"]).await;
    let mut people = (1..).map(Uuid::from_u128);
    // For longer than a read is good for.
    let mut goes_on = async || {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1_500) {
            replica.vault.obtain(people.next().unwrap()).await.unwrap();
        }
    };
    for half in ["", "bbbb", &("b".repeat(64) + "\naaaa")] {
        std::fs::write(&replica.file, half).unwrap();
        goes_on().await;
    }
    std::fs::remove_file(&replica.file).unwrap();
    goes_on().await;
    assert_eq!(wrapped_by(&database, "b").await, 0);
    replica.now_has(&["b", "a"]);
    goes_on().await;
    assert!(wrapped_by(&database, "b").await > 0);
}
