//! A register's file through `ImportRegister`, beside a plain COPY of the same rows into one table of the same PostgreSQL.
//!
//! The file is streamed as an officer's tool would send it, to the real service with its log, keys, view and relay. The other services are
//! stopped before it is measured, since an import calls none of them; certificates find their owners later.
#![allow(clippy::print_stdout, reason = "a benchmark's answer goes to its output")]

mod copy;
mod peak;
mod workbook;

use std::fs::File;
use std::io::{BufWriter, Read as _};
use std::path::Path;

use clap::Parser;
use cluster::failure::Doing as _;
use cluster::{Cluster, Failure, Result, Service, call, register, seed};
use futures::stream;
use proto::certificates::v1 as wire;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::sync_client::SyncClient;
use time::UtcOffset;
use tokio::time::Instant;

/// Bytes of the largest piece of a file that the service takes.
const CHUNK: usize = 64 * 1024;
/// Of so many rows of the text one is in the workbook.
const WORKBOOK: u32 = 10;
/// Bytes that the service may have in memory, whatever the length of the file.
const MOST_MEMORY: u64 = 200_000_000;

#[derive(Parser)]
struct Arguments {
    /// Certificates in the register's file, at most a million.
    #[arg(long, default_value_t = 1_000_000)]
    rows: u32,
    /// Says cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    cluster_tests::ended(measure(&Arguments::parse()).await)
}

async fn measure(arguments: &Arguments) -> Result<()> {
    let mut cluster = Cluster::start().await?;
    println!("seeding the season");
    seed::fill(&cluster, 0, &|line| println!("  {line}")).await?;
    let folder = tempfile::tempdir().doing(|| "create a folder for the files".into())?;
    let csv = folder.path().join("register.csv");
    write(&csv, arguments.rows)?;
    let officer = call::sign_in(cluster.layout(), "register").await?;
    let sync = SyncClient::new(officer.channel(&officer.addresses.certificates)?);
    for service in [Service::Identity, Service::Scheduling, Service::Applications, Service::Notifications] {
        cluster.replica(service, 0).kill();
    }
    let pid = pid(&mut cluster, Service::Certificates)?;

    let before = copy::rows_per_second(&cluster, &csv, arguments.rows).await?;
    println!("copy: {before:.0} rows/s");
    let (seconds, last) = import(sync.clone(), &csv).await?;
    if (last.added, last.rejected) != (i64::from(arguments.rows), 0) {
        return Err(Failure::new(format!("the register was not taken whole: {last:?}")));
    }
    let added = f64::from(arguments.rows) / seconds;
    let peak = peak::bytes(pid)?;
    println!("sync: {added:.0} rows/s, {seconds:.1} s, the service at most {} MB in memory", peak / 1_000_000);
    let (seconds, last) = import(sync.clone(), &csv).await?;
    if last.unchanged != i64::from(arguments.rows) {
        return Err(Failure::new(format!("the same file again changes something: {last:?}")));
    }
    println!("the same file again: {:.0} rows/s", f64::from(arguments.rows) / seconds);
    let (xlsx, changed) = (folder.path().join("register.xlsx"), arguments.rows.div_ceil(WORKBOOK));
    workbook::write(&xlsx, &csv, changed)?;
    let (seconds, last) = import(sync, &xlsx).await?;
    if last.changed != i64::from(changed) {
        return Err(Failure::new(format!("the workbook was not taken whole: {last:?}")));
    }
    let peak = peak::bytes(pid)?;
    println!(
        "xlsx: {:.0} changed rows/s, the service at most {} MB in memory",
        f64::from(changed) / seconds,
        peak / 1_000_000
    );
    let after = copy::rows_per_second(&cluster, &csv, arguments.rows).await?;
    println!("copy: {after:.0} rows/s");
    println!("ratio sync/copy {:.3}", added / f64::midpoint(before, after));
    cluster.stop().await?;
    peak::at_most(peak, MOST_MEMORY)
}

/// Writes the synthetic register of so many teachers.
fn write(path: &Path, rows: u32) -> Result<()> {
    let file = File::create(path).doing(|| format!("create {}", path.display()))?;
    let today = lifecycle::clock::now().to_offset(UtcOffset::from_hms(8, 0, 0).expect("Shanghai's offset")).date();
    register::write(BufWriter::new(file), rows, today)
}

fn pid(cluster: &mut Cluster, service: Service) -> Result<u32> {
    let process = cluster.replica(service, 0).process.as_ref();
    Ok(process.ok_or_else(|| Failure::new(format!("{service} does not run")))?.pid())
}

/// Sends a file, piece by piece as it is asked for; gives the seconds until the report, and the report.
async fn import(
    mut sync: SyncClient<cluster::actor::Channel>,
    path: &Path,
) -> Result<(f64, wire::ImportRegisterResponse)> {
    let doing = || format!("import {}", path.display());
    let mut file = File::open(path).doing(doing)?;
    let options = wire::ImportOptions { request_id: lifecycle::ids::random().to_string(), ..Default::default() };
    let chunks = std::iter::from_fn(move || {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).expect("a file that was just written can be read");
        chunk.truncate(read);
        (read > 0).then(|| Part::Chunk(chunk.into()))
    });
    let parts = std::iter::once(Part::Options(options)).chain(chunks);
    let parts = parts.map(|part| wire::ImportRegisterRequest { part: Some(part) });
    let start = Instant::now();
    let mut reports = sync.import_register(stream::iter(parts)).await.doing(doing)?.into_inner();
    while let Some(report) = reports.message().await.doing(doing)? {
        if let Some(row) = report.rejected_rows.first() {
            return Err(Failure::new(format!("line {}: {} {}", row.line, row.field, row.reason)));
        }
        if report.done {
            return Ok((start.elapsed().as_secs_f64(), report));
        }
    }
    Err(Failure::new("the import ended without its report"))
}
