//! `PuzzleSignIn`: a puzzle for one number, answered once.

use std::time::Duration;

use identity::domain::puzzle::{HEIGHT, PIECE, WIDTH};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use proto::identity::v1 as api;
use tonic::Code;

use crate::desk::{Desk, Teacher, refusal, retry_within, violations};

async fn refused(desk: &Desk, request: &api::SignInRequest) -> (Code, String) {
    let refused = refusal(desk.puzzles().sign_in(request.clone()).await);
    (refused.code, refused.reason)
}

fn wrong() -> (Code, String) {
    (Code::FailedPrecondition, "PUZZLE_WRONG".to_owned())
}

fn expired() -> (Code, String) {
    (Code::FailedPrecondition, "PUZZLE_EXPIRED".to_owned())
}

async fn failures(desk: &Desk) -> i64 {
    let pool = &desk.identity.service.ground.pool;
    sqlx::query_scalar("SELECT coalesce(sum(failures), 0) FROM sign_in_failure").fetch_one(pool).await.unwrap()
}

/// Width and height of a PNG, from its header.
fn size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test]
async fn a_teacher_signs_in_with_number_password_and_a_solved_puzzle() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let request = desk.puzzle(&teacher).await;
    let signed_in = desk.puzzles().sign_in(request).await.unwrap().into_inner();
    assert!(!signed_in.profile_complete);
    let tokens = signed_in.tokens.unwrap();
    desk.profiles(&tokens.access_token).get_profile(api::GetProfileRequest {}).await.unwrap();
    let request = api::RefreshSessionRequest { refresh_token: tokens.refresh_token };
    desk.sessions().refresh_session(request).await.unwrap();
    assert_eq!(desk.outbox.count(&teacher.phone, "sign_in_code"), 0, "no code is sent");
}

#[tokio::test]
async fn a_puzzle_shows_a_picture_and_a_piece_and_not_where_it_belongs() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let one = desk.puzzles().make_puzzle(teacher.puzzle()).await.unwrap().into_inner();
    assert_eq!(size(&one.picture), (WIDTH.into(), HEIGHT.into()));
    assert_eq!(size(&one.piece), (PIECE.into(), PIECE.into()));
    assert!((8..=i32::from(HEIGHT - PIECE) - 8).contains(&one.piece_top));
    let life = one.expire_time.unwrap().seconds - lifecycle::clock::now().unix_timestamp();
    assert!((118..=120).contains(&life), "{life}");
    let other = desk.puzzles().make_puzzle(teacher.puzzle()).await.unwrap().into_inner();
    assert_ne!((one.puzzle_id, one.picture), (other.puzzle_id, other.picture));
}

#[tokio::test]
async fn a_puzzle_is_spent_by_its_first_answer_right_or_wrong() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let right = desk.puzzle(&teacher).await;
    desk.puzzles().sign_in(right.clone()).await.unwrap();
    assert_eq!(refused(&desk, &right).await, expired(), "replayed");

    let right = desk.puzzle(&teacher).await;
    let missed = api::SignInRequest { offset: right.offset + 5, ..right.clone() };
    assert_eq!(refused(&desk, &missed).await, wrong());
    assert_eq!(refused(&desk, &right).await, expired(), "the right answer comes second");

    let right = desk.puzzle(&teacher).await;
    let wrong_password = api::SignInRequest { password: "wrong123#".to_owned(), ..right.clone() };
    assert_eq!(refused(&desk, &wrong_password).await.1, "WRONG_CREDENTIALS");
    assert_eq!(refused(&desk, &right).await, expired(), "each try of a password needs a puzzle of its own");
}

#[tokio::test]
async fn ten_answers_at_once_are_one_answer() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let request = desk.puzzle(&teacher).await;
    let answers = (0..10).map(|_| {
        let (mut puzzles, request) = (desk.puzzles(), request.clone());
        async move { puzzles.sign_in(request).await.is_ok() }
    });
    let answers = futures::future::join_all(answers).await;
    assert_eq!(answers.into_iter().filter(|signed_in| *signed_in).count(), 1);
}

#[tokio::test]
async fn the_tolerance_is_four_pixels_to_either_side() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    for miss in [-4, 4] {
        let request = desk.puzzle(&teacher).await;
        desk.puzzles().sign_in(api::SignInRequest { offset: request.offset + miss, ..request }).await.unwrap();
    }
    for miss in [-5, 5] {
        let request = desk.puzzle(&teacher).await;
        assert_eq!(refused(&desk, &api::SignInRequest { offset: request.offset + miss, ..request }).await, wrong());
    }
}

#[tokio::test]
async fn a_puzzle_of_two_minutes_and_a_second_counts_no_more() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let request = desk.puzzle(&teacher).await;
    desk.sql("UPDATE puzzle SET expires_at = expires_at - interval '121 seconds'").await;
    assert_eq!(refused(&desk, &request).await, expired());
}

#[tokio::test]
async fn the_right_offset_is_none_for_another_number() {
    let desk = Desk::open().await;
    let (one, other) = (Teacher::new(1), Teacher::new(2));
    desk.register(&one).await;
    desk.register(&other).await;
    let puzzle = desk.puzzle(&one).await;
    let crossed =
        api::SignInRequest { number: other.number.clone(), password: other.password.clone(), ..puzzle.clone() };
    assert_eq!(refused(&desk, &crossed).await, expired());
    assert_eq!(refused(&desk, &puzzle).await, expired(), "it is spent");
}

