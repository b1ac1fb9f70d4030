//! The four round trips that record a batch (lock, read, write, commit), and how to find out about a lost commit.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection, Row as _, SqlSafeStr as _, SqlStr};
use uuid::Uuid;

use crate::append::Claim;
use crate::plan::{ClaimKey, Command, Ground, Held, Kept, Plan, RequestId, Witness, plan};

/// Of every transaction that holds the lock: it is short, or it is gone; its statements are planned once, and read by
/// index however small the tables were then.
const LIMITS: [(&str, &str); 6] = [
    ("lock_timeout", "3s"),
    ("idle_in_transaction_session_timeout", "3s"),
    ("statement_timeout", "5s"),
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("jit", "off"),
];

/// For an answer of PostgreSQL, a little longer than any statement may take: a silent network is a broken one.
const PATIENCE: Duration = Duration::from_secs(6);

/// The one lock of a database's log, in a statement of its own, so that what is read next is read after it was taken.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7308332183942328167)"; // "eventlog", as a number

/// The session has the limits already.
const BEGIN: &str = "BEGIN; SELECT pg_advisory_xact_lock(7308332183942328167)";

/// In somebody else's transaction the limits have to be set first.
static JOIN: LazyLock<SqlStr> = LazyLock::new(|| {
    let limits = LIMITS.map(|(name, value)| format!("SET LOCAL {name} = '{value}'; ")).concat();
    AssertSqlSafe(limits + LOCK).into_sql_str()
});

const READ: &str = "
SELECT coalesce(head.position, 0) AS position, coalesce(head.epoch, 1) AS epoch, head.hash,
       greatest(head.recorded_at, clock_timestamp()) AS now,
       ARRAY(
           SELECT coalesce((SELECT version FROM event_log WHERE stream = asked.stream ORDER BY version DESC LIMIT 1), 0)
           FROM unnest($1::uuid[]) WITH ORDINALITY AS asked(stream, n)
           ORDER BY n
       ) AS versions,
       answered.*, held.*
FROM (SELECT) AS always
LEFT JOIN (SELECT * FROM event_log ORDER BY position DESC LIMIT 1) AS head ON true
CROSS JOIN (
    SELECT array_agg(n) AS request_n, array_agg(fingerprint) AS fingerprints, array_agg(kept.position) AS positions,
           array_agg(recorded_at) AS times, array_agg(answer) AS answers
    FROM unnest($2::text[], $3::uuid[]) WITH ORDINALITY AS asked(actor, request_id, n)
    CROSS JOIN LATERAL (
        SELECT * FROM request WHERE actor = asked.actor AND request_id = asked.request_id LIMIT 1
    ) AS kept
) AS answered
CROSS JOIN (
    SELECT array_agg(n) AS claim_n
    FROM unnest($4::text[], $5::bytea[]) WITH ORDINALITY AS asked(kind, key, n)
    CROSS JOIN LATERAL (SELECT FROM claim WHERE kind = asked.kind AND key = asked.key LIMIT 1) AS taken
) AS held
";

/// Arrays unnested beside each other in the select list need no table function: a seventh less work for PostgreSQL.
const WRITE: &str = r#"
WITH events AS (
    INSERT INTO event_log
        (position, epoch, stream, version, type, payload, "inner", sealed, metadata, event_id, hash, recorded_at)
    SELECT unnest($2::bigint[]), unnest($3::bigint[]), unnest($4::uuid[]), unnest($5::bigint[]), unnest($6::text[]),
           unnest($7::bytea[]), unnest($8::bytea[]), unnest($9::bytea[]), unnest($10::bytea[]), unnest($11::uuid[]),
           unnest($12::bytea[]), $1
), released AS (
    DELETE FROM claim USING unnest($13::text[], $14::bytea[]) AS given(kind, key)
    WHERE claim.kind = given.kind AND claim.key = given.key
), taken AS (
    INSERT INTO claim (kind, key, position)
    SELECT unnest($15::text[]), unnest($16::bytea[]), unnest($17::bigint[])
    ON CONFLICT (kind, key) DO UPDATE SET position = excluded.position
)
INSERT INTO request (actor, request_id, fingerprint, position, answer, recorded_at)
SELECT unnest($18::text[]), unnest($19::uuid[]), unnest($20::bytea[]), unnest($21::bigint[]), unnest($22::bytea[]), $1
"#;

