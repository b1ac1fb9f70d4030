//! `Profiles`: one's own, and what the other services may know.

use proto::identity::v1 as api;
use proto::identity::v1::export_client::ExportClient;
use proto::identity::v1::profiles_client::ProfilesClient;
use tonic::{Code, Request};
use uuid::Uuid;

use crate::desk::{Desk, Teacher, refusal, violations};

fn complete(ethnicity: &str) -> api::CompleteProfileRequest {
    api::CompleteProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: ethnicity.to_owned(),
        ..Default::default()
    }
}

fn details(person: Uuid) -> api::GetPersonDetailsRequest {
    api::GetPersonDetailsRequest { person_id: person.to_string(), purpose: "填写申请".to_owned() }
}

/// Asks for details as applications does, with a person's token passed along.
async fn details_for(desk: &Desk, token: &str, person: Uuid) -> Result<api::GetPersonDetailsResponse, tonic::Status> {
    let mut request = Request::new(details(person));
    request.metadata_mut().insert("x-dingzhu-on-behalf-of", token.parse().unwrap());
    let mut profiles = ProfilesClient::new(desk.identity.service("applications"));
    profiles.get_person_details(request).await.map(tonic::Response::into_inner)
}

#[tokio::test]
async fn a_profile_is_shown_masked_to_its_person() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let profile = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!(profile.masked_number, format!("320*************{}", &teacher.number[16..]));
    assert_eq!((profile.masked_name.as_str(), profile.masked_phone.as_str()), ("示例*", "100****0001"));
    assert_eq!((profile.document_type, profile.complete, profile.ethnicity.as_str()), (1, false, ""));
}

#[tokio::test]
async fn nobody_reads_or_completes_a_profile_without_signing_in() {
    let desk = Desk::open().await;
    let mut anyone = ProfilesClient::new(desk.identity.anyone());
    assert_eq!(refusal(anyone.get_profile(api::GetProfileRequest {}).await).reason, "SIGN_IN_REQUIRED");
    let refused = refusal(anyone.complete_profile(complete("01")).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Unauthenticated, "SIGN_IN_REQUIRED"));
}

#[tokio::test]
async fn a_resident_completes_the_profile_with_the_ethnicity_once() {
    let desk = Desk::open().await;
    let tokens = desk.newcomer(&Teacher::new(1)).await;
    let request = complete("01");
    desk.profiles(&tokens.access_token).complete_profile(request.clone()).await.unwrap();
    let head = desk.head().await;
    desk.profiles(&tokens.access_token).complete_profile(request.clone()).await.unwrap();
    assert_eq!(desk.head().await, head, "a repeated request has one effect");
    let other = api::CompleteProfileRequest { ethnicity: "02".to_owned(), ..request };
    let refused = refusal(desk.profiles(&tokens.access_token).complete_profile(other).await);
    assert_eq!(refused.reason, "REQUEST_ID_REUSED");
    let refused = refusal(desk.profiles(&tokens.access_token).complete_profile(complete("02")).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "PROFILE_ALREADY_COMPLETE"));

    let profile =
        desk.profiles(&tokens.access_token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!((profile.complete, profile.ethnicity.as_str()), (true, "01"));
    let signed_in = desk.start_sign_in(&Teacher::new(1)).await;
    assert!(desk.sessions().complete_sign_in(signed_in).await.unwrap().into_inner().profile_complete);
}

#[tokio::test]
async fn wrong_fields_of_a_profile_are_named_at_once() {
    let desk = Desk::open().await;
    let token = desk.newcomer(&Teacher::new(1)).await.access_token;
    let request = api::CompleteProfileRequest { sex: "1".to_owned(), email: "x".to_owned(), ..complete("57") };
    let refused = refusal(desk.profiles(&token).complete_profile(request).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::InvalidArgument, "INVALID_FIELDS"));
    assert_eq!(violations(&refused), [("ethnicity", "MALFORMED"), ("sex", "NOT_EXPECTED"), ("email", "MALFORMED")]);
    let request = api::CompleteProfileRequest { request_id: "1".to_owned(), ..complete("01") };
    assert_eq!(
        violations(&refusal(desk.profiles(&token).complete_profile(request).await)),
        [("request_id", "NOT_A_UUID")]
    );
}

