//! `AccessLog`: what a person learns of who looked at their data, and the reveal of the helpdesk.

use identity::domain::role::Role as OwnRole;
use proto::applications::v1::ApplicationSubmitted;
use proto::identity::v1 as api;
use proto::identity::v1::access_log_client::AccessLogClient;
use proto::identity::v1::export_client::ExportClient;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::{PersonField, Role};
use tonic::{Code, Request};
use uuid::Uuid;

use crate::desk::{Desk, Teacher, refusal, violations};
use crate::erasure::{erase, registry};

fn log(desk: &Desk, token: &str) -> AccessLogClient<service::testing::Channel> {
    AccessLogClient::new(desk.identity.with_token(token))
}

/// The own records, once there are so many.
async fn records(desk: &Desk, token: &str, count: usize) -> Vec<api::Access> {
    let ask = async || {
        let request = api::ListMyAccessRequest { page_size: 100, ..Default::default() };
        let accesses = log(desk, token).list_my_access(request).await.unwrap().into_inner().accesses;
        (accesses.len() >= count).then_some(accesses)
    };
    cluster::wait::until("the records of access", std::time::Duration::from_secs(20), ask).await.unwrap()
}

fn reveal(person: Uuid, fields: &[PersonField]) -> api::RevealRequest {
    api::RevealRequest {
        person_id: person.to_string(),
        fields: fields.iter().map(|field| (*field).into()).collect(),
        purpose: "来电求助更换手机".to_owned(),
    }
}

#[tokio::test]
async fn a_person_reads_who_looked_when_why_and_through_which_service() {
    let desk = Desk::open().await;
    let (teacher, other) = (Teacher::new(1), Teacher::new(2));
    let token = desk.newcomer(&teacher).await.access_token;
    let others = desk.newcomer(&other).await.access_token;
    let person = desk.person_id(&token).await;

    let lookups =
        [&teacher, &other].map(|who| api::PersonLookup { number: who.number.clone(), name: "别人".to_owned() });
    let unknown = api::PersonLookup { number: Teacher::new(3).number, name: "示例一".to_owned() };
    let lookups = lookups.into_iter().chain([unknown]).collect();
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    certificates.find_person_by_number(api::FindPersonByNumberRequest { lookups }).await.unwrap();
    let details =
        api::GetPersonDetailsRequest { person_id: person.to_string(), purpose: "匹配教师资格证书".to_owned() };
    certificates.get_person_details(details.clone()).await.unwrap();
    let contact = api::GetContactRequest { person_id: person.to_string(), purpose: "发送通知".to_owned() };
    ProfilesClient::new(desk.identity.service("notifications")).get_contact(contact).await.unwrap();
    let profile = api::CompleteProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: "01".to_owned(),
        ..Default::default()
    };
    desk.profiles(&token).complete_profile(profile).await.unwrap();
    let mut request = Request::new(api::GetPersonDetailsRequest { purpose: "填写申请".to_owned(), ..details });
    request.metadata_mut().insert("x-dingzhu-on-behalf-of", token.parse().unwrap());
    ProfilesClient::new(desk.identity.service("applications")).get_person_details(request).await.unwrap();

    let seen = records(&desk, &token, 4).await;
    let told: Vec<_> = seen.iter().map(|one| (one.service.as_str(), one.purpose.as_str(), one.for_myself)).collect();
    assert_eq!(
        told,
        [
            ("applications", "填写申请", true),
            ("notifications", "发送通知", false),
            ("certificates", "匹配教师资格证书", false),
            ("certificates", "按证件号码核对账号", false),
        ]
    );
    let fields: Vec<PersonField> = seen[1].fields().collect();
    assert_eq!(fields, [PersonField::Name, PersonField::Phone, PersonField::Email]);
    assert!(seen.iter().all(|one| one.role() == Role::Unspecified && one.time.is_some()));
    assert_eq!(records(&desk, &others, 1).await.len(), 1, "everybody reads their own records only");
    let stored: Vec<String> = sqlx::query_scalar("SELECT t::text FROM access_record t")
        .fetch_all(&desk.identity.service.ground.pool)
        .await
        .unwrap();
    assert!(!stored.join("\n").contains(&hex::encode("填写申请")), "why somebody looked is sealed");
}