/// Opens a connection for transactions that hold the lock.
pub(crate) async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let isolation = [("default_transaction_isolation", "read committed")];
    let options = options.clone().options(isolation).options(LIMITS).disable_statement_logging();
    within(options.connect()).await
}

/// First round trip: a transaction that holds the lock.
pub(crate) async fn begin(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    within(sqlx::raw_sql(BEGIN).execute(connection)).await.map(drop)
}

/// The same inside a transaction that has written records.
pub(crate) async fn join(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    within(sqlx::raw_sql(JOIN.clone()).execute(connection)).await.map(drop)
}

/// Second and third round trip: judges the commands under the lock and writes what was accepted.
pub(crate) async fn record<'a>(
    connection: &mut PgConnection,
    commands: &'a [Command],
) -> Result<Plan<'a>, sqlx::Error> {
    let ground = within(read(connection, commands)).await?;
    let plan = plan(ground, commands);
    if !plan.is_empty() {
        within(write(connection, &plan)).await?;
    }
    Ok(plan)
}

/// Fourth round trip. Whether a failed commit took effect is for [`is_committed`] to say.
pub(crate) async fn commit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    within(sqlx::raw_sql("COMMIT").execute(connection)).await.map(drop)
}

/// Instead of the fourth, when nothing was written.
pub(crate) async fn roll_back(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    within(sqlx::raw_sql("ROLLBACK").execute(connection)).await.map(drop)
}

/// Whether the transaction that the witness belongs to took effect. It is over once the lock is ours.
pub(crate) async fn is_committed(
    connection: &mut PgConnection,
    witness: Witness,
    commands: &[Command],
) -> Result<bool, sqlx::Error> {
    begin(connection).await?;
    let query = match witness {
        Witness::Event { position, event_id } => {
            let sql = "SELECT EXISTS (SELECT FROM event_log WHERE position = $1 AND event_id = $2)";
            sqlx::query_scalar(sql).bind(position).bind(event_id)
        }
        Witness::Request { command, position, recorded_at } => {
            let sql = "SELECT EXISTS (SELECT FROM request
                       WHERE position = $1 AND request_id = $2 AND actor = $3 AND recorded_at = $4)";
            let append = &commands[command].append;
            let request = append.request.as_ref().expect("the witness of a batch is a command with a request");
            sqlx::query_scalar(sql).bind(position).bind(request.id).bind(&append.actor).bind(recorded_at)
        }
    };
    let found = within(query.fetch_one(&mut *connection)).await?;
    roll_back(connection).await?;
    Ok(found)
}

/// Whether PostgreSQL refuses something in the commands themselves, so that trying again is in vain: data exceptions,
/// broken constraints, exceeded limits. Everything else is the state of the world and may pass.
pub(crate) fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Encode(_) => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
        }
        _ => false,
    }
}

/// What is wrong, without the values: they can be personal.
pub(crate) fn reason(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(DatabaseError::code);
    code.map_or_else(|| "cannot be encoded".to_owned(), |code| format!("SQLSTATE {code}"))
}

