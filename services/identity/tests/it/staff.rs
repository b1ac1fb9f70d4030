//! `Staff`: roles within scopes, and the list of them.

use identity::domain::role::Role as OwnRole;
use prost::{Message as _, Name as _};
use proto::identity::v1 as api;
use proto::identity::v1::staff_client::StaffClient;
use proto::identity::v1::{Role, StaffRoleGranted, StaffRoleRevoked};
use service::testing::{Channel, until};
use tonic::Code;
use uuid::Uuid;

use crate::desk::{Desk, Teacher, refusal, violations};
use crate::directory::{self, agency, point, school};

struct Office {
    desk: Desk,
    staff: StaffClient<Channel>,
    administrator: Uuid,
    person: Uuid,
}

/// A security administrator of Jiangsu and somebody without a role.
async fn office() -> Office {
    let desk = directory::desk().await;
    let (administrator, token) = desk.staff(&Teacher::new(1), OwnRole::SecurityAdmin, "320000", None).await;
    let newcomer = desk.newcomer(&Teacher::new(2)).await.access_token;
    let person = desk.person_id(&newcomer).await;
    let staff = StaffClient::new(desk.identity.with_token(&token));
    Office { desk, staff, administrator, person }
}

fn grant(person: Uuid, role: Role, division: &str, unit_id: &str) -> api::GrantRoleRequest {
    api::GrantRoleRequest {
        request_id: lifecycle::ids::random().to_string(),
        person_id: person.to_string(),
        role: role.into(),
        scope: Some(api::Scope { division: division.to_owned(), unit_id: unit_id.to_owned() }),
    }
}

fn revoke(person: Uuid, grant_id: &str) -> api::RevokeRoleRequest {
    api::RevokeRoleRequest {
        request_id: lifecycle::ids::random().to_string(),
        person_id: person.to_string(),
        grant_id: grant_id.to_owned(),
    }
}

#[tokio::test]
async fn a_granted_role_is_signed_listed_and_counts_until_it_is_taken_back() {
    let Office { desk, mut staff, person, .. } = office().await;
    let request = grant(person, Role::Auditor, "320000", "");
    let granted = staff.grant_role(request.clone()).await.unwrap().into_inner();
    assert_eq!(staff.grant_role(request).await.unwrap().into_inner(), granted, "a repeated request has one effect");

    let events = desk.identity.service.ground.log.load(person).await.unwrap();
    let event = events.last().unwrap();
    assert_eq!((event.kind.as_str(), event.position), (StaffRoleGranted::full_name().as_str(), granted.position));
    assert_eq!(event.metadata.division.as_str(), "320000");
    let payload = StaffRoleGranted::decode(event.payload.as_slice()).unwrap();
    assert!(service::testing::root_key().public().signed_grant(&payload));

    let authority = desk.identity.service.ground.authority.clone();
    until("the role to count", || authority.now().is_some_and(|known| known.grants.contains_key(&person))).await;
    desk.give_totp(person, &Teacher::new(2)).await;
    let token = desk.sign_in_as_staff(&Teacher::new(2)).await.access_token;
    let mut auditor = StaffClient::new(desk.identity.with_token(&token));
    let request = api::ListGrantsRequest { min_position: granted.position, ..Default::default() };
    let listed = auditor.list_grants(request).await.unwrap().into_inner().grants;
    assert_eq!((listed[0].grant_id.as_str(), listed[0].role), (granted.grant_id.as_str(), Role::Auditor.into()));
    let forbidden = refusal(auditor.grant_role(grant(person, Role::Auditor, "320000", "")).await);
    assert_eq!((forbidden.code, forbidden.reason.as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));

    let request = revoke(person, &granted.grant_id);
    let revoked = staff.revoke_role(request.clone()).await.unwrap().into_inner();
    assert_eq!(staff.revoke_role(request).await.unwrap().into_inner(), revoked);
    let events = desk.identity.service.ground.log.load(person).await.unwrap();
    let payload = StaffRoleRevoked::decode(events.last().unwrap().payload.as_slice()).unwrap();
    assert!(service::testing::root_key().public().signed_revocation(&payload));
    until("the role to end", || authority.now().is_some_and(|known| !known.grants.contains_key(&person))).await;
    assert_eq!(refusal(auditor.list_grants(api::ListGrantsRequest::default()).await).reason, "ROLE_REQUIRED");
    let again = refusal(staff.revoke_role(revoke(person, &granted.grant_id)).await);
    assert_eq!((again.code, again.reason.as_str()), (Code::FailedPrecondition, "UNKNOWN_GRANT"));
}

