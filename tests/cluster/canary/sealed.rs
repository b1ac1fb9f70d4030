//! What is sealed under keys of people, in whichever column: opened by every key that is there.

use std::collections::{BTreeMap, BTreeSet};

use cluster::{Cluster, Service};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Column as _, PgPool, Row as _, TypeInfo as _};
use uuid::Uuid;
use vault::{PersonKey, Vault};

use super::places::{Secrets, pool, tables};

/// Ends of the names of columns of bytes that hold nothing sealed: parts of events that are published or name nobody, keyed hashes, digests,
/// answers and rules that hold nothing personal.
const PLAIN: [&str; 17] = [
    ".payload",
    ".inner",
    ".metadata",
    ".hash",
    "_hash",
    ".fingerprint",
    ".digest",
    ".holder",
    ".coded",
    ".details",
    ".public_key",
    "request.answer",
    "claim.key",
    "attempt.key",
    "rule_set.body",
    "parked_event.event",
    "_sqlx_migrations.checksum",
];

/// What the keys open.
#[derive(Debug, Default)]
pub struct Opened {
    /// Columns of bytes, beside the plain ones, in which they open something: `identity public.totp.secret`.
    pub columns: BTreeSet<String>,
    /// Columns, and types of events, in which they open something of the canaries: their words, or what lies under their own keys.
    pub telling: BTreeSet<String>,
    /// Those in which they open nothing.
    pub unknown: BTreeSet<String>,
}

/// Tries every key of each service on every column of bytes of its database.
pub async fn opened(cluster: &Cluster, secrets: &Secrets, people: &[Uuid]) -> Opened {
    let layout = cluster.layout();
    let mut opened = Opened::default();
    for service in Service::ALL {
        let database = layout.database(service);
        let keys = keys(cluster, service, &format!("{database}_keys")).await;
        let pool = pool(cluster, &database).await;
        for table in tables(&pool, "schemaname NOT IN ('pg_catalog', 'information_schema')").await {
            let mut columns = columns_of_bytes(&pool, &table).await;
            columns.retain(|column| !PLAIN.iter().any(|end| format!("{table}.{column}").ends_with(end)));
            if columns.is_empty() {
                continue;
            }
            let sql = AssertSqlSafe(format!("SELECT * FROM {table}"));
            let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
            for column in columns {
                let place = format!("{service} {table}.{column}");
                let found: Vec<_> = rows.iter().filter_map(|row| open(row, &column, &keys)).collect();
                let of_canaries =
                    found.iter().filter(|(plain, owner, _)| secrets.are_in(plain) || people.contains(owner));
                let kind = |row: &PgRow| row.try_get("type").unwrap_or_else(|_| place.clone());
                opened.telling.extend(of_canaries.map(|(.., row)| kind(row)));
                if found.is_empty() { &mut opened.unknown } else { &mut opened.columns }.insert(place);
            }
        }
    }
    opened
}

/// Every key that is not destroyed, by whose it is.
async fn keys(cluster: &Cluster, service: Service, database: &str) -> BTreeMap<Uuid, PersonKey> {
    let settings = vault::Settings {
        keys_database_url: cluster.layout().superuser_url(database).unwrap(),
        master_key_file: Some(cluster.layout().secret(service, "master-key")),
        master_keys: None,
    };
    let pool = pool(cluster, database).await;
    let people: Vec<Uuid> = sqlx::query_scalar("SELECT person FROM person_key").fetch_all(&pool).await.unwrap();
    Vault::open(&settings).unwrap().find_all(&people).await.unwrap().into_iter().collect()
}

async fn columns_of_bytes(pool: &PgPool, table: &str) -> Vec<String> {
    let sql = "SELECT attname::text FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
               AND atttypid IN ('bytea'::regtype, 'bytea[]'::regtype) ORDER BY attnum";
    sqlx::query_scalar(sql).bind(table).fetch_all(pool).await.unwrap()
}

/// What a row has sealed in a column, and under whose key: bound to any ids and number of the row, as everything sealed is.
fn open<'r>(row: &'r PgRow, column: &str, keys: &BTreeMap<Uuid, PersonKey>) -> Option<(Vec<u8>, Uuid, &'r PgRow)> {
    let sealed: Vec<u8> = row.try_get::<Option<Vec<u8>>, _>(column).unwrap()?;
    let (mut ids, mut numbers) = (Vec::new(), BTreeSet::from([0, 1]));
    for (place, beside) in row.columns().iter().enumerate() {
        match beside.type_info().name() {
            "UUID" => ids.extend(row.get::<Option<Uuid>, _>(place)),
            "INT8" => numbers.extend(row.get::<Option<i64>, _>(place)),
            "INT4" => numbers.extend(row.get::<Option<i32>, _>(place).map(i64::from)),
            _ => {}
        }
    }
    let mut bindings: Vec<Vec<u8>> =
        ids.iter().map(|person| [b"totp".as_slice(), person.as_bytes()].concat()).collect();
    for (one, other) in ids.iter().flat_map(|one| ids.iter().map(move |other| (*one, *other))) {
        bindings.extend(numbers.iter().map(|number| vault::binding(one, other, *number).to_vec()));
    }
    let mut tried = keys.iter().flat_map(|(owner, key)| bindings.iter().map(move |binding| (owner, key, binding)));
    tried.find_map(|(owner, key, binding)| Some((key.open(&sealed, binding)?.to_vec(), *owner, row)))
}
