//! `DocumentTypes`: what a client is told before anybody has signed in, and that accounts are judged by the same.

use proto::identity::v1 as api;
use proto::identity::v1::document_types_client::DocumentTypesClient;

use crate::desk::{Desk, Teacher, refusal};

async fn listed(desk: &Desk) -> api::ListDocumentTypesResponse {
    let mut client = DocumentTypesClient::new(desk.identity.anyone());
    client.list_document_types(api::ListDocumentTypesRequest {}).await.unwrap().into_inner()
}

#[tokio::test]
async fn anyone_is_told_what_each_type_asks_for() {
    let desk = Desk::open().await;
    let table = listed(&desk).await;
    assert_eq!((table.version, table.holds_from.as_str()), (1, "2026-01-01"));
    let codes: Vec<i32> = table.types.iter().map(|rules| rules.document_type).collect();
    assert_eq!(codes, [1, 2, 3, 4]);
    let asked = |at: usize, required: bool| -> Vec<&str> {
        let fields = table.types[at].fields.iter().filter(|field| field.required == required);
        fields.map(|field| field.field.as_str()).collect()
    };
    assert_eq!((asked(0, true), asked(0, false)), (vec!["ethnicity"], vec!["email"]));
    assert_eq!(asked(1, true), ["ethnicity", "sex", "birth_date", "local_id_number", "permit_number"]);
    assert_eq!(asked(2, true), ["ethnicity", "sex", "birth_date", "local_id_number"]);
    assert_eq!(asked(2, true), asked(3, true));
    let permit = &table.types[2];
    assert_eq!(
        (permit.name.as_str(), permit.pattern.as_str()),
        ("港澳居民来往内地通行证", "[HM][0-9]{8}|[HM][0-9]{10}")
    );
    let checks: Vec<api::NumberCheck> = table.types.iter().map(api::DocumentTypeRules::check).collect();
    let (citizen, shape) = (api::NumberCheck::Gb11643, api::NumberCheck::Shape);
    assert_eq!(checks, [citizen, citizen, shape, shape]);
}

#[tokio::test]
async fn whoever_writes_something_else_is_told_the_hint_of_the_table() {
    let desk = Desk::open().await;
    let table = listed(&desk).await;
    for rules in table.types {
        let registration = desk.registration(&Teacher::new(u32::try_from(rules.document_type).unwrap())).await;
        let wrong = api::RegisterAccountRequest {
            document_type: rules.document_type,
            number: "ABC".to_owned(),
            ..registration
        };
        let refused = refusal(desk.accounts().register_account(wrong).await);
        assert_eq!(refused.violations[0].sentence, rules.hint);
    }
}

#[tokio::test]
async fn an_account_says_by_which_version_its_number_was_judged() {
    let desk = Desk::open().await;
    desk.register(&Teacher::new(1)).await;
    let payload: Vec<u8> = sqlx::query_scalar("SELECT payload FROM event_log WHERE type LIKE '%AccountRegistered'")
        .fetch_one(&desk.identity.service.ground.pool)
        .await
        .unwrap();
    let registered = <api::AccountRegistered as prost::Message>::decode(payload.as_slice()).unwrap();
    assert_eq!(registered.document_table, listed(&desk).await.version);
}
