//! Sessions after the sign-in: refreshed, ended, stolen, grown old.

use identity::domain::role::Role;
use proto::identity::v1 as api;
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal};

async fn refresh(desk: &Desk, token: &str) -> Result<api::Tokens, tonic::Status> {
    let request = api::RefreshSessionRequest { refresh_token: token.to_owned() };
    desk.sessions().refresh_session(request).await.map(|answer| answer.into_inner().tokens.unwrap())
}

async fn refused(desk: &Desk, token: &str) -> (Code, String) {
    let refused = refusal(refresh(desk, token).await);
    (refused.code, refused.reason)
}

fn ended() -> (Code, String) {
    (Code::Unauthenticated, "SESSION_ENDED".to_owned())
}

#[tokio::test]
async fn a_refresh_token_is_traded_for_the_next_pair() {
    let desk = Desk::open().await;
    let mut tokens = desk.newcomer(&Teacher::new(1)).await;
    for _ in 0..3 {
        let next = refresh(&desk, &tokens.refresh_token).await.unwrap();
        assert_ne!(next.refresh_token, tokens.refresh_token);
        desk.profiles(&next.access_token).get_profile(api::GetProfileRequest {}).await.unwrap();
        tokens = next;
    }
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_the_session_for_both() {
    let desk = Desk::open().await;
    let stolen = desk.newcomer(&Teacher::new(1)).await.refresh_token;
    let next = refresh(&desk, &stolen).await.unwrap().refresh_token;
    assert_eq!(refused(&desk, &stolen).await, ended());
    assert_eq!(refused(&desk, &next).await, ended());
}

#[tokio::test]
async fn two_refreshes_at_once_do_not_both_succeed() {
    let desk = Desk::open().await;
    let token = desk.newcomer(&Teacher::new(1)).await.refresh_token;
    let (one, two) = tokio::join!(refresh(&desk, &token), refresh(&desk, &token));
    assert_eq!([&one, &two].iter().filter(|answer| answer.is_ok()).count(), 1);
    let next = one.or(two).unwrap().refresh_token;
    assert_eq!(refused(&desk, &next).await, ended());
}

#[tokio::test]
async fn what_never_was_a_token_ends_nobodys_session() {
    let desk = Desk::open().await;
    let good = desk.newcomer(&Teacher::new(1)).await.refresh_token;
    for token in ["", "x", &"A".repeat(43), &good[1..]] {
        assert_eq!(refused(&desk, token).await, ended());
    }
    refresh(&desk, &good).await.unwrap();
}

#[tokio::test]
async fn an_ended_session_is_refreshed_no_more() {
    let desk = Desk::open().await;
    let tokens = desk.newcomer(&Teacher::new(1)).await;
    let mut own =
        proto::identity::v1::sessions_client::SessionsClient::new(desk.identity.with_token(&tokens.access_token));
    for _ in 0..2 {
        own.end_session(api::EndSessionRequest {}).await.unwrap();
    }
    assert_eq!(refused(&desk, &tokens.refresh_token).await, ended());
    let refused = refusal(desk.sessions().end_session(api::EndSessionRequest {}).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unauthenticated, "SIGN_IN_REQUIRED"));
}

#[tokio::test]
async fn a_session_ends_after_thirty_minutes_without_use() {
    let desk = Desk::open().await;
    let tokens = desk.newcomer(&Teacher::new(1)).await;
    desk.sql("UPDATE session SET used_at = used_at - interval '29 minutes'").await;
    let tokens = refresh(&desk, &tokens.refresh_token).await.unwrap();
    desk.sql("UPDATE session SET used_at = used_at - interval '30 minutes'").await;
    assert_eq!(refused(&desk, &tokens.refresh_token).await, ended());
}

#[tokio::test]
async fn a_session_ends_after_twelve_hours_however_busy() {
    let desk = Desk::open().await;
    let tokens = desk.newcomer(&Teacher::new(1)).await;
    desk.sql("UPDATE session SET started_at = started_at - interval '11 hours 50 minutes'").await;
    let tokens = refresh(&desk, &tokens.refresh_token).await.unwrap();
    let rest = tokens.refresh_expire_time.unwrap().seconds - lifecycle::clock::now().unix_timestamp();
    assert!((590..=600).contains(&rest), "{rest}");
    desk.sql("UPDATE session SET started_at = started_at - interval '10 minutes'").await;
    assert_eq!(refused(&desk, &tokens.refresh_token).await, ended());
}

#[tokio::test]
async fn a_session_of_staff_is_shorter() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.staff(&teacher, Role::Operator, "320000", None).await;
    let tokens = desk.sign_in(&teacher).await;
    desk.sql("UPDATE session SET used_at = used_at - interval '15 minutes'").await;
    assert_eq!(refused(&desk, &tokens.refresh_token).await, ended());
}

#[tokio::test]
async fn records_that_count_no_more_are_removed() {
    let desk = Desk::open().await;
    let tokens = desk.newcomer(&Teacher::new(1)).await;
    let pool = &desk.identity.service.ground.pool;
    let now = lifecycle::clock::now();
    identity::store::sweep(pool, now).await.unwrap();
    refresh(&desk, &tokens.refresh_token).await.unwrap();
    identity::store::sweep(pool, now + time::Duration::hours(25)).await.unwrap();
    let left: i64 = sqlx::query_scalar(
        "SELECT (SELECT count(*) FROM one_time_code) + (SELECT count(*) FROM session) + (SELECT count(*) FROM refresh_token)",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
}
