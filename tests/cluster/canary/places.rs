//! Where personal data could lie: tables, streams, files; and the search there, in every form that bytes take.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, AhoCorasickKind, Span};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use cluster::layout::Layout;
use cluster::{Cluster, Service};
use sqlx::{AssertSqlSafe, PgPool};

/// All that the services log themselves, and what libraries say to operators.
pub const EVERYTHING: &str = "debug,h2=info,hyper=info,identity=trace,certificates=trace,scheduling=trace,applications=trace,\
                              notifications=trace,access=trace,service=trace,rpc=trace,eventlog=trace,eventbus=trace,\
                              vault=trace,telemetry=trace,lifecycle=trace,call=trace";

/// How many bytes are shown on either side of what is found.
const BESIDE: usize = 60;

/// Something of the canary, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    pub place: String,
    pub secret: String,
    /// What stands beside it, in the first of these places.
    pub beside: String,
}

/// The forms in which a text can hide: as it is, in hexadecimal, in base 64 at each of the three places of a group.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.as_bytes().to_vec(), hex::encode(secret).into_bytes()];
    for before in 0..3 {
        let shifted = [&[0; 2][..before.min(2)], secret.as_bytes()].concat();
        let encoded = STANDARD_NO_PAD.encode(shifted).into_bytes();
        // The first and the last group depend on what stands beside the text.
        let inner = encoded[4 * before.div_ceil(2)..].to_vec();
        forms.push(inner[..inner.len() / 4 * 4].to_vec());
    }
    forms
}

/// What is looked for.
pub struct Secrets {
    texts: Vec<String>,
    patterns: AhoCorasick,
    forms_of_each: usize,
}

impl Secrets {
    pub fn new(texts: impl IntoIterator<Item = String>) -> Self {
        let texts: Vec<String> = texts.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let all: Vec<Vec<u8>> = texts.iter().flat_map(|text| forms(text)).collect();
        let patterns = AhoCorasick::builder().kind(Some(AhoCorasickKind::DFA)).build(&all).unwrap();
        Self { forms_of_each: all.len() / texts.len(), texts, patterns }
    }

    /// Each that is there, once.
    pub fn search(&self, place: &str, bytes: &[u8]) -> Vec<Hit> {
        let mut found = BTreeMap::new();
        for hit in self.patterns.find_overlapping_iter(bytes) {
            found.entry(hit.pattern().as_usize() / self.forms_of_each).or_insert(hit.span());
        }
        let hit = |(which, span): (usize, Span)| {
            let beside = &bytes[span.start.saturating_sub(BESIDE)..(span.end + BESIDE).min(bytes.len())];
            let beside = String::from_utf8_lossy(beside).into_owned();
            Hit { place: place.to_owned(), secret: self.texts[which].clone(), beside }
        };
        found.into_iter().map(hit).collect()
    }

    /// Whether anything is there.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        self.patterns.find_overlapping_iter(bytes).next().is_some()
    }
}

pub async fn pool(cluster: &Cluster, database: &str) -> PgPool {
    PgPool::connect(&cluster.layout().superuser_url(database).unwrap()).await.unwrap()
}

pub async fn tables(pool: &PgPool, schemas: &str) -> Vec<String> {
    let sql = format!("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE {schemas}");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap()
}

/// Every row as text, in which bytes are hexadecimal.
async fn rows(pool: &PgPool, table: &str) -> String {
    let sql = AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
    sqlx::query_scalar::<_, String>(sql).fetch_all(pool).await.unwrap().join("\n")
}

/// Every table of a service's database and of its key database.
pub async fn in_databases(cluster: &Cluster, service: Service, secrets: &Secrets) -> Vec<Hit> {
    let mut hits = Vec::new();
    let database = cluster.layout().database(service);
    for database in [database.clone(), format!("{database}_keys")] {
        let pool = pool(cluster, &database).await;
        let tables = tables(&pool, "schemaname NOT IN ('pg_catalog', 'information_schema')").await;
        assert!(!tables.is_empty(), "{database} is empty");
        for table in tables {
            let rows = rows(&pool, &table).await;
            hits.extend(secrets.search(&format!("{database} {table}"), rows.as_bytes()));
        }
    }
    hits
}

/// The rows of views that name a person, but for those that say who was erased: so that tokens end, and for the receipt.
pub async fn in_views(cluster: &Cluster, service: Service, person: &str) -> Vec<String> {
    let pool = pool(cluster, &cluster.layout().database(service)).await;
    let mut naming = Vec::new();
    for table in tables(&pool, "schemaname = 'views' AND tablename NOT IN ('authority_erased', 'erased_person')").await
    {
        let rows = rows(&pool, &table).await;
        naming.extend(rows.lines().filter(|row| row.contains(person)).map(|row| format!("{table}: {row}")));
    }
    naming
}

/// Every message of a service's stream, headers and payload.
pub async fn in_stream(cluster: &Cluster, service: Service, secrets: &Secrets) -> Vec<Hit> {
    let layout = cluster.layout();
    let password = std::fs::read_to_string(layout.secret(service, "nats")).unwrap();
    let options =
        async_nats::ConnectOptions::with_user_and_password(service.name().to_owned(), password.trim().to_owned())
            .custom_inbox_prefix(format!("_INBOX_{service}"));
    let client = options.connect(layout.nats_url()).await.unwrap();
    let stream = async_nats::jetstream::new(client).get_stream(service.stream()).await.unwrap();
    let last = stream.cached_info().state.last_sequence;
    let mut bytes = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        bytes.extend(format!("{} {:?}\n", message.subject, message.headers).into_bytes());
        bytes.extend_from_slice(&message.payload);
    }
    secrets.search(&format!("stream {}", service.stream()), &bytes)
}

/// Every file of a cluster that is stopped: logs, NATS, PostgreSQL with its journal, secrets, messages.
pub fn in_files(layout: &Layout, secrets: &Secrets) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut logs = 0;
    for root in [&layout.folder, &layout.postgres_folder] {
        for path in files(root) {
            let place = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            logs += usize::from(path.extension().is_some_and(|end| end == "log"));
            hits.extend(secrets.search(&place, &std::fs::read(&path).unwrap()));
        }
        if layout.postgres_folder.starts_with(&layout.folder) {
            break;
        }
    }
    assert!(logs >= Service::ALL.len(), "the logs of all services are among the files");
    hits
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            files.extend(self::files(&entry.path()));
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    files
}

#[test]
fn a_text_is_found_in_every_form_and_place() {
    use base64::engine::general_purpose::STANDARD;
    let secret = "金丝雀 100123";
    let secrets = Secrets::new([secret.to_owned(), "something else".to_owned()]);
    for before in ["", "a", "ab", "abc", "abcd"] {
        let text = format!("{before}{secret}suffix");
        for form in [text.clone(), hex::encode(&text), STANDARD.encode(&text)] {
            let found = secrets.search("here", form.as_bytes());
            assert!(matches!(found.as_slice(), [hit] if hit.secret == secret), "{form}");
        }
    }
    assert_eq!(secrets.search("here", "金丝雁 100123".as_bytes()), []);
}