/// Somebody from Hong Kong with a 居住证, who has signed in.
async fn holder_of_a_residence_permit(desk: &Desk) -> String {
    let mut request = desk.registration(&Teacher::new(1)).await;
    request.document_type = api::DocumentType::ResidencePermit.into();
    request.number = crate::desk::whole("81000019940823001");
    desk.accounts().register_account(request.clone()).await.unwrap();
    let start = api::StartSignInRequest {
        document_type: request.document_type,
        number: request.number.clone(),
        password: request.password.clone(),
        entry: api::Entry::Recognition.into(),
    };
    let attempt_id = desk.sessions().start_sign_in(start).await.unwrap().into_inner().attempt_id;
    let code = desk.outbox.last(&request.phone, "sign_in_code");
    let signed_in = desk.sessions().complete_sign_in(api::CompleteSignInRequest { attempt_id, code }).await.unwrap();
    signed_in.into_inner().tokens.unwrap().access_token
}

/// What a holder of that 居住证 fills in.
fn whole_profile() -> api::CompleteProfileRequest {
    api::CompleteProfileRequest {
        sex: "1".to_owned(),
        birth_date: "1994-08-23".to_owned(),
        local_id_number: "A123456(3)".to_owned(),
        permit_number: "H1234567801".to_owned(),
        ..complete("01")
    }
}

#[tokio::test]
async fn a_holder_of_a_residence_permit_adds_what_the_permit_needs() {
    let desk = Desk::open().await;
    let token = holder_of_a_residence_permit(&desk).await;
    let refused = refusal(desk.profiles(&token).complete_profile(complete("01")).await);
    let missing = ["sex", "birth_date", "local_id_number", "permit_number"].map(|field| (field, "REQUIRED"));
    assert_eq!(violations(&refused), missing);
    let whole = whole_profile();
    let contradicting = api::CompleteProfileRequest { birth_date: "1994-08-24".to_owned(), ..whole.clone() };
    let refused = refusal(desk.profiles(&token).complete_profile(contradicting).await);
    assert_eq!(violations(&refused), [("birth_date", "DIFFERS_FROM_DOCUMENT")]);
    desk.profiles(&token).complete_profile(whole).await.unwrap();
    let person = desk.person_id(&token).await;
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    let known = certificates.get_person_details(details(person)).await.unwrap().into_inner();
    assert_eq!((known.sex.as_str(), known.birth_date.as_str(), known.document_type), ("1", "1994-08-23", 2));
}