#[tokio::test]
async fn without_a_solved_puzzle_no_password_is_looked_at() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    desk.register(&teacher).await;
    let missed = desk.puzzle(&teacher).await;
    let missed = api::SignInRequest { offset: missed.offset - 50, ..missed };
    assert_eq!(refused(&desk, &missed).await, wrong());
    let invented = api::SignInRequest { puzzle_id: lifecycle::ids::random().to_string(), ..missed.clone() };
    assert_eq!(refused(&desk, &invented).await, expired());
    let none = refusal(desk.puzzles().sign_in(api::SignInRequest { puzzle_id: String::new(), ..missed }).await);
    assert_eq!(violations(&none), [("puzzle_id", "REQUIRED")]);
    assert_eq!(failures(&desk).await, 0, "a try is counted before its password is looked at");
}

#[tokio::test]
async fn known_and_unknown_numbers_are_answered_alike() {
    let desk = Desk::open().await;
    let known = Teacher::new(1);
    desk.register(&known).await;
    let known = Teacher { password: "wrong123#".to_owned(), ..known };
    let mut seen = Vec::new();
    for teacher in [known, Teacher::new(2)] {
        let mut answers = Vec::new();
        for _ in 0..5 {
            let request = desk.puzzle(&teacher).await;
            answers.push(desk.puzzles().sign_in(request).await.unwrap_err());
        }
        let request = desk.puzzle(&teacher).await;
        assert_eq!(refused(&desk, &request).await, (Code::ResourceExhausted, "LOCKED_OUT".to_owned()));
        seen.push(answers.into_iter().map(|status| (status.code(), status.details().to_vec())).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0][0].0, Code::Unauthenticated);
}

/// Least of several: what else this program does only ever adds to it.
async fn work(desk: &Desk, teachers: impl Iterator<Item = Teacher>) -> Duration {
    let mut least = Duration::MAX;
    for teacher in teachers {
        let request = desk.puzzle(&teacher).await;
        let start = worked();
        assert_eq!(refused(desk, &request).await.1, "WRONG_CREDENTIALS");
        least = least.min(worked().saturating_sub(start));
    }
    least
}

/// How long this program has used the processors: waiting, and what others do meanwhile, do not count.
fn worked() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let (user, system) = (usage.user_time(), usage.system_time());
    let micros = user.num_microseconds() + system.num_microseconds();
    Duration::from_micros(micros.try_into().unwrap())
}

#[tokio::test]
async fn known_and_unknown_numbers_cost_the_same_work() {
    let desk = Desk::open().await;
    let known = Teacher::new(1);
    desk.register(&known).await;
    let wrong = Teacher { password: "wrong123#".to_owned(), ..known };
    let of_known = work(&desk, std::iter::repeat_n(wrong, 5)).await;
    let of_unknown = work(&desk, (2..7).map(Teacher::new)).await;
    assert!(of_unknown * 2 > of_known && of_known * 2 > of_unknown, "{of_known:?} known, {of_unknown:?} unknown");
}

#[tokio::test]
async fn a_number_and_an_address_get_so_many_puzzles_and_no_more() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    for _ in 0..20 {
        desk.puzzles().make_puzzle(teacher.puzzle()).await.unwrap();
    }
    let refused = refusal(desk.puzzles().make_puzzle(teacher.puzzle()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "THROTTLED"));
    assert!(retry_within(&refused, Duration::from_secs(601)), "{refused:?}");
    desk.puzzles().make_puzzle(Teacher::new(2).puzzle()).await.unwrap();

    desk.sql("UPDATE attempt SET count = 600 WHERE kind > 100").await;
    let refused = refusal(desk.puzzles().make_puzzle(Teacher::new(3).puzzle()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::ResourceExhausted, "THROTTLED"));
    desk.sql("UPDATE attempt SET began_at = began_at - interval '10 minutes'").await;
    desk.puzzles().make_puzzle(teacher.puzzle()).await.unwrap();
}

#[tokio::test]
async fn puzzles_that_are_over_make_room_for_new_ones() {
    let desk = Desk::open().await;
    let pool = &desk.identity.service.ground.pool;
    let count = async || -> i64 { sqlx::query_scalar("SELECT count(*) FROM puzzle").fetch_one(pool).await.unwrap() };
    for n in 0..6 {
        desk.puzzles().make_puzzle(Teacher::new(n).puzzle()).await.unwrap();
    }
    assert_eq!(count().await, 6);
    desk.sql("UPDATE puzzle SET expires_at = expires_at - interval '2 minutes'").await;
    for n in 0..3 {
        desk.puzzles().make_puzzle(Teacher::new(n).puzzle()).await.unwrap();
    }
    assert_eq!(count().await, 3, "each new one has removed two");
    identity::store::sweep(pool, lifecycle::clock::now() + time::Duration::hours(2)).await.unwrap();
    assert_eq!(count().await, 0);
    let counters: i64 = sqlx::query_scalar("SELECT count(*) FROM attempt").fetch_one(pool).await.unwrap();
    assert_eq!(counters, 0);
}

#[tokio::test]
async fn wrong_fields_are_named_at_once() {
    let desk = Desk::open().await;
    let refused = refusal(desk.puzzles().sign_in(api::SignInRequest::default()).await);
    let expected = [
        ("document_type", "UNKNOWN_VALUE"),
        ("password", "REQUIRED"),
        ("entry", "UNKNOWN_VALUE"),
        ("puzzle_id", "REQUIRED"),
    ];
    assert_eq!(violations(&refused), expected);
    let request = api::MakePuzzleRequest { document_type: 1, number: "1".to_owned() };
    assert_eq!(violations(&refusal(desk.puzzles().make_puzzle(request).await)), [("number", "MALFORMED")]);
}