/// An answer of PostgreSQL, or an error when there is none for too long.
pub(crate) async fn within<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(PATIENCE, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

async fn read<'a>(connection: &mut PgConnection, commands: &'a [Command]) -> Result<Ground<'a>, sqlx::Error> {
    let streams: Vec<Uuid> = commands.iter().map(|command| command.append.stream).collect();
    let requests: Vec<RequestId<'a>> = commands.iter().filter_map(request_id).collect();
    let (actors, request_ids): (Vec<&str>, Vec<Uuid>) = requests.iter().copied().unzip();
    let claims: Vec<ClaimKey<'a>> =
        commands.iter().flat_map(|command| &command.append.claims).map(Claim::key).collect();
    let (kinds, keys): (Vec<&str>, Vec<&[u8]>) = claims.iter().copied().unzip();

    let query = sqlx::query(READ).bind(&streams).bind(actors).bind(request_ids).bind(kinds).bind(keys);
    let row = query.fetch_one(connection).await?;

    let versions: Vec<i64> = row.try_get("versions")?;
    let held: Vec<i64> = row.try_get::<Option<_>, _>("claim_n")?.unwrap_or_default();
    Ok(Ground {
        position: row.try_get("position")?,
        epoch: row.try_get("epoch")?,
        hash: row.try_get::<Option<_>, _>("hash")?.unwrap_or_default(),
        now: row.try_get("now")?,
        versions: streams.into_iter().zip(versions).collect(),
        requests: answered(&row, &requests)?,
        claims: held.into_iter().map(|n| (claims[index(n)], Held::Before)).collect(),
    })
}

fn request_id(command: &Command) -> Option<RequestId<'_>> {
    command.append.request.as_ref().map(|request| (command.append.actor.as_str(), request.id))
}

/// The requests that were answered before.
fn answered<'a>(row: &PgRow, asked: &[RequestId<'a>]) -> Result<HashMap<RequestId<'a>, Kept<'a>>, sqlx::Error> {
    let Some(numbers) = row.try_get::<Option<Vec<i64>>, _>("request_n")? else { return Ok(HashMap::new()) };
    let mut fingerprints = row.try_get::<Vec<[u8; 32]>, _>("fingerprints")?.into_iter();
    let mut positions = row.try_get::<Vec<i64>, _>("positions")?.into_iter();
    let mut times = row.try_get::<Vec<_>, _>("times")?.into_iter();
    let mut answers = row.try_get::<Vec<Vec<u8>>, _>("answers")?.into_iter();
    let mut next = || {
        Some(Kept {
            fingerprint: fingerprints.next()?,
            position: positions.next()?,
            recorded_at: times.next()?,
            answer: answers.next()?.into(),
        })
    };
    let kept = |n| (asked[index(n)], next().expect("the arrays of one query are of one length"));
    Ok(numbers.into_iter().map(kept).collect())
}

/// PostgreSQL numbers from 1.
fn index(ordinality: i64) -> usize {
    usize::try_from(ordinality - 1).expect("an ordinality is a small positive number")
}

async fn write(connection: &mut PgConnection, plan: &Plan<'_>) -> Result<(), sqlx::Error> {
    let (released_kinds, released_keys): (Vec<&str>, Vec<&[u8]>) = plan.released().unzip();
    let (taken, taken_at): (Vec<ClaimKey<'_>>, Vec<i64>) = plan.taken().unzip();
    let (taken_kinds, taken_keys): (Vec<&str>, Vec<&[u8]>) = taken.into_iter().unzip();
    let (events, requests) = (&plan.events, &plan.requests);
    let query = sqlx::query(WRITE)
        .bind(plan.now)
        .bind(&events.position)
        .bind(&events.epoch)
        .bind(&events.stream)
        .bind(&events.version)
        .bind(&events.kind)
        .bind(&events.payload)
        .bind(&events.inner)
        .bind(&events.sealed)
        .bind(&events.metadata)
        .bind(&events.event_id)
        .bind(&events.hash)
        .bind(released_kinds)
        .bind(released_keys)
        .bind(taken_kinds)
        .bind(taken_keys)
        .bind(taken_at)
        .bind(&requests.actor)
        .bind(&requests.request_id)
        .bind(&requests.fingerprint)
        .bind(&requests.position)
        .bind(&requests.answer);
    query.execute(connection).await.map(drop)
}
