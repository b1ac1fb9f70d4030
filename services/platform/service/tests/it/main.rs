//! The platform as a whole, on a service that offers nothing of its own: start, access, feeds without NATS, operations.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audit_trail;
mod erasure;
mod restored;

use eventbus::{Bus, BusHandle};
use proto::identity::v1::{Entry, Role};
use proto::operations::v1::GetStatusRequest;
use proto::operations::v1::operations_client::OperationsClient;
use rpc::Refusal;
use service::testing::{person_token, start, until};
use service::{Failure, Ground, NoCommand, NoSettings, Service};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tonic::{Code, Status};
use uuid::Uuid;

struct Empty;

impl Service for Empty {
    const NAME: &'static str = "scheduling";
    const ACCESS: access::Table = &[];
    type Settings = NoSettings;
    type Command = NoCommand;

    fn migrations() -> Migrator {
        let migration = |version, sql: &'static str| {
            Migration::new(version, "schema".into(), MigrationType::Simple, sqlx::SqlStr::from_static(sql), false)
        };
        let all = [eventlog::MIGRATION_SQL, eventbus::SCHEMA, audit::SCHEMA];
        Migrator::with_migrations((1..).zip(all).map(|(version, sql)| migration(version, sql)).collect())
    }

    async fn wire(_: &Ground, _: NoSettings, bus: Bus) -> Result<(Self, Bus), Failure> {
        Ok((Self, bus))
    }

    fn surface(&self, _: &Ground, _: &BusHandle) -> rpc::Surface {
        rpc::Surface::new()
    }

    async fn run(_: &Ground, _: NoSettings, command: NoCommand) -> Result<(), Failure> {
        match command {}
    }
}

fn refused(answer: Result<impl std::fmt::Debug, Status>) -> (Code, String) {
    let read = Refusal::from_status(&answer.expect_err("this call is refused"));
    (read.code, read.reason)
}

#[tokio::test]
async fn an_operator_reads_the_status_and_nobody_else_does() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let operator = running.staff(Uuid::from_u128(7), Role::Operator, "32", None).await;
    let status = OperationsClient::new(operator).get_status(GetStatusRequest {}).await.unwrap().into_inner();
    assert_eq!(status.service, "scheduling");
    assert!(status.feeds.iter().any(|feed| feed.name == "authority" && feed.reached_head));

    let anyone = OperationsClient::new(running.anyone()).get_status(GetStatusRequest {}).await;
    assert_eq!(refused(anyone), (Code::Unauthenticated, "SIGN_IN_REQUIRED".to_owned()));
    let teacher = running.person(Uuid::from_u128(8));
    let answer = OperationsClient::new(teacher).get_status(GetStatusRequest {}).await;
    assert_eq!(refused(answer), (Code::PermissionDenied, "ROLE_REQUIRED".to_owned()));
    let clerk = running.staff(Uuid::from_u128(9), Role::Clerk, "32", Some(Uuid::from_u128(1))).await;
    let answer = OperationsClient::new(clerk).get_status(GetStatusRequest {}).await;
    assert_eq!(refused(answer), (Code::PermissionDenied, "ROLE_REQUIRED".to_owned()));
}

#[tokio::test]
async fn a_forged_an_expired_and_a_strange_services_token_are_refused() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let ask = async |token: &str| {
        refused(OperationsClient::new(running.with_token(token)).get_status(GetStatusRequest {}).await)
    };
    let invalid = (Code::Unauthenticated, "TOKEN_INVALID".to_owned());
    assert_eq!(ask("nonsense").await, invalid);

    let mut forged = person_token(Uuid::from_u128(7), Entry::Registration, true);
    forged.truncate(forged.len() - 4);
    assert_eq!(ask(&forged).await, invalid);

    let now = lifecycle::clock::now();
    let old = access::token::Claims::new(
        Uuid::from_u128(7),
        Uuid::from_u128(1),
        Entry::Registration,
        true,
        now - access::token::LIFETIME,
    );
    assert_eq!(ask(&service::testing::sign(&old)).await, (Code::Unauthenticated, "TOKEN_EXPIRED".to_owned()));

    // A token for another service does not open this one.
    let identity = access::ServiceIdentity::from_seed("applications", &[9; 32]);
    assert_eq!(ask(&identity.token_for("scheduling").token()).await, invalid);
}

#[tokio::test]
async fn a_token_of_a_key_that_is_not_known_is_called_invalid_only_by_who_hears_of_new_keys() {
    let mut running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let person = Uuid::from_u128(7);
    let claims =
        access::token::Claims::new(person, Uuid::from_u128(1), Entry::Registration, true, lifecycle::clock::now());
    let strange = access::token::Issuer::new("next-key", &[5; 32]).sign(&claims);
    let ask = async |running: &service::testing::Running<Empty>, token: &str| {
        refused(OperationsClient::new(running.with_token(token)).get_status(GetStatusRequest {}).await)
    };
    assert_eq!(ask(&running, &strange).await, (Code::Unauthenticated, "TOKEN_INVALID".to_owned()));

    // Identity is away, and may come back with a key that signs at once.
    running.neighbours.clear();
    until("identity to be unheard of", || !running.service.ground.authority.is_current()).await;
    assert_eq!(ask(&running, &strange).await, (Code::Unavailable, "REFERENCE_NOT_READY".to_owned()));
    let known = person_token(person, Entry::Registration, true);
    assert_eq!(ask(&running, &known).await, (Code::PermissionDenied, "ROLE_REQUIRED".to_owned()));
    assert_eq!(ask(&running, "nonsense").await, (Code::Unauthenticated, "TOKEN_INVALID".to_owned()));
}

#[tokio::test]
async fn a_method_without_a_row_is_closed_even_for_operators() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let operator = running.staff(Uuid::from_u128(7), Role::Operator, "32", None).await;
    let mut client = proto::scheduling::v1::plans_client::PlansClient::new(operator);
    let answer = client.get_plan(proto::scheduling::v1::GetPlanRequest::default()).await;
    assert_eq!(refused(answer), (Code::PermissionDenied, "RPC_NOT_LISTED".to_owned()));
}