fn change(ethnicity: &str) -> api::ChangeProfileRequest {
    api::ChangeProfileRequest {
        request_id: lifecycle::ids::random().to_string(),
        ethnicity: ethnicity.to_owned(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_mistyped_profile_is_mended_by_the_same_rules_and_the_same_one_changes_nothing() {
    let desk = Desk::open().await;
    let token = holder_of_a_residence_permit(&desk).await;
    let renewed = api::ChangeProfileRequest {
        sex: "1".to_owned(),
        birth_date: "1994-08-23".to_owned(),
        local_id_number: "B123456(6)".to_owned(),
        permit_number: "H8765432102".to_owned(),
        ..change("11")
    };
    let refused = refusal(desk.profiles(&token).change_profile(renewed.clone()).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "PROFILE_INCOMPLETE"));
    desk.profiles(&token).complete_profile(whole_profile()).await.unwrap();

    let wrong = api::ChangeProfileRequest {
        birth_date: "1994-08-24".to_owned(),
        local_id_number: "B123456(2)".to_owned(),
        permit_number: String::new(),
        ..renewed.clone()
    };
    let refused = refusal(desk.profiles(&token).change_profile(wrong).await);
    let expected = [
        ("birth_date", "DIFFERS_FROM_DOCUMENT"),
        ("local_id_number", "WRONG_CHECK_DIGIT"),
        ("permit_number", "REQUIRED"),
    ];
    assert_eq!(violations(&refused), expected);
    let unnamed = api::ChangeProfileRequest { request_id: String::new(), ..renewed.clone() };
    let refused = refusal(desk.profiles(&token).change_profile(unnamed).await);
    assert_eq!(violations(&refused), [("request_id", "REQUIRED")]);

    let head = desk.head().await;
    for _ in 0..2 {
        desk.profiles(&token).change_profile(renewed.clone()).await.unwrap();
    }
    assert_eq!(desk.head().await, head + 1, "a repeated request has one effect");
    let same = api::ChangeProfileRequest { request_id: lifecycle::ids::random().to_string(), ..renewed.clone() };
    desk.profiles(&token).change_profile(same).await.unwrap();
    assert_eq!(desk.head().await, head + 1, "the same profile once more changes nothing");
    let reused = api::ChangeProfileRequest { ethnicity: "02".to_owned(), ..renewed };
    assert_eq!(refusal(desk.profiles(&token).change_profile(reused).await).reason, "REQUEST_ID_REUSED");

    let shown = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!((shown.ethnicity.as_str(), shown.sex.as_str(), shown.birth_date.as_str()), ("11", "1", "1994-08-23"));
    assert_eq!(shown.masked_local_id_number, "B12*****6)");
    assert_eq!(shown.masked_permit_number, "H87****21");
    let mut export = ExportClient::new(desk.identity.with_token(&token));
    let json = export.export_my_data(api::ExportMyDataRequest {}).await.unwrap().into_inner().json;
    let all: serde_json::Value = serde_json::from_str(&json).unwrap();
    let profile = &all["profile"];
    assert_eq!((&profile["ethnicity"], &profile["complete"]), (&"11".into(), &true.into()));
    assert_eq!((&profile["local_id_number"], &profile["permit_number"]), (&"B123456(6)".into(), &"H87654321".into()));
    assert_eq!(profile["name"], "示例一");
}

#[tokio::test]
async fn applications_reads_a_person_with_that_persons_token_only() {
    let desk = Desk::open().await;
    let (teacher, other) = (Teacher::new(1), Teacher::new(2));
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let refused = refusal(details_for(&desk, &token, person).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, "PROFILE_INCOMPLETE"));

    desk.profiles(&token).complete_profile(complete("01")).await.unwrap();
    let known = details_for(&desk, &token, person).await.unwrap();
    let expected = api::GetPersonDetailsResponse {
        person_id: person.to_string(),
        document_type: 1,
        number: teacher.number.clone(),
        name: teacher.name.clone(),
        sex: if teacher.number.as_bytes()[16] % 2 == 1 { "1" } else { "2" }.to_owned(),
        birth_date: "1990-01-01".to_owned(),
        ethnicity: "01".to_owned(),
        phone: teacher.phone.clone(),
        email: teacher.email(),
    };
    assert_eq!(known, expected);

    let stranger = desk.newcomer(&other).await.access_token;
    let refused = refusal(details_for(&desk, &stranger, person).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "NOT_FOUND"));
    let mut alone = ProfilesClient::new(desk.identity.service("applications"));
    assert_eq!(refusal(alone.get_person_details(details(person)).await).reason, "NOT_FOUND");
    let mut direct = desk.profiles(&token);
    let refused = refusal(direct.get_person_details(details(person)).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, "ROLE_REQUIRED"));
}

