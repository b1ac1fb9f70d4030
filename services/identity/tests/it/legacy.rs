//! Accounts of the old system: imported from a file, told to register again, replaced by whoever does.

use std::fmt::Write as _;
use std::fs;

use identity::domain::role::Role;
use identity::import_legacy::{ImportDone, ImportError, import};
use proto::identity::v1 as api;
use proto::identity::v1::profiles_client::ProfilesClient;
use proto::identity::v1::recovery_client::RecoveryClient;
use sqlx::Row as _;

use crate::desk::{Desk, Teacher, refusal};
use crate::recovery::start;

const CREATED: &str = "2018-05-01T08:00:00+08:00";

/// A file with these lines, imported; what was done, and the rows of the report.
pub async fn imported(desk: &Desk, lines: &str, dry_run: bool) -> (ImportDone, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (file, report) = (folder.path().join("legacy.csv"), folder.path().join("report.csv"));
    fs::write(&file, format!("number,name,created_at\n{lines}")).unwrap();
    let done = import(&desk.handle().await, &file, &report, dry_run).await.unwrap();
    let report = fs::read_to_string(report).unwrap();
    (done, report.lines().skip(1).map(str::to_owned).collect())
}

pub fn line(teacher: &Teacher) -> String {
    format!("{},{},{CREATED}\n", teacher.number, teacher.name)
}

async fn people_in_log(desk: &Desk) -> i64 {
    let query = "SELECT count(DISTINCT stream) FROM event_log WHERE type LIKE '%Account%'";
    sqlx::query_scalar(query).fetch_one(&desk.identity.service.ground.pool).await.unwrap()
}

#[tokio::test]
async fn a_file_is_imported_once_and_a_dry_run_changes_nothing() {
    let desk = Desk::open().await;
    desk.register(&Teacher::new(3)).await;
    let lines = [1, 2, 3, 1].map(|n| line(&Teacher::new(n))).concat();
    let head = desk.head().await;
    let expected = ImportDone { rows: 4, imported: 2, known: 2, rejected: 0 };
    assert_eq!(imported(&desk, &lines, true).await, (expected, Vec::new()));
    assert_eq!(desk.head().await, head);
    assert_eq!(imported(&desk, &lines, false).await, (expected, Vec::new()));
    assert_eq!(desk.head().await, head + 2);
    let again = ImportDone { imported: 0, known: 4, ..expected };
    assert_eq!(imported(&desk, &lines, false).await, (again, Vec::new()));
    assert_eq!(desk.head().await, head + 2);
    desk.sign_in(&Teacher::new(3)).await;
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_import_it_once() {
    let desk = Desk::open().await;
    let lines: String = (1..60).map(|n| line(&Teacher::new(n))).collect();
    let head = desk.head().await;
    let (one, other) = tokio::join!(imported(&desk, &lines, false), imported(&desk, &lines, false));
    assert_eq!(one.0.imported + other.0.imported, 59);
    assert_eq!(one.0.known + other.0.known, 59);
    assert_eq!(desk.head().await, head + 59);
}

#[tokio::test]
async fn each_row_that_cannot_be_taken_is_reported_by_line_field_and_reason() {
    let desk = Desk::open().await;
    let good = Teacher::new(1);
    let mut lines = line(&good);
    writeln!(lines, "320399199001010019,示,yesterday").unwrap();
    writeln!(lines, "{},{},2019-03-01T00:00:00+08:00", Teacher::new(2).number, good.name).unwrap();
    writeln!(lines, "{},{}", Teacher::new(3).number, good.name).unwrap();
    writeln!(lines, "{}", "x".repeat(5000)).unwrap();
    writeln!(lines, "\"{},unclosed,{CREATED}", Teacher::new(4).number).unwrap();
    writeln!(lines, ",,").unwrap();
    lines += &line(&Teacher::new(5));
    let (done, report) = imported(&desk, &lines, false).await;
    assert_eq!(done, ImportDone { rows: 8, imported: 2, known: 0, rejected: 6 });
    assert_eq!(
        report,
        [
            "3,number,WRONG_CHECK_DIGIT",
            "3,name,MALFORMED",
            "3,created_at,MALFORMED",
            "4,created_at,NOT_LEGACY",
            "5,,MALFORMED",
            "6,,TOO_LONG",
            "7,,MALFORMED",
            "8,number,REQUIRED",
            "8,name,REQUIRED",
            "8,created_at,REQUIRED",
        ]
    );
}

#[tokio::test]
async fn a_file_of_another_kind_is_refused_whole() {
    let desk = Desk::open().await;
    let folder = tempfile::tempdir().unwrap();
    let (file, report) = (folder.path().join("legacy.csv"), folder.path().join("report.csv"));
    let handle = desk.handle().await;
    assert!(matches!(import(&handle, &file, &report, false).await, Err(ImportError::Read { .. })));
    for content in ["", "name,number,created_at\n", "\u{0}\u{1}\n"] {
        fs::write(&file, content).unwrap();
        assert!(matches!(import(&handle, &file, &report, false).await, Err(ImportError::Header { .. })));
    }
    fs::write(&file, [b"number,name,created_at\n".as_slice(), &[0xff, 0xfe, b'\n']].concat()).unwrap();
    assert_eq!(import(&handle, &file, &report, false).await.unwrap().rejected, 1);
    assert!(fs::read_to_string(&report).unwrap().ends_with("2,,NOT_UTF8\n"));
}

#[tokio::test]
async fn nobody_signs_in_to_an_old_account_and_no_service_sees_it() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    imported(&desk, &line(&teacher), false).await;
    assert_eq!(refusal(desk.sessions().start_sign_in(teacher.credentials()).await).reason, "WRONG_CREDENTIALS");
    let lookups = vec![api::PersonLookup { number: teacher.number.clone(), name: teacher.name.clone() }];
    let mut certificates = ProfilesClient::new(desk.identity.service("certificates"));
    let found = certificates.find_person_by_number(api::FindPersonByNumberRequest { lookups }).await.unwrap();
    assert_eq!(found.into_inner().matches[0].person_id, "");
}

