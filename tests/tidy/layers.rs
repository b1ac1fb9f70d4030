//! What the folders of a service may use (STYLE, "Inside a service"): decisions stay pure, the wire stays in `api/`.

use super::{File, assert_none, tracked};

/// Folder or file below `src/`, and the words that its code may not hold.
const NEVER: &[(&str, &[&str])] = &[
    (
        "domain",
        &[
            "tokio",
            "sqlx",
            "tonic",
            "prost",
            "async_nats",
            "serde",
            "serde_json",
            "tracing",
            "rand",
            "lifecycle",
            "async",
            "await",
            "SystemTime",
            "Instant",
            "now_utc",
            "env",
            "new_v4",
            "now_v7",
        ],
    ),
    ("handle", &["tonic", "prost", "sqlx"]),
    ("views", &["tonic", "EventLog", "Append"]),
    ("reactions", &["sqlx"]),
    ("store", &["tonic"]),
    ("api", &["sqlx", "async_nats"]),
];

fn offences(files: &[File]) -> Vec<String> {
    let mut found = Vec::new();
    for file in files {
        let Some((_, place)) = file.in_service() else { continue };
        let layer = place.split('/').next().unwrap_or(place).trim_end_matches(".rs");
        let Some((_, never)) = NEVER.iter().find(|(name, _)| *name == layer) else { continue };
        for (number, line) in file.code() {
            for word in without_strings(line).split(|c: char| !c.is_alphanumeric() && c != '_') {
                if never.contains(&word) {
                    found.push(file.at(number, &format!("{layer} never uses {word}")));
                }
            }
        }
    }
    found
}

/// The parts of a line outside of quotes.
fn without_strings(line: &str) -> String {
    line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

#[test]
fn each_layer_uses_only_what_it_may() {
    assert_none(&offences(&tracked()));
}

#[test]
fn a_layer_that_reaches_too_far_is_found() {
    let find = |path: &str, text: &str| offences(&[File::new(path, text)]).len();
    assert_eq!(find("services/identity/src/domain/account.rs", "use std::time::Duration;\nlet tonic_free = 1;"), 0);
    assert_eq!(find("services/identity/src/domain/account.rs", "let text = \"a tonic\";"), 0);
    assert_eq!(find("services/identity/src/domain/account/tests.rs", "use prost::Message;"), 0);
    assert_eq!(find("services/identity/src/domain.rs", "use tonic::Status;"), 1);
    assert_eq!(find("services/identity/src/domain/account.rs", "async fn decide() {}"), 1);
    assert_eq!(find("services/identity/src/handle.rs", "sqlx::query(sql)"), 1);
    assert_eq!(find("services/identity/src/handle/submit.rs", "use prost::Message as _;"), 1);
    assert_eq!(find("services/identity/src/views/roles.rs", "log: &EventLog,"), 1);
    assert_eq!(find("services/identity/src/reactions/on_x.rs", "use sqlx::PgPool;"), 1);
    assert_eq!(find("services/identity/src/store/events.rs", "use tonic::Code;"), 1);
    assert_eq!(find("services/identity/src/api/accounts.rs", "use sqlx::PgPool;"), 1);
}
