//! Every RPC has its row, and rows mean what they say.

use proto::identity::v1::Role;
use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::plans_client::PlansClient;
use proto::scheduling::v1::{AddAgencyRequest, ListDivisionsRequest, PublishPlanRequest};
use scheduling::Scheduling;
use service::Service as _;
use tonic::Code;
use uuid::Uuid;

use crate::harness::{World, refused, request_id};

#[test]
fn every_rpc_has_its_row() {
    assert_eq!(access::uncovered(Scheduling::ACCESS, "dingzhu.scheduling.v1"), Vec::<String>::new());
}

#[test]
fn the_platforms_tables_are_the_platforms() {
    assert_eq!(include_str!("../../migrations/20261123000001_create_event_log.sql"), eventlog::MIGRATION_SQL);
    assert_eq!(include_str!("../../migrations/20261123000002_create_bus.sql"), eventbus::SCHEMA);
    assert_eq!(include_str!("../../migrations/20261126000082_create_audit_record.sql"), audit::SCHEMA);
    assert_eq!(include_str!("../../migrations/20261127000001_key_requests_by_id.sql"), eventlog::REQUEST_KEY_SQL);
}

#[tokio::test]
async fn reading_needs_a_signed_in_person_and_changing_an_officer() {
    let world = World::start().await;
    let list = ListDivisionsRequest { parent: String::new() };
    let nobody = DirectoryClient::new(world.running.anyone()).list_divisions(list.clone()).await;
    assert_eq!(refused(nobody).code, Code::Unauthenticated);
    let mut person = DirectoryClient::new(world.running.person(Uuid::from_u128(0xb)));
    assert_eq!(person.list_divisions(list).await.unwrap().into_inner().divisions.len(), 31);
    let add =
        AddAgencyRequest {
            request_id: request_id(), division: "320000".to_owned(), name: "江苏省教育厅".to_owned()
        };
    let refusal = refused(person.add_agency(add).await);
    assert_eq!((refusal.code, refusal.reason.as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));
}

#[tokio::test]
async fn an_officer_changes_nothing_beyond_their_own_division() {
    let world = World::start().await;
    let refusal = refused(
        world
            .directory()
            .add_agency(AddAgencyRequest {
                request_id: request_id(),
                division: "330100".to_owned(),
                name: "杭州市教育局".to_owned(),
            })
            .await,
    );
    assert_eq!(refusal.code, Code::NotFound);

    let [_, _, gulou] = world.agencies().await;
    let unit = Some(Uuid::parse_str(&gulou.agency_id).unwrap());
    let county = world.running.staff(Uuid::from_u128(0xc), Role::ScheduleOfficer, "320302", unit).await;
    let mut plans = PlansClient::new(county);
    let publish =
        PublishPlanRequest { request_id: request_id(), province: "32".to_owned(), batch: "春季".to_owned() };
    assert_eq!(refused(plans.publish_plan(publish).await).code, Code::NotFound);
}
