//! The reference: pgbench's single-row insert of an event of the same size, at 128 clients, on the same server.

use std::process::Stdio;

use cluster::failure::Doing as _;
use cluster::{Cluster, Failure, Result, Service};
use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;

const SECONDS: &str = "10";
const CLIENTS: &str = "128";

/// The mean size of a submission's row in the log.
pub async fn event_bytes(cluster: &Cluster) -> Result<i64> {
    let layout = cluster.layout();
    let mut database = connect(&layout.superuser_url(&layout.database(Service::Applications))?).await?;
    let mean: Option<i64> = sqlx::query_scalar(
        "SELECT avg(octet_length(payload) + octet_length(\"inner\") + octet_length(sealed) + octet_length(metadata))::bigint
         FROM event_log WHERE type = 'dingzhu.applications.v1.ApplicationSubmitted'",
    )
    .fetch_one(&mut database)
    .await
    .doing(|| "measure an event".into())?;
    mean.ok_or_else(|| Failure::new("there is no submission to measure"))
}

/// Inserts per second.
pub async fn run(cluster: &Cluster, event_bytes: i64) -> Result<f64> {
    let url = cluster.layout().superuser_url("postgres")?;
    let mut database = connect(&url).await?;
    sqlx::raw_sql(
        "CREATE TABLE IF NOT EXISTS bench_event (position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
             stream uuid NOT NULL, recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(), payload bytea NOT NULL);
         TRUNCATE bench_event",
    )
    .execute(&mut database)
    .await
    .doing(|| "make the table of the reference".into())?;
    let folder = tempfile::tempdir().doing(|| "make a folder".into())?;
    let script = folder.path().join("insert.sql");
    let digits = "5a".repeat(usize::try_from(event_bytes).unwrap_or(0));
    let insert = format!("INSERT INTO bench_event (stream, payload) VALUES (gen_random_uuid(), '\\x{digits}');\n");
    std::fs::write(&script, insert).doing(|| "write the reference's script".into())?;
    let output = Command::new(cluster::install::postgres()?.join("pgbench"))
        .args([
            "--no-vacuum",
            "--protocol",
            "prepared",
            "--jobs",
            "2",
            "--client",
            CLIENTS,
            "--time",
            SECONDS,
            "--file",
        ])
        .arg(&script)
        .arg(&url)
        .stdin(Stdio::null())
        .output()
        .await
        .doing(|| "run pgbench".into())?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let rate = printed.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
    let rate: f64 = rate.ok_or_else(|| {
        Failure::new(format!("pgbench gave no rate: {printed}{}", String::from_utf8_lossy(&output.stderr)))
    })?;
    println!("pgbench, {CLIENTS} clients: {rate:.0}/s");
    Ok(rate)
}

async fn connect(url: &str) -> Result<PgConnection> {
    PgConnection::connect(url).await.doing(|| "connect as superuser".into())
}