#[tokio::test]
async fn the_list_pages_newest_first_through_every_record_once() {
    let desk = Desk::open().await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let person = desk.person_id(&token).await;
    for purpose in ["一", "二", "三", "四", "五"] {
        let contact = api::GetContactRequest { person_id: person.to_string(), purpose: purpose.to_owned() };
        ProfilesClient::new(desk.identity.service("notifications")).get_contact(contact).await.unwrap();
    }
    records(&desk, &token, 5).await;
    let (mut told, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = api::ListMyAccessRequest { page_size: 2, page_token };
        let page = log(&desk, &token).list_my_access(request).await.unwrap().into_inner();
        assert!(page.accesses.len() <= 2);
        told.extend(page.accesses.into_iter().map(|one| one.purpose));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(told, ["五", "四", "三", "二", "一"]);
    let bad = api::ListMyAccessRequest { page_size: -1, page_token: "x".to_owned() };
    let refused = refusal(log(&desk, &token).list_my_access(bad).await);
    assert_eq!(violations(&refused), [("page_size", "NEGATIVE"), ("page_token", "NOT_A_PAGE_TOKEN")]);
    let anyone = AccessLogClient::new(desk.identity.anyone()).list_my_access(api::ListMyAccessRequest::default()).await;
    assert_eq!(refusal(anyone).reason, "SIGN_IN_REQUIRED");
}

#[tokio::test]
async fn the_helpdesk_of_the_province_sees_named_fields_and_the_person_learns_it() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let (_, ours) = desk.staff(&Teacher::new(2), OwnRole::Helpdesk, "320000", None).await;
    let (_, theirs) = desk.staff(&Teacher::new(3), OwnRole::Helpdesk, "330000", None).await;
    let ask = async |token: &str, request: api::RevealRequest| log(&desk, token).reveal(request).await;
    let named = reveal(person, &[PersonField::Phone]);
    let shown = cluster::wait::until("the roles to count", std::time::Duration::from_secs(20), async || {
        ask(&theirs, named.clone()).await.err().filter(|status| status.code() == Code::NotFound)?;
        ask(&ours, named.clone()).await.ok().map(tonic::Response::into_inner)
    })
    .await
    .unwrap();
    assert_eq!(shown, api::RevealResponse { phone: teacher.phone.clone(), ..Default::default() });
    let seen = records(&desk, &token, 1).await;
    assert_eq!(
        (seen[0].service.as_str(), seen[0].role(), seen[0].division.as_str()),
        ("identity", Role::Helpdesk, "320000")
    );
    assert_eq!((seen[0].purpose.as_str(), seen[0].for_myself), ("来电求助更换手机", false));
    assert_eq!(seen[0].fields().collect::<Vec<_>>(), [PersonField::Phone]);
    assert_eq!(seen.len(), 1, "what was refused is no look");

    let submitted = ApplicationSubmitted {
        certificate_id: Uuid::from_u128(9).to_string(),
        enrolment_number: "20263303020000017".to_owned(),
        person_id: person.to_string(),
        ..Default::default()
    };
    let filed = desk.identity.neighbour("applications").publish(Uuid::from_u128(9), "330302", &submitted).await;
    let bus = &desk.identity.service.bus;
    let heard = async || bus.wait_for("filed-applications", filed.position).await.ok();
    cluster::wait::until("the filing to be heard", std::time::Duration::from_secs(20), heard).await.unwrap();
    assert_eq!(refusal(ask(&ours, named.clone()).await).code, Code::NotFound, "a person belongs where they filed");
    ask(&theirs, named.clone()).await.unwrap();

    let refused = refusal(ask(&token, named.clone()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));
    let empty = refusal(ask(&theirs, api::RevealRequest::default()).await);
    assert_eq!(violations(&empty), [("person_id", "REQUIRED"), ("fields", "REQUIRED"), ("purpose", "MALFORMED")]);
    let form = refusal(ask(&theirs, reveal(person, &[PersonField::Form])).await);
    assert_eq!(violations(&form), [("fields", "UNKNOWN_VALUE")]);
}