#[tokio::test]
async fn a_change_of_rights_ends_the_sessions_in_which_roles_count_and_no_others() {
    let Office { desk, mut staff, person, .. } = office().await;
    let teacher = Teacher::new(2);
    let refresh = async |tokens: &api::Tokens| {
        let request = api::RefreshSessionRequest { refresh_token: tokens.refresh_token.clone() };
        desk.sessions().refresh_session(request).await
    };
    staff.grant_role(grant(person, Role::Auditor, "320000", "")).await.unwrap();
    desk.give_totp(person, &teacher).await;
    let (passed, not_passed) = (desk.sign_in_as_staff(&teacher).await, desk.sign_in(&teacher).await);
    let granted = staff.grant_role(grant(person, Role::Helpdesk, "320000", "")).await.unwrap().into_inner();
    assert_eq!(refusal(refresh(&passed).await).reason, "SESSION_ENDED");
    refresh(&not_passed).await.unwrap();
    let passed = desk.sign_in_as_staff(&teacher).await;
    staff.revoke_role(revoke(person, &granted.grant_id)).await.unwrap();
    assert_eq!(refusal(refresh(&passed).await).reason, "SESSION_ENDED");
}

#[tokio::test]
async fn a_role_that_cannot_be_given_is_refused_with_its_reason() {
    let Office { desk: _desk, mut staff, administrator, person } = office().await;
    staff.grant_role(grant(person, Role::Clerk, "320302", &point("320302"))).await.unwrap();
    staff.grant_role(grant(person, Role::Operator, "320000", "")).await.unwrap();
    for (request, code, reason) in [
        (grant(person, Role::Clerk, "320302", &point("320302")), Code::FailedPrecondition, "ALREADY_GRANTED"),
        (grant(person, Role::Auditor, "320000", ""), Code::FailedPrecondition, "ROLES_EXCLUDE_EACH_OTHER"),
        (grant(person, Role::SecurityAdmin, "320000", ""), Code::FailedPrecondition, "ROLES_EXCLUDE_EACH_OTHER"),
        (
            grant(Uuid::from_u128(5), Role::Clerk, "320302", &point("320302")),
            Code::FailedPrecondition,
            "UNKNOWN_PERSON",
        ),
        (grant(person, Role::Clerk, "330102", &point("330102")), Code::PermissionDenied, "OUTSIDE_SCOPE"),
        (grant(person, Role::Operator, "000000", ""), Code::PermissionDenied, "OUTSIDE_SCOPE"),
        (grant(administrator, Role::Clerk, "320302", &point("320302")), Code::PermissionDenied, "OWN_ROLE"),
    ] {
        let refused = refusal(staff.grant_role(request).await);
        assert_eq!((refused.code, refused.reason.as_str()), (code, reason));
    }
}

#[tokio::test]
async fn a_role_holds_only_for_a_unit_of_its_kind_that_lies_where_the_scope_says() {
    let Office { desk: _desk, mut staff, person, .. } = office().await;
    for (role, county, unit, reason) in [
        // Else an administrator of Jiangsu could make somebody reviewer of an agency of Zhejiang.
        (Role::Reviewer, "320302", agency("330102"), "UNIT_ELSEWHERE"),
        (Role::Liaison, "320303", school("320302"), "UNIT_ELSEWHERE"),
        (Role::Clerk, "320302", school("320302"), "UNKNOWN_UNIT"),
        (Role::ScheduleOfficer, "320302", point("320302"), "UNKNOWN_UNIT"),
        (Role::Reviewer, "320302", Uuid::from_u128(9).to_string(), "UNKNOWN_UNIT"),
    ] {
        let request = grant(person, role, county, &unit);
        let mut refused = refusal(staff.grant_role(request.clone()).await);
        while refused.reason == "REFERENCE_NOT_READY" {
            refused = refusal(staff.grant_role(request.clone()).await);
        }
        assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, reason));
    }
    staff.grant_role(grant(person, Role::Reviewer, "320302", &agency("320302"))).await.unwrap();
}

#[tokio::test]
async fn no_unit_is_said_to_be_unknown_before_the_directory_is_known() {
    let desk = Desk::open().await;
    let (_, token) = desk.staff(&Teacher::new(1), OwnRole::SecurityAdmin, "320000", None).await;
    let mut staff = StaffClient::new(desk.identity.with_token(&token));
    let refused = refusal(staff.grant_role(grant(Uuid::from_u128(5), Role::Clerk, "320302", &point("320302"))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "REFERENCE_NOT_READY"));
    assert!(refused.retry_after.is_some());
}

