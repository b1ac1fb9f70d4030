//! Serials of 报名号 on a real table: never twice, over replicas and restarts, and refusals use up none.

use std::collections::HashSet;

use applications::store::serials::{SerialError, Serials};
use cluster::database::TestDatabase;
use futures::future::join_all;
use sqlx::PgPool;

async fn pool(database: &TestDatabase) -> PgPool {
    let pool = PgPool::connect(&database.url()).await.unwrap();
    sqlx::raw_sql(include_str!("../../migrations/20261123000003_create_draft.sql")).execute(&pool).await.unwrap();
    pool
}

#[tokio::test]
async fn two_replicas_never_give_the_same_number() {
    let database = TestDatabase::create().await.unwrap();
    let pool = pool(&database).await;
    let replicas = [Serials::new(pool.clone()), Serials::new(pool.clone())];
    let taken = join_all((0..3_000).map(|i: usize| {
        let serials = replicas[i % 2].clone();
        async move { serials.take(2026, "320303").await.unwrap() }
    }));
    let numbers: HashSet<_> = taken.await.into_iter().collect();
    assert_eq!(numbers.len(), 3_000);
    let after_a_restart = Serials::new(pool).take(2026, "320303").await.unwrap();
    assert!(!numbers.contains(&after_a_restart));
}

#[tokio::test]
async fn the_first_serial_is_one_and_agencies_and_years_count_apart() {
    let database = TestDatabase::create().await.unwrap();
    let serials = Serials::new(pool(&database).await);
    for (year, agency) in [(2026, "320303"), (2026, "320302"), (2027, "320303")] {
        let number = serials.take(year, agency).await.unwrap();
        assert_eq!((number.serial(), number.year()), (1, year));
    }
}

#[tokio::test]
async fn what_comes_back_is_given_again() {
    let database = TestDatabase::create().await.unwrap();
    let serials = Serials::new(pool(&database).await);
    let number = serials.take(2026, "320303").await.unwrap();
    serials.give_back(number);
    assert_eq!(serials.take(2026, "320303").await.unwrap(), number);
    assert_ne!(serials.take(2026, "320303").await.unwrap(), number);
}

#[tokio::test]
async fn an_agency_that_has_used_all_serials_says_so() {
    let database = TestDatabase::create().await.unwrap();
    let pool = pool(&database).await;
    let full = "INSERT INTO enrolment_serial VALUES ('320303', 2026, 999999)";
    sqlx::query(full).execute(&pool).await.unwrap();
    let serials = Serials::new(pool);
    assert_eq!(serials.take(2026, "320303").await.unwrap().serial(), 999_999);
    assert!(matches!(serials.take(2026, "320303").await, Err(SerialError::Exhausted { .. })));
    assert!(matches!(serials.take(2026, "32030").await, Err(SerialError::NotACode { .. })));
}