#[tokio::test]
async fn the_helpdesk_of_the_province_finds_a_person_by_the_whole_number_and_the_person_learns_it() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let (_, ours) = desk.staff(&Teacher::new(2), OwnRole::Helpdesk, "320000", None).await;
    let (_, theirs) = desk.staff(&Teacher::new(3), OwnRole::Helpdesk, "330000", None).await;
    let ask = async |token: &str, request: api::FindPersonRequest| log(&desk, token).find_person(request).await;
    let by = |number: &str| api::FindPersonRequest {
        document_type: api::DocumentType::ResidentId.into(),
        number: number.to_owned(),
        purpose: "来电求助登录".to_owned(),
    };
    let found = ask(&ours, by(&teacher.number.to_lowercase())).await.unwrap().into_inner();
    let expected = api::FindPersonResponse {
        person_id: person.to_string(),
        masked_number: format!("320*************{}", &teacher.number[16..]),
        masked_name: "示例*".to_owned(),
        masked_phone: "100****0001".to_owned(),
    };
    assert_eq!(found, expected);
    let elsewhere = ask(&theirs, by(&teacher.number)).await.unwrap_err();
    let unknown = ask(&theirs, by(&Teacher::new(9).number)).await.unwrap_err();
    assert_eq!((elsewhere.code(), elsewhere.details()), (Code::NotFound, unknown.details()));

    let seen = records(&desk, &token, 1).await;
    assert_eq!(seen.len(), 1, "what was refused is no look");
    assert_eq!((seen[0].role(), seen[0].division.as_str()), (Role::Helpdesk, "320000"));
    assert_eq!((seen[0].purpose.as_str(), seen[0].for_myself), ("来电求助登录", false));
    let fields: Vec<PersonField> = seen[0].fields().collect();
    assert_eq!(fields, [PersonField::Number, PersonField::Name, PersonField::Phone]);

    let refused = refusal(ask(&token, by(&teacher.number)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));
    let nothing = api::FindPersonRequest { document_type: 1, ..Default::default() };
    let refused = refusal(ask(&ours, nothing).await);
    assert_eq!(violations(&refused), [("number", "REQUIRED"), ("purpose", "MALFORMED")]);
    desk.sql("ALTER TABLE access_record RENAME TO access_record_away").await;
    assert_eq!(refusal(ask(&ours, by(&teacher.number)).await).code, Code::Internal, "without its record");
}

#[tokio::test]
async fn without_its_record_nothing_is_revealed() {
    let desk = registry().await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let person = desk.person_id(&token).await;
    let (_, helpdesk) = desk.staff(&Teacher::new(2), OwnRole::Helpdesk, "320000", None).await;
    log(&desk, &helpdesk).reveal(reveal(person, &[PersonField::Name])).await.unwrap();
    desk.sql("ALTER TABLE access_record RENAME TO access_record_away").await;
    let refused = refusal(log(&desk, &helpdesk).reveal(reveal(person, &[PersonField::Name])).await);
    assert_eq!(refused.code, Code::Internal);
    // What other services wait for does not wait for the record.
    let contact = api::GetContactRequest { person_id: person.to_string(), purpose: "发送通知".to_owned() };
    ProfilesClient::new(desk.identity.service("notifications")).get_contact(contact).await.unwrap();
}

#[tokio::test]
async fn a_reveal_of_applications_is_recorded_with_the_role_of_who_looks() {
    let desk = registry().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    // Somebody with two roles: a school's here, a point's elsewhere.
    let (colleague, school) = (Teacher::new(2), Some(Uuid::from_u128(4)));
    let liaison = colleague.member(OwnRole::Liaison, "320303", school);
    let clerk = colleague.member(OwnRole::Clerk, "320302", Some(Uuid::from_u128(5)));
    desk.handle().await.enrol(&[liaison, clerk]).await.unwrap();
    let both = desk.sign_in_as_staff(&colleague).await.access_token;
    let viewer = desk.person_id(&both).await;
    let authority = &desk.identity.service.ground.authority;
    let roles = || authority.now().and_then(|known| known.grants.get(&viewer).cloned()).unwrap_or_default();
    service::testing::until("both roles to be known", || roles().len() == 2).await;
    let granted = |role: Role| roles().iter().find(|grant| grant.role == role).unwrap().id;
    let message = |grant: Uuid| api::RecordRevealRequest {
        person_id: person.to_string(),
        fields: vec![PersonField::Number.into(), PersonField::Form.into()],
        purpose: "核对申请表".to_owned(),
        grant_id: grant.to_string(),
    };
    let record = async |message: api::RecordRevealRequest| {
        let mut request = Request::new(message);
        request.metadata_mut().insert("x-dingzhu-on-behalf-of", both.parse().unwrap());
        AccessLogClient::new(desk.identity.service("applications")).record_reveal(request).await
    };
    for role in [Role::Liaison, Role::Clerk] {
        record(message(granted(role))).await.unwrap();
    }
    let seen = records(&desk, &token, 2).await;
    let told: Vec<_> = seen.iter().map(|one| (one.service.as_str(), one.role(), one.division.as_str())).collect();
    assert_eq!(told, [("applications", Role::Clerk, "320302"), ("applications", Role::Liaison, "320303")]);
    assert!(seen.iter().all(|one| one.purpose == "核对申请表"));
    assert_eq!(
        refusal(record(message(Uuid::from_u128(7))).await).reason,
        "UNKNOWN_GRANT",
        "nobody looks by another's role"
    );
    let empty = refusal(record(api::RecordRevealRequest::default()).await);
    let fields: Vec<&str> = violations(&empty).iter().map(|(field, _)| *field).collect();
    assert_eq!(fields, ["grant_id", "person_id", "fields", "purpose"]);
    let message = message(granted(Role::Clerk));
    let other = AccessLogClient::new(desk.identity.service("certificates")).record_reveal(message).await;
    assert_eq!(refusal(other).reason, "ROLE_REQUIRED");

    erase(&desk, &token, &teacher).await;
    let handle = desk.handle().await;
    let left = cluster::wait::until("the purpose to be unreadable", std::time::Duration::from_secs(20), async || {
        let left = handle.accesses(person, None, 10).await.unwrap();
        left.iter().all(|(_, access)| access.purpose.is_empty()).then_some(left)
    })
    .await
    .unwrap();
    assert_eq!(left.len(), 2, "that somebody looked stays, why cannot be read");
}