#[tokio::test]
async fn whoever_recovers_an_old_account_is_told_to_register_if_number_and_name_match() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    imported(&desk, &line(&teacher), false).await;
    let mut client = RecoveryClient::new(desk.identity.anyone());
    let refused = refusal(client.start_recovery(start(&teacher)).await);
    assert_eq!(refused.reason, "LEGACY_ACCOUNT");
    assert!(refused.sentence.contains("重新注册"));
    let stranger = api::StartRecoveryRequest { name: "陌生人".to_owned(), ..start(&teacher) };
    client.start_recovery(stranger).await.expect("who does not know the name learns nothing");
}

#[tokio::test]
async fn a_new_registration_replaces_the_old_account_on_the_same_stream() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    imported(&desk, &line(&teacher), false).await;
    let people = people_in_log(&desk).await;
    let renamed = Teacher { name: "新名字".to_owned(), ..teacher.clone() };
    let token = desk.newcomer(&renamed).await.access_token;
    assert_eq!(people_in_log(&desk).await, people, "the person is the same one");
    assert_eq!(desk.outbox.count(&teacher.phone, "account_exists"), 0);
    let profile = desk.profiles(&token).get_profile(api::GetProfileRequest {}).await.unwrap().into_inner();
    assert_eq!(profile.masked_name, "新名*");
    let mut client = RecoveryClient::new(desk.identity.anyone());
    assert_eq!(client.start_recovery(start(&renamed)).await.unwrap().into_inner().masked_phone, "*******0001");
    let done = imported(&desk, &line(&teacher), false).await.0;
    assert_eq!((done.imported, done.known), (0, 1), "a later import leaves the new account as it is");
    desk.sql("DELETE FROM code_wait").await;
    desk.sign_in(&renamed).await;
}

#[tokio::test]
async fn staff_with_an_old_account_is_enrolled_in_its_place() {
    let desk = Desk::open().await;
    let teacher = Teacher::new(1);
    imported(&desk, &line(&teacher), false).await;
    let (person, _) = desk.staff(&teacher, Role::Helpdesk, "320000", None).await;
    let versions = sqlx::query("SELECT max(version) AS version FROM event_log WHERE stream = $1")
        .bind(person)
        .fetch_one(&desk.identity.service.ground.pool)
        .await
        .unwrap();
    assert_eq!(versions.get::<i64, _>("version"), 5, "imported, registered, role, second factor, profile");
}
