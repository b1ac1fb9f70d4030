//! The master key is rotated while keys are made, opened and destroyed; ended in between, it goes on; then the old one is not needed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cluster::database::TestDatabase;
use sqlx::PgPool;
use uuid::Uuid;
use vault::{KeyRing, MasterKey, Vault, VaultError};

async fn with(database: &TestDatabase, digits: &[&str]) -> Vault {
    let text: Vec<String> = digits.iter().map(|digit| digit.repeat(64)).collect();
    let ring = KeyRing::parse(&text.join("\n")).unwrap();
    Vault::with(PgPool::connect(&database.url()).await.unwrap(), Arc::new(ring))
}

fn id(digit: &str) -> String {
    MasterKey::parse(&digit.repeat(64)).unwrap().id().to_owned()
}

async fn wrapped_by(database: &TestDatabase, digit: &str) -> i64 {
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let sql = "SELECT count(*) FROM person_key WHERE wrapped IS NOT NULL AND master = $1";
    sqlx::query_scalar(sql).bind(id(digit)).fetch_one(&pool).await.unwrap()
}

/// Seals a word for each person.
async fn sealed(vault: &Vault, people: &[Uuid]) -> HashMap<Uuid, Vec<u8>> {
    let keys = vault.obtain_all(people).await.unwrap();
    people.iter().map(|person| (*person, keys[person].seal(b"word", person.as_bytes()))).collect()
}