#[tokio::test]
async fn a_person_exports_what_identity_holds_of_them_and_of_nobody_else() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    desk.newcomer(&Teacher::new(2)).await;
    let person = desk.person_id(&token).await;
    let contact = api::GetContactRequest { person_id: person.to_string(), purpose: "发送通知".to_owned() };
    ProfilesClient::new(desk.identity.service("notifications")).get_contact(contact).await.unwrap();
    records(&desk, &token, 1).await;
    let mut export = ExportClient::new(desk.identity.with_token(&token));
    let json = export.export_my_data(api::ExportMyDataRequest {}).await.unwrap().into_inner().json;
    assert!(!json.contains(&Teacher::new(2).number));
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&all["profile"]["number"], &all["profile"]["phone"]), (&teacher.number.into(), &teacher.phone.into()));
    assert_eq!((all["sessions"].as_array().unwrap().len(), &all["sessions"][0]["ended"]), (1, &false.into()));
    assert_eq!(all["access_log"][0]["purpose"], "发送通知");
    assert_eq!(all["truncated"], serde_json::json!({"access_log": null, "calls": null}));
    let anyone = ExportClient::new(desk.identity.anyone()).export_my_data(api::ExportMyDataRequest {}).await;
    assert_eq!(refusal(anyone).reason, "SIGN_IN_REQUIRED");
}

#[tokio::test]
async fn an_export_holds_the_own_calls_with_their_address_and_says_since_when_it_is_whole() {
    let desk = Desk::open().await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let other = desk.newcomer(&Teacher::new(2)).await.access_token;
    let (person, other) = (desk.person_id(&token).await, desk.person_id(&other).await);
    let export = async || {
        let mut client = ExportClient::new(desk.identity.with_token(&token));
        let json = client.export_my_data(api::ExportMyDataRequest {}).await.unwrap().into_inner().json;
        serde_json::from_str::<serde_json::Value>(&json).unwrap()
    };
    let all = cluster::wait::until("the own sign-in", std::time::Duration::from_secs(20), async || {
        let all = export().await;
        let calls = all["calls"].as_array().unwrap();
        calls.iter().any(|call| call["method"] == "dingzhu.identity.v1.Sessions/CompleteSignIn").then_some(all)
    });
    let all = all.await.unwrap();
    assert!(all["calls"].as_array().unwrap().iter().all(|call| call["address"] == "127.0.0.1"), "{all}");

    let pool = &desk.identity.service.ground.pool;
    for (sql, whose) in [
        (
            "INSERT INTO access_record (record_id, person, looked_at, service, fields, purpose)
             SELECT gen_random_uuid(), $1, '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 minute', 'certificates', '{1}', ''
             FROM generate_series(0, 4000) AS n ORDER BY n",
            person,
        ),
        (
            "INSERT INTO audit_record (called_at, person, divisions, method, code, reason)
             SELECT '2026-01-01T00:00:00Z'::timestamptz + n * interval '1 minute', $1, '{}', 'a.v1.B/C', 'OK', ''
             FROM generate_series(0, 4000) AS n ORDER BY n",
            other,
        ),
    ] {
        sqlx::query(sql).bind(whose).execute(pool).await.unwrap();
    }
    let all = export().await;
    let told = all["access_log"].as_array().unwrap();
    assert_eq!((told.len(), &told[3999]["time"]), (4000, &all["truncated"]["access_log"]));
    assert_eq!(all["truncated"], serde_json::json!({"access_log": "2026-01-01T00:01:00Z", "calls": null}));
}
