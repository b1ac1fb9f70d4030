//! The key store on a real PostgreSQL.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod files;
mod rotation;

use cluster::database::TestDatabase;
use sqlx::PgPool;
use uuid::Uuid;
use vault::{MasterKey, Vault, VaultError};

async fn vault(database: &TestDatabase, digit: &str) -> Vault {
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let vault = Vault::new(pool, MasterKey::parse(&digit.repeat(64)).unwrap());
    vault.migrate().await.unwrap();
    vault
}

#[tokio::test]
async fn two_replicas_that_make_a_key_at_once_share_it() {
    let database = TestDatabase::create().await.unwrap();
    let (one, other) = (vault(&database, "a").await, vault(&database, "a").await);
    for person in (1..50).map(Uuid::from_u128) {
        let (mine, theirs) = tokio::join!(one.obtain(person), other.obtain(person));
        let sealed = mine.unwrap().seal(b"text", b"place");
        assert_eq!(theirs.unwrap().open(&sealed, b"place").unwrap().as_slice(), b"text");
    }
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let database = TestDatabase::create().await.unwrap();
    let person = Uuid::from_u128(9);
    let sealed = vault(&database, "a").await.obtain(person).await.unwrap().seal(b"text", b"");
    let key = vault(&database, "a").await.find(person).await.unwrap().unwrap();
    assert_eq!(key.open(&sealed, b"").unwrap().as_slice(), b"text");
}

#[tokio::test]
async fn a_destroyed_key_is_gone_and_no_new_one_is_made() {
    let database = TestDatabase::create().await.unwrap();
    let vault = vault(&database, "a").await;
    let (person, stranger) = (Uuid::from_u128(9), Uuid::from_u128(10));
    vault.obtain(person).await.unwrap();
    vault.destroy(person).await.unwrap();
    vault.destroy(person).await.unwrap();
    vault.destroy(stranger).await.unwrap();
    assert!(vault.find(person).await.unwrap().is_none());
    assert!(matches!(vault.obtain(person).await, Err(VaultError::Destroyed)));
    assert!(matches!(vault.obtain(stranger).await, Err(VaultError::Destroyed)));
}

#[tokio::test]
async fn many_keys_come_in_two_queries_without_the_erased() {
    let database = TestDatabase::create().await.unwrap();
    let vault = vault(&database, "a").await;
    let people: Vec<Uuid> = (0..500).map(Uuid::from_u128).collect();
    vault.destroy(people[3]).await.unwrap();
    let keys = vault.obtain_all(&people).await.unwrap();
    assert_eq!(keys.len(), 499);
    assert!(!keys.contains_key(&people[3]));
}

#[tokio::test]
async fn another_master_key_opens_nothing() {
    let database = TestDatabase::create().await.unwrap();
    vault(&database, "a").await.obtain(Uuid::from_u128(1)).await.unwrap();
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let stranger = Vault::new(pool, MasterKey::parse(&"b".repeat(64)).unwrap());
    assert!(matches!(stranger.load().await, Err(VaultError::Unwrap)), "it is found out before anything is served");
    assert!(matches!(stranger.find(Uuid::from_u128(1)).await, Err(VaultError::Unwrap)));
}