/// How many of the sealed words open, with keys that are read from the database now.
async fn opens(vault: &Vault, sealed: &HashMap<Uuid, Vec<u8>>) -> usize {
    let people: Vec<Uuid> = sealed.keys().copied().collect();
    let keys = vault.find_all(&people).await.unwrap();
    let opens = |(person, word): &(&Uuid, &Vec<u8>)| {
        keys.get(*person).is_some_and(|key| key.open(word, person.as_bytes()).is_some())
    };
    sealed.iter().filter(opens).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_that_is_ended_halfway_goes_on_and_the_old_key_can_go() {
    let database = TestDatabase::create().await.unwrap();
    let old = with(&database, &["a"]).await;
    old.migrate().await.unwrap();
    let hash = old.index("number").hash("320399");
    let people: Vec<Uuid> = (1..=3_000).map(Uuid::from_u128).collect();
    let before = sealed(&old, &people).await;
    let gone = people[2_999];
    // As keys were before master keys had names.
    let pool = PgPool::connect(&database.url()).await.unwrap();
    sqlx::query("UPDATE person_key SET master = NULL WHERE person <= $1")
        .bind(people[99])
        .execute(&pool)
        .await
        .unwrap();

    // Two replicas at work all the time: one on the way to the new key, one that has it.
    let (behind, ahead) = (with(&database, &["a", "b"]).await, with(&database, &["b", "a"]).await);
    let (done, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut load = tokio::task::JoinSet::new();
    for (replica, first) in [(behind.clone(), 10_000_u128), (ahead.clone(), 20_000)] {
        let (done, made, mut before) = (Arc::clone(&done), Arc::clone(&made), before.clone());
        before.remove(&gone);
        load.spawn(async move {
            let mut words = HashMap::new();
            for person in (first..).map(Uuid::from_u128) {
                words.extend(sealed(&replica, &[person]).await);
                let old = before.keys().nth(usize::try_from(person.as_u128() % 2_999).unwrap()).unwrap();
                let key = replica.find(*old).await.unwrap().expect("nobody is lost in between");
                assert!(key.open(&before[old], old.as_bytes()).is_some());
                made.fetch_add(1, Ordering::Relaxed);
                if done.load(Ordering::Relaxed) {
                    return words;
                }
            }
            unreachable!("the numbers do not end")
        });
    }

    let (halfway, ended) = tokio::sync::oneshot::channel();
    let mut halfway = Some(halfway);
    let rotating = ahead.clone();
    let killed = tokio::select! {
        _ = rotating.rotate_master_key(|_| {
            if let Some(halfway) = halfway.take() {
                halfway.send(()).unwrap();
            }
        }) => false,
        _ = ended => true,
    };
    assert!(killed, "the rotation was ended after its first batch");
    let (first, rest) = (wrapped_by(&database, "b").await, wrapped_by(&database, "a").await);
    assert!(first >= 500 && rest > 0, "{first} {rest}");

    ahead.destroy(gone).await.unwrap();
    let mut batches = 0;
    ahead.rotate_master_key(|_| batches += 1).await.unwrap();
    assert!(batches >= 4, "{batches} batches");
    while made.load(Ordering::Relaxed) < 50 {
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Relaxed);
    let mut during = HashMap::new();
    while let Some(words) = load.join_next().await {
        during.extend(words.unwrap());
    }
    // The replica that was behind has the new key by now, too.
    let last = ahead.rotate_master_key(|_| {}).await.unwrap();
    assert_eq!((last.left, wrapped_by(&database, "a").await), (0, 0));

    let new = with(&database, &["b"]).await;
    new.load().await.unwrap();
    assert_eq!(opens(&new, &before).await, before.len() - 1, "everything but the destroyed key opens");
    assert!(matches!(new.obtain(gone).await, Err(VaultError::Destroyed)));
    assert_eq!(opens(&new, &during).await, during.len(), "what was sealed meanwhile opens");
    assert_eq!(new.index("number").hash("320399"), hash, "keyed hashes are the same");
    let old = with(&database, &["a"]).await;
    assert!(matches!(old.load().await, Err(VaultError::Unwrap)));
    assert!(matches!(old.find(people[0]).await, Err(VaultError::Unwrap)), "the old key opens nothing any more");
    assert_eq!(new.rotate_master_key(|_| {}).await.unwrap().rewrapped, 0);
}

#[tokio::test]
async fn a_rewrapped_key_still_belongs_to_its_person() {
    let database = TestDatabase::create().await.unwrap();
    let old = with(&database, &["a"]).await;
    old.migrate().await.unwrap();
    let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
    old.obtain_all(&[one, other]).await.unwrap();
    let both = with(&database, &["b", "a"]).await;
    both.rotate_master_key(|_| {}).await.unwrap();
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let swap = "UPDATE person_key SET wrapped = (SELECT wrapped FROM person_key WHERE person = $1) WHERE person = $2";
    sqlx::query(swap).bind(one).bind(other).execute(&pool).await.unwrap();
    let fresh = with(&database, &["b"]).await;
    assert!(fresh.find(one).await.unwrap().is_some());
    assert!(matches!(fresh.find(other).await, Err(VaultError::Unwrap)));
}

#[tokio::test]
async fn hashes_of_a_key_database_that_is_in_use_already_stay_what_they_were() {
    let (fresh, used) = (TestDatabase::create().await.unwrap(), TestDatabase::create().await.unwrap());
    let mut hashes = Vec::new();
    for database in [&used, &used, &fresh] {
        let vault = with(database, &["a"]).await;
        vault.migrate().await.unwrap();
        hashes.push(vault.index("number").hash("320399"));
    }
    assert_eq!(hashes[0], hashes[1], "migrating again changes nothing");
    assert_ne!(hashes[0], hashes[2], "another service has other hashes");

    // As every key database was before it had a secret of its own: keys are there, a root is not.
    let vault = with(&used, &["a"]).await;
    vault.obtain(Uuid::from_u128(1)).await.unwrap();
    let pool = PgPool::connect(&used.url()).await.unwrap();
    sqlx::query("DELETE FROM index_root").execute(&pool).await.unwrap();
    let vault = with(&used, &["a"]).await;
    assert!(matches!(vault.load().await, Err(VaultError::NoIndexRoot)));
    let rotating = with(&used, &["b", "a"]).await;
    assert!(matches!(rotating.migrate().await, Err(VaultError::IndexRootUnknown)), "nobody guesses which key it was");
    vault.migrate().await.unwrap();
    let of_master = "9eb7173b";
    assert_eq!(&hex::encode(vault.index("number").hash("320399"))[..8], of_master);
}
