//! `MySessions`: one's own sessions, seen and ended.

use proto::identity::v1 as api;
use proto::identity::v1::my_sessions_client::MySessionsClient;
use service::testing::Channel;
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal, violations};

fn mine(desk: &Desk, tokens: &api::Tokens) -> MySessionsClient<Channel> {
    MySessionsClient::new(desk.identity.with_token(&tokens.access_token))
}

async fn listed(desk: &Desk, tokens: &api::Tokens) -> Vec<api::Session> {
    mine(desk, tokens).list_my_sessions(api::ListMySessionsRequest {}).await.unwrap().into_inner().sessions
}

async fn refreshed(desk: &Desk, tokens: &api::Tokens) -> Result<api::Tokens, String> {
    let request = api::RefreshSessionRequest { refresh_token: tokens.refresh_token.clone() };
    match desk.sessions().refresh_session(request).await {
        Ok(answer) => Ok(answer.into_inner().tokens.unwrap()),
        Err(status) => Err(refusal::<()>(Err(status)).reason),
    }
}

async fn end(desk: &Desk, tokens: &api::Tokens, session: &str) -> Result<(), tonic::Status> {
    let request = api::EndMySessionRequest { session_id: session.to_owned() };
    mine(desk, tokens).end_my_session(request).await.map(drop)
}

#[tokio::test]
async fn everybody_sees_their_own_sessions_and_which_one_is_current() {
    let desk = Desk::open().await;
    let one = desk.newcomer(&Teacher::new(1)).await;
    let begun = listed(&desk, &one).await[0].start_time.unwrap();
    desk.newcomer(&Teacher::new(2)).await;
    desk.sql(
        "UPDATE session SET started_at = started_at - interval '1 minute', used_at = used_at - interval '1 minute'",
    )
    .await;
    let second = desk.sign_in(&Teacher::new(1)).await;
    let sessions = listed(&desk, &second).await;
    assert_eq!(sessions.iter().map(|session| session.current).collect::<Vec<_>>(), [true, false]);
    assert!(sessions.iter().all(|session| session.entry() == api::Entry::Registration));
    let (new, old) = (&sessions[0], &sessions[1]);
    assert_eq!(new.start_time, new.last_use_time);
    assert_eq!(begun.seconds - old.start_time.unwrap().seconds, 60);

    refreshed(&desk, &one).await.unwrap();
    let sessions = listed(&desk, &second).await;
    assert_eq!(sessions.iter().map(|session| session.current).collect::<Vec<_>>(), [false, true]);
    let used = &sessions[0];
    assert!(used.last_use_time.unwrap().seconds - used.start_time.unwrap().seconds >= 59);
}

#[tokio::test]
async fn a_session_that_is_over_is_not_listed() {
    let desk = Desk::open().await;
    desk.newcomer(&Teacher::new(1)).await;
    desk.sql("UPDATE session SET used_at = used_at - interval '30 minutes'").await;
    let tokens = desk.sign_in(&Teacher::new(1)).await;
    assert_eq!(listed(&desk, &tokens).await.len(), 1);
}

#[tokio::test]
async fn one_session_is_ended_and_the_others_go_on() {
    let desk = Desk::open().await;
    let one = desk.newcomer(&Teacher::new(1)).await;
    let other = desk.sign_in(&Teacher::new(1)).await;
    let sessions = listed(&desk, &one).await;
    let of_other = sessions.iter().find(|session| !session.current).unwrap();
    for _ in 0..2 {
        end(&desk, &one, &of_other.session_id).await.unwrap();
    }
    assert_eq!(listed(&desk, &one).await.len(), 1);
    assert_eq!(refreshed(&desk, &other).await.unwrap_err(), "SESSION_ENDED");
    refreshed(&desk, &one).await.unwrap();
}

#[tokio::test]
async fn another_persons_session_is_nobody_elses_to_end() {
    let desk = Desk::open().await;
    let one = desk.newcomer(&Teacher::new(1)).await;
    let stranger = desk.newcomer(&Teacher::new(2)).await;
    let session = listed(&desk, &one).await.remove(0).session_id;
    let refused = refusal(end(&desk, &stranger, &session).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "NOT_FOUND"));
    let unknown = refusal(end(&desk, &stranger, &lifecycle::ids::random().to_string()).await);
    assert_eq!(refused.sentence, unknown.sentence);
    assert_eq!(violations(&refusal(end(&desk, &stranger, "x").await)), [("session_id", "NOT_A_UUID")]);
    refreshed(&desk, &one).await.unwrap();
}

#[tokio::test]
async fn all_others_are_ended_at_once() {
    let desk = Desk::open().await;
    let first = desk.newcomer(&Teacher::new(1)).await;
    let second = desk.sign_in(&Teacher::new(1)).await;
    let current = desk.sign_in(&Teacher::new(1)).await;
    let stranger = desk.newcomer(&Teacher::new(2)).await;
    let ended = async || {
        let request = api::EndMyOtherSessionsRequest {};
        mine(&desk, &current).end_my_other_sessions(request).await.unwrap().into_inner().ended
    };
    assert_eq!(ended().await, 2);
    assert_eq!(ended().await, 0);
    for gone in [&first, &second] {
        assert_eq!(refreshed(&desk, gone).await.unwrap_err(), "SESSION_ENDED");
    }
    for alive in [&current, &stranger] {
        refreshed(&desk, alive).await.unwrap();
    }
}

#[tokio::test]
async fn every_session_of_a_person_can_be_ended() {
    let desk = Desk::open().await;
    let tokens = [desk.newcomer(&Teacher::new(1)).await, desk.sign_in(&Teacher::new(1)).await];
    let stranger = desk.newcomer(&Teacher::new(2)).await;
    let person = desk.person_id(&tokens[0].access_token).await;
    let mut connection = desk.identity.service.ground.pool.acquire().await.unwrap();
    let now = lifecycle::clock::now();
    identity::store::sessions::end_all_in(&mut connection, person, None, now).await.unwrap();
    for gone in &tokens {
        assert_eq!(refreshed(&desk, gone).await.unwrap_err(), "SESSION_ENDED");
    }
    refreshed(&desk, &stranger).await.unwrap();
}

#[tokio::test]
async fn whoever_is_not_signed_in_sees_no_sessions() {
    let desk = Desk::open().await;
    let mut anyone = MySessionsClient::new(desk.identity.anyone());
    let refused = refusal(anyone.list_my_sessions(api::ListMySessionsRequest {}).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unauthenticated, "SIGN_IN_REQUIRED"));
}
