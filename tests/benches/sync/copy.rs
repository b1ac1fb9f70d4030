//! The reference: PostgreSQL's own COPY of the same file into one table without indexes.

use std::path::Path;

use cluster::failure::Doing as _;
use cluster::{Cluster, Failure, Result, Service};
use sqlx::postgres::PgPoolCopyExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::time::Instant;

const CHUNK: usize = 64 * 1024;

/// Copies the file into a new table and drops that again.
pub async fn rows_per_second(cluster: &Cluster, path: &Path, rows: u32) -> Result<f64> {
    let doing = || "copy the register".to_owned();
    let url = cluster.layout().superuser_url(&cluster.layout().database(Service::Certificates))?;
    let pool = eventlog::pool(&url, "bench", 1).doing(doing)?;
    let table = "CREATE TABLE copied (number text, name text, certificate text, kind text, subject text, agency text, issued date,
                                      ordinal int, conclusion text, concluded date)";
    sqlx::query(table).execute(&pool).await.doing(doing)?;
    let mut file = tokio::fs::File::open(path).await.doing(doing)?;
    let start = Instant::now();
    let mut copy = pool.copy_in_raw("COPY copied FROM STDIN (FORMAT csv, HEADER)").await.doing(doing)?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk).await.doing(doing)?;
        if read == 0 {
            break;
        }
        copy.send(&chunk[..read]).await.doing(doing)?;
    }
    let copied = copy.finish().await.doing(doing)?;
    let seconds = start.elapsed().as_secs_f64();
    sqlx::query("DROP TABLE copied").execute(&pool).await.doing(doing)?;
    if copied != u64::from(rows) {
        return Err(Failure::new(format!("COPY took {copied} of {rows} rows")));
    }
    Ok(f64::from(rows) / seconds)
}
