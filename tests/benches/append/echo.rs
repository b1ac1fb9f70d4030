//! The reference of what is answered from memory: an empty gRPC echo, a bare tonic server in a process of its own.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use cluster::failure::Doing as _;
use cluster::{Failure, Result};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::Instant;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

/// Makes this program the server.
pub const ARGUMENT: &str = "serve-echo";
/// How long a measurement takes.
pub const SECONDS: Duration = Duration::from_secs(8);
/// Connections that the callers share.
pub const CONNECTIONS: usize = 8;

/// Serves until it is killed; the first line says where.
pub fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        println!("{}", listener.local_addr().expect("it is bound"));
        let (_, health) = tonic_health::server::health_reporter();
        let served = tonic::transport::Server::builder()
            .add_service(health)
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await;
        if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    })
}

/// Calls per second.
pub async fn measure(callers: usize) -> Result<f64> {
    let program = std::env::current_exe().doing(|| "find this program".into())?;
    let mut server = Command::new(program)
        .arg(ARGUMENT)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .doing(|| "start the echo".into())?;
    let output = server.stdout.take().ok_or_else(|| Failure::new("the echo has no output"))?;
    let address = BufReader::new(output).lines().next_line().await.doing(|| "read the echo's address".into())?;
    let address = format!("http://{}", address.unwrap_or_default());
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS {
        let endpoint = Endpoint::from_shared(address.clone()).doing(|| format!("use {address}"))?;
        channels.push(endpoint.connect().await.doing(|| "connect to the echo".into())?);
    }
    let end = Instant::now() + SECONDS;
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let mut client = HealthClient::new(channels[caller % CONNECTIONS].clone());
        tasks.spawn(async move {
            let mut calls = 0_u32;
            while Instant::now() < end {
                client.check(HealthCheckRequest::default()).await.doing(|| "echo".into())?;
                calls += 1;
            }
            Ok::<_, Failure>(calls)
        });
    }
    let mut calls = 0;
    while let Some(done) = tasks.join_next().await {
        calls += done.doing(|| "run a caller".into())??;
    }
    Ok(f64::from(calls) / SECONDS.as_secs_f64())
}