#[tokio::test]
async fn certificates_reads_a_person_whose_profile_is_incomplete() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let person = desk.person_id(&token).await;
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    let known = certificates.get_person_details(details(person)).await.unwrap().into_inner();
    assert_eq!((known.number, known.name, known.ethnicity), (teacher.number, teacher.name, String::new()));
    let refused = refusal(certificates.get_person_details(details(Uuid::from_u128(5))).await);
    assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, "NOT_FOUND"));
    let request = api::GetPersonDetailsRequest { person_id: "x".to_owned(), purpose: String::new() };
    let refused = refusal(certificates.get_person_details(request).await);
    assert_eq!(violations(&refused), [("purpose", "MALFORMED"), ("person_id", "NOT_A_UUID")]);
}

#[tokio::test]
async fn notifications_asks_for_a_contact_and_nobody_else_does() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    let token = desk.newcomer(&teacher).await.access_token;
    let contact = api::GetContactRequest {
        person_id: desk.person_id(&token).await.to_string(),
        purpose: "发送通知".to_owned(),
    };
    let mut notifications = ProfilesClient::new(desk.identity.service("notifications"));
    let known = notifications.get_contact(contact.clone()).await.unwrap().into_inner();
    let email = teacher.email();
    assert_eq!((known.name, known.phone, known.email), (teacher.name, teacher.phone, email));
    let nobody = api::GetContactRequest { person_id: Uuid::from_u128(5).to_string(), ..contact.clone() };
    assert_eq!(refusal(notifications.get_contact(nobody).await).reason, "NOT_FOUND");
    let silent = api::GetContactRequest { purpose: " ".to_owned(), ..contact.clone() };
    assert_eq!(violations(&refusal(notifications.get_contact(silent).await)), [("purpose", "MALFORMED")]);
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    assert_eq!(refusal(certificates.get_contact(contact).await).reason, "ROLE_REQUIRED");
}

#[tokio::test]
async fn certificates_finds_accounts_by_number_in_the_order_asked() {
    let desk = Desk::open().await;
    let (one, two) = (Teacher::new(1), Teacher { name: "阿依·古丽".to_owned(), ..Teacher::new(2) });
    let first = desk.newcomer(&one).await.access_token;
    let second = desk.newcomer(&two).await.access_token;
    let (first, second) = (desk.person_id(&first).await.to_string(), desk.person_id(&second).await.to_string());
    let lookup = |number: &str, name: &str| api::PersonLookup { number: number.to_owned(), name: name.to_owned() };
    let lookups = vec![
        lookup(&two.number, "阿依•古丽"),
        lookup(&Teacher::new(3).number, "示例一"),
        lookup(&one.number, "示例二"),
        lookup("no number", "示例一"),
        lookup(&one.number, " 示例一"),
    ];
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    let found = certificates.find_person_by_number(api::FindPersonByNumberRequest { lookups }).await.unwrap();
    let matched = |person: &str, name_matches| api::PersonMatch { person_id: person.to_owned(), name_matches };
    let expected =
        [matched(&second, true), matched("", false), matched(&first, false), matched("", false), matched(&first, true)];
    assert_eq!(found.into_inner().matches, expected);
}

#[tokio::test]
async fn five_hundred_numbers_are_the_most_and_only_certificates_may_ask() {
    let desk = Desk::open().await;
    let lookups = |count: usize| api::FindPersonByNumberRequest {
        lookups: vec![api::PersonLookup { number: "12345678".to_owned(), name: "示例一".to_owned() }; count],
    };
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    assert_eq!(certificates.find_person_by_number(lookups(500)).await.unwrap().into_inner().matches.len(), 500);
    let refused = refusal(certificates.find_person_by_number(lookups(501)).await);
    assert_eq!(violations(&refused), [("lookups", "TOO_MANY")]);
    let mut applications = ProfilesClient::new(desk.identity.service("applications"));
    assert_eq!(refusal(applications.find_person_by_number(lookups(1)).await).reason, "ROLE_REQUIRED");
}