#[tokio::test]
async fn a_grant_of_another_province_is_not_ours_to_know() {
    let Office { desk, mut staff, .. } = office().await;
    let elsewhere = Teacher::new(3);
    // The enrolment is over: a national administrator would do this; here the log is written as that one would.
    let handle = desk.handle().await;
    desk.register(&elsewhere).await;
    let token = desk.sign_in(&elsewhere).await.access_token;
    let person = desk.person_id(&token).await;
    let asked =
        identity::handle::Asked { actor: "person:5".to_owned(), id: lifecycle::ids::random(), fingerprint: [0; 32] };
    let by = identity::domain::account::Authority::Bootstrap;
    let scope = identity::domain::role::Scope {
        division: identity::domain::role::Division::parse("330000").unwrap(),
        unit: None,
    };
    let (grant_id, position) = handle.grant_role(&asked, person, OwnRole::Operator, scope, &by).await.unwrap();
    let refused = refusal(staff.revoke_role(revoke(person, &grant_id.to_string())).await);
    assert_eq!(refused.reason, "UNKNOWN_GRANT");
    for province in ["", "33"] {
        let request =
            api::ListGrantsRequest { province: province.to_owned(), min_position: position, ..Default::default() };
        let listed = staff.list_grants(request).await.unwrap().into_inner().grants;
        assert!(listed.iter().all(|grant| grant.person_id != person.to_string()), "{listed:?}");
    }
}

#[tokio::test]
async fn wrong_fields_are_named_at_once() {
    let Office { desk: _desk, mut staff, person, .. } = office().await;
    let request = api::GrantRoleRequest {
        request_id: String::new(),
        person_id: "x".to_owned(),
        role: 99,
        scope: Some(api::Scope { division: "32".to_owned(), unit_id: "x".to_owned() }),
    };
    let refused = refusal(staff.grant_role(request).await);
    let expected = [
        ("request_id", "REQUIRED"),
        ("person_id", "NOT_A_UUID"),
        ("role", "UNKNOWN_VALUE"),
        ("scope.division", "MALFORMED"),
        ("scope.unit_id", "NOT_A_UUID"),
    ];
    assert_eq!(violations(&refused), expected);
    for (request, expected) in [
        (grant(person, Role::Clerk, "320302", ""), ("scope.unit_id", "REQUIRED")),
        (grant(person, Role::Helpdesk, "320000", &point("320302")), ("scope.unit_id", "NOT_EXPECTED")),
        (grant(person, Role::Helpdesk, "320300", ""), ("scope.division", "PROVINCE_EXPECTED")),
        (grant(person, Role::RuleOfficer, "000000", ""), ("scope.division", "NATION_NOT_EXPECTED")),
    ] {
        assert_eq!(violations(&refusal(staff.grant_role(request).await)), [expected]);
    }
    let request = api::RevokeRoleRequest::default();
    let expected = [("request_id", "REQUIRED"), ("person_id", "REQUIRED"), ("grant_id", "REQUIRED")];
    assert_eq!(violations(&refusal(staff.revoke_role(request).await)), expected);
    let request = api::ListGrantsRequest {
        province: "3".to_owned(),
        page_size: -1,
        page_token: "x".to_owned(),
        ..Default::default()
    };
    let expected = [("page_size", "NEGATIVE"), ("province", "MALFORMED"), ("page_token", "NOT_A_PAGE_TOKEN")];
    assert_eq!(violations(&refusal(staff.list_grants(request).await)), expected);
}

#[tokio::test]
async fn the_list_pages_newest_first_through_every_grant_once() {
    let Office { desk: _desk, mut staff, person, .. } = office().await;
    let mut position = 0;
    for county in ["320302", "320303", "320305"] {
        let granted = staff.grant_role(grant(person, Role::Liaison, county, &school(county))).await.unwrap();
        position = granted.into_inner().position;
    }
    let (mut seen, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::ListGrantsRequest {
            province: "32".to_owned(),
            page_size: 2,
            page_token,
            min_position: position,
            ..Default::default()
        };
        let page = staff.list_grants(request).await.unwrap().into_inner();
        assert!(page.grants.len() <= 2);
        seen.extend(page.grants.into_iter().map(|grant| grant.scope.unwrap().division));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["320305", "320303", "320302", "320000"]);
    let ahead = api::ListGrantsRequest { min_position: position + 100, ..Default::default() };
    let refused = refusal(staff.list_grants(ahead).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unavailable, "VIEW_BEHIND"));
}

#[tokio::test]
async fn a_rebuilt_list_is_the_live_one() {
    let Office { desk, mut staff, person, .. } = office().await;
    for county in ["320302", "320303", "320305"] {
        let granted =
            staff.grant_role(grant(person, Role::Liaison, county, &school(county))).await.unwrap().into_inner();
        if county == "320303" {
            staff.revoke_role(revoke(person, &granted.grant_id)).await.unwrap();
        }
    }
    let rebuilt = desk.identity.service.bus.rebuild("grants", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
    let listed = staff.list_grants(api::ListGrantsRequest::default()).await.unwrap().into_inner().grants;
    assert_eq!(listed.len(), 3);
}
