//! The command `enrol-staff`: once, safely repeated, refused afterwards.

use std::path::PathBuf;

use identity::enrol::{EnrolError, enrol};
use identity::handle::{Enrolled, EnrolmentError};
use serde_json::{Value, json};
use service::Service as _;

use crate::desk::{Desk, Teacher};

const UNIT: &str = "6f1f9f0c-5a3e-4d3a-8a39-0b0f2f8a1d11";

fn entry(teacher: &Teacher, role: &str, division: &str, unit_id: &str) -> Value {
    json!({
        "number": teacher.number, "name": teacher.name, "phone": teacher.phone, "password": teacher.password,
        "role": role, "division": division, "unit_id": unit_id,
    })
}

fn first_staff() -> Vec<Value> {
    vec![
        entry(&Teacher::new(1), "ROLE_SECURITY_ADMIN", "320000", ""),
        entry(&Teacher::new(2), "CLERK", "320302", UNIT),
        entry(&Teacher::new(2), "LIAISON", "320302", UNIT),
    ]
}

struct List {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

fn list(entries: &[Value]) -> List {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staff.json");
    std::fs::write(&path, serde_json::to_string(entries).unwrap()).unwrap();
    List { path, _folder: folder }
}

async fn run(desk: &Desk, entries: &[Value]) -> Result<Enrolled, EnrolError> {
    enrol(&desk.handle().await, &list(entries).path).await
}

#[tokio::test]
async fn the_first_staff_get_accounts_and_roles_and_can_sign_in() {
    let desk = Desk::open().await;
    assert_eq!(run(&desk, &first_staff()).await.unwrap(), Enrolled { accounts: 2, grants: 3, second_factors: 0 });
    let token = desk.sign_in(&Teacher::new(2)).await.access_token;
    let person = desk.person_id(&token).await;
    let authority = desk.identity.service.ground.authority.clone();
    service::testing::until("both roles to be known", || {
        authority.now().is_some_and(|known| known.grants.get(&person).is_some_and(|grants| grants.len() == 2))
    })
    .await;
}

#[tokio::test]
async fn the_same_list_again_changes_nothing() {
    let desk = Desk::open().await;
    run(&desk, &first_staff()).await.unwrap();
    let head = desk.head().await;
    assert_eq!(run(&desk, &first_staff()).await.unwrap(), Enrolled::default());
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn once_there_is_an_administrator_nobody_else_is_enrolled() {
    let desk = Desk::open().await;
    let mut more = first_staff();
    more.push(entry(&Teacher::new(3), "OPERATOR", "320000", ""));
    // Before the administrator, the list may still grow.
    run(&desk, &first_staff()[1..]).await.unwrap();
    run(&desk, &first_staff()).await.unwrap();
    let head = desk.head().await;
    let refused = run(&desk, &more).await.unwrap_err();
    assert!(matches!(refused, EnrolError::Enrolment(EnrolmentError::Over)), "{refused}");
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn it_is_over_with_the_administrator_even_if_the_list_is_broken_off_there() {
    let desk = Desk::open().await;
    let (one, two) = (Teacher::new(1), Teacher::new(2));
    // The second administrator cannot be one: the list ends behind the first.
    let entries = [
        entry(&one, "SECURITY_ADMIN", "320000", ""),
        entry(&two, "OPERATOR", "320000", ""),
        entry(&two, "SECURITY_ADMIN", "320000", ""),
    ];
    let refused = run(&desk, &entries).await.unwrap_err();
    assert!(matches!(refused, EnrolError::Enrolment(EnrolmentError::Rejected { entry: 3, .. })), "{refused}");
    let head = desk.head().await;
    let other = [entry(&Teacher::new(3), "SECURITY_ADMIN", "320000", "")];
    let refused = run(&desk, &other).await.unwrap_err();
    assert!(matches!(refused, EnrolError::Enrolment(EnrolmentError::Over)), "{refused}");
    assert_eq!(run(&desk, &entries[..2]).await.unwrap(), Enrolled::default(), "the others come before");
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn a_second_factor_is_given_once_and_never_replaced() {
    let desk = Desk::open().await;
    let with_totp = |secret: &str| {
        let mut list = first_staff();
        for entry in &mut list[1..] {
            entry["totp_secret"] = json!(secret);
        }
        list
    };
    // The two roles of one person have the same one; without the administrator the enrolment goes on.
    let list = &with_totp(&Teacher::new(2).totp().render())[1..];
    assert_eq!(run(&desk, list).await.unwrap(), Enrolled { accounts: 1, grants: 2, second_factors: 1 });
    desk.sign_in_as_staff(&Teacher::new(2)).await;
    let head = desk.head().await;
    assert_eq!(run(&desk, list).await.unwrap(), Enrolled::default());
    let other = &with_totp(&Teacher::new(3).totp().render())[1..];
    let refused = run(&desk, other).await.unwrap_err();
    assert!(matches!(refused, EnrolError::Enrolment(EnrolmentError::Differs { entry: 1 })), "{refused}");
    assert_eq!(desk.head().await, head);
}

#[tokio::test]
async fn an_account_that_differs_from_its_entry_is_refused() {
    let desk = Desk::open().await;
    desk.register(&Teacher::new(1)).await;
    let head = desk.head().await;
    for other in [
        Teacher { name: "示例二".to_owned(), ..Teacher::new(1) },
        Teacher { phone: Teacher::new(9).phone, ..Teacher::new(1) },
        Teacher { password: "another1#".to_owned(), ..Teacher::new(1) },
    ] {
        let entries =
            [entry(&Teacher::new(2), "OPERATOR", "320000", ""), entry(&other, "SECURITY_ADMIN", "320000", "")];
        let refused = run(&desk, &entries).await.unwrap_err();
        assert!(matches!(refused, EnrolError::Enrolment(EnrolmentError::Differs { entry: 2 })), "{refused}");
    }
    assert_eq!(desk.head().await, head, "nobody was enrolled, the first entry neither");
}

#[tokio::test]
async fn roles_that_exclude_each_other_are_refused_here_too() {
    let desk = Desk::open().await;
    let one = Teacher::new(1);
    let entries = [entry(&one, "OPERATOR", "320000", ""), entry(&one, "AUDITOR", "320000", "")];
    let refused = run(&desk, &entries).await.unwrap_err();
    assert!(matches!(refused, EnrolError::Enrolment(EnrolmentError::Rejected { entry: 2, .. })), "{refused}");
}

#[tokio::test]
async fn wrong_fields_are_named_by_entry_and_field_and_never_shown() {
    let desk = Desk::open().await;
    let mut wrong = entry(&Teacher::new(1), "JANITOR", "32", "x");
    wrong["number"] = json!("320399199001010019");
    wrong["name"] = json!("示");
    wrong["phone"] = json!("123");
    wrong["password"] = json!("short");
    wrong["totp_secret"] = json!("GEZDGNBV");
    let entries = [entry(&Teacher::new(2), "CLERK", "320302", ""), wrong];
    let refused = run(&desk, &entries).await.unwrap_err().to_string();
    for part in [
        "entry 1, role: the role needs a unit",
        "entry 2, number: the check digit does not fit",
        "entry 2, name",
        "entry 2, phone",
        "entry 2, password",
        "entry 2, role",
        "entry 2, division",
        "entry 2, unit_id",
        "entry 2, totp_secret",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(!refused.contains("320399") && !refused.contains("short") && !refused.contains("GEZDGNBV"), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_list_is_named_with_its_line() {
    let desk = Desk::open().await;
    let list = list(&[json!({"number": 5})]);
    let handle = desk.handle().await;
    let refused = enrol(&handle, &list.path).await.unwrap_err();
    assert!(matches!(refused, EnrolError::Format { line: 1, .. }), "{refused}");
    let missing = enrol(&handle, &list.path.with_extension("gone")).await.unwrap_err();
    assert!(matches!(missing, EnrolError::Read { .. }), "{missing}");
}

#[tokio::test]
async fn the_command_enrols_while_the_service_runs() {
    let desk = Desk::open().await;
    let list = list(&first_staff());
    let command = identity::Command::EnrolStaff { file: list.path.clone() };
    identity::Identity::run(&desk.identity.service.ground, desk.settings.clone(), command).await.unwrap();
    desk.sign_in(&Teacher::new(1)).await;
}
