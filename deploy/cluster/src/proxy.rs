//! A TCP proxy on 127.0.0.1 that delays, swallows, cuts and resets connections on command.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::failure::Doing as _;
use crate::{Failure, Result, wait};

/// What happens to bytes; a change counts at once, also for connections that are open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forward everything.
    Pass,
    /// Forward each piece of at most 16 KiB this much later, both ways.
    Delay(Duration),
    /// Accept connections and bytes, forward nothing, answer nothing; what is swallowed is lost.
    Blackhole,
    /// End every connection with a reset, new ones too.
    Reset,
    /// End a connection after it has carried this many bytes from the client; then back to `Pass`.
    CutAfter(usize),
    /// End the connection whose client sends these bytes, once; then back to `Pass`.
    CutAt {
        /// The bytes that are waited for, for example `COMMIT`.
        pattern: Vec<u8>,
        /// True: the bytes reach the server and take effect there, only the answer is lost. False: they never arrive.
        forward: bool,
    },
}

/// A proxy in front of one server; ends with its connections when dropped.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    upstream: SocketAddr,
    mode: watch::Sender<Mode>,
    cuts: AtomicUsize,
    /// Dropped with the proxy; every connection listens.
    open: watch::Sender<bool>,
}

impl ChaosProxy {
    /// Listens on a free port of 127.0.0.1 and forwards to `port` there.
    pub async fn start(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.doing(|| "listen for the proxy".into())?;
        let address = listener.local_addr().doing(|| "ask for the proxy's address".into())?;
        let upstream = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (mode, open) = (watch::Sender::new(Mode::Pass), watch::Sender::new(true));
        let shared = Arc::new(Shared { upstream, mode, cuts: AtomicUsize::new(0), open });
        let accepting = spawn(accept(listener, Arc::clone(&shared)));
        Ok(Self { address, shared, accepting })
    }

    /// The proxy's port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The same address with the proxy's port in place of the server's.
    pub fn in_front_of(&self, url: &str) -> Result<String> {
        let server = format!("127.0.0.1:{}", self.shared.upstream.port());
        if !url.contains(&server) {
            return Err(Failure::new(format!("the proxy stands before {server}, which is not in the address given")));
        }
        Ok(url.replace(&server, &self.address.to_string()))
    }

    /// From now on.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// How many connections `Reset`, `CutAfter` and `CutAt` have ended.
    pub fn cuts(&self) -> usize {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Waits until `cuts` has reached this number.
    pub async fn until_cuts(&self, number: usize, deadline: Duration) -> Result<()> {
        wait::until("the proxy's cut", deadline, async || (self.cuts() >= number).then_some(())).await
    }
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.accepting.abort();
        self.shared.open.send_replace(false);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a proxy of tests has no process to bring down when one of its tasks ends"
)]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(task)
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        spawn(async move {
            let mut open = shared.open.subscribe();
            tokio::select! {
                // Both ends of this only ever close the connection, which is all there is to do.
                _ = connect(client, &shared) => {}
                _ = open.wait_for(|open| !open) => {}
            }
        });
    }
}

async fn connect(client: TcpStream, shared: &Shared) -> std::io::Result<()> {
    if *shared.mode.borrow() == Mode::Reset {
        return cut(&client, shared);
    }
    let server = TcpStream::connect(shared.upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut mode = shared.mode.subscribe();
    let end = tokio::select! {
        end = requests(&mut from_client, &mut to_server, shared) => end?,
        end = answers(&mut from_server, &mut to_client, shared) => end?,
        _ = mode.wait_for(|mode| *mode == Mode::Reset) => End::Cut,
    };
    let client = from_client.reunite(to_client).expect("both halves are of one connection");
    match end {
        End::Closed => Ok(()),
        End::Cut => cut(&client, shared),
        End::CutAfterEffect => {
            cut(&client, shared)?;
            drop(client);
            // The server has the bytes; its answer says that they have taken effect.
            from_server.read(&mut [0; 1024]).await.map(|_| ())
        }
    }
}

/// How one direction ended.
enum End {
    Closed,
    Cut,
    CutAfterEffect,
}

async fn requests(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, shared: &Shared) -> std::io::Result<End> {
    let mut buffer = vec![0; 16 * 1024];
    let mut carried = 0;
    // The end of what was seen, so that a pattern may lie across two reads.
    let mut seen: Vec<u8> = Vec::new();
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(End::Closed);
        }
        let bytes = &buffer[..length];
        let mode = shared.mode.borrow().clone();
        match mode {
            Mode::CutAfter(limit) if carried + length >= limit => {
                to.write_all(&bytes[..limit.saturating_sub(carried)]).await?;
                return Ok(End::Cut);
            }
            Mode::CutAt { pattern, forward } => {
                seen.extend_from_slice(bytes);
                if seen.windows(pattern.len()).any(|window| window == pattern) {
                    if !forward {
                        return Ok(End::Cut);
                    }
                    to.write_all(bytes).await?;
                    return Ok(End::CutAfterEffect);
                }
                seen.drain(..seen.len().saturating_sub(pattern.len() - 1));
                to.write_all(bytes).await?;
            }
            other => pass(bytes, to, &other).await?,
        }
        carried += length;
    }
}

async fn answers(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, shared: &Shared) -> std::io::Result<End> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(End::Closed);
        }
        let mode = shared.mode.borrow().clone();
        pass(&buffer[..length], to, &mode).await?;
    }
}

async fn pass(bytes: &[u8], to: &mut OwnedWriteHalf, mode: &Mode) -> std::io::Result<()> {
    match mode {
        Mode::Blackhole => return Ok(()),
        Mode::Delay(time) => sleep(*time).await,
        Mode::Pass | Mode::Reset | Mode::CutAfter(_) | Mode::CutAt { .. } => {}
    }
    to.write_all(bytes).await
}

/// Counts the cut, ends a mode that counts once, and makes the close a reset.
fn cut(client: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    shared.mode.send_if_modified(|mode| {
        let once = matches!(mode, Mode::CutAfter(_) | Mode::CutAt { .. });
        if once {
            *mode = Mode::Pass;
        }
        once
    });
    client.set_zero_linger()?;
    shared.cuts.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::{Connection as _, PgConnection};

    use super::*;
    use crate::database::TestDatabase;

    async fn rows(database: &TestDatabase) -> i64 {
        let mut connection = PgConnection::connect(&database.url()).await.unwrap();
        sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&mut connection).await.unwrap()
    }

    async fn proxied() -> (TestDatabase, ChaosProxy, PgConnection) {
        let database = TestDatabase::create().await.unwrap();
        let port: u16 = database.url().rsplit_once('/').unwrap().0.rsplit_once(':').unwrap().1.parse().unwrap();
        let proxy = ChaosProxy::start(port).await.unwrap();
        let mut connection = PgConnection::connect(&proxy.in_front_of(&database.url()).unwrap()).await.unwrap();
        sqlx::query("CREATE TABLE t (n int)").execute(&mut connection).await.unwrap();
        (database, proxy, connection)
    }

    async fn commit_cut(forward: bool) -> i64 {
        let (database, proxy, mut connection) = proxied().await;
        let mut transaction = connection.begin().await.unwrap();
        sqlx::query("INSERT INTO t VALUES (1)").execute(&mut *transaction).await.unwrap();
        proxy.set(Mode::CutAt { pattern: b"COMMIT".to_vec(), forward });
        assert!(transaction.commit().await.is_err());
        proxy.until_cuts(1, Duration::from_secs(5)).await.unwrap();
        let settled = wait::until("end of the session", Duration::from_secs(5), async || {
            let mut connection = PgConnection::connect(&database.url()).await.unwrap();
            let sql =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
            let others: i64 = sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap();
            (others == 0).then_some(())
        });
        settled.await.unwrap();
        rows(&database).await
    }

    #[tokio::test]
    async fn a_commit_cut_before_it_arrives_takes_no_effect() {
        assert_eq!(commit_cut(false).await, 0);
    }

    #[tokio::test]
    async fn a_commit_cut_after_it_arrived_takes_effect_unseen() {
        assert_eq!(commit_cut(true).await, 1);
    }

    #[tokio::test]
    async fn a_blackhole_swallows_and_a_reset_ends() {
        let (_database, proxy, mut connection) = proxied().await;
        proxy.set(Mode::Blackhole);
        let query = sqlx::query("SELECT 1").execute(&mut connection);
        assert!(tokio::time::timeout(Duration::from_millis(300), query).await.is_err());
        proxy.set(Mode::Reset);
        proxy.until_cuts(1, Duration::from_secs(5)).await.unwrap();
        assert!(sqlx::query("SELECT 1").execute(&mut connection).await.is_err());
    }

    #[tokio::test]
    async fn a_connection_is_cut_after_so_many_bytes() {
        let (_database, proxy, mut connection) = proxied().await;
        proxy.set(Mode::CutAfter(200));
        assert!(
            sqlx::query(&*format!("SELECT 1 -- {}", "x".repeat(300)).leak()).execute(&mut connection).await.is_err()
        );
        assert_eq!(proxy.cuts(), 1);
    }

    #[tokio::test]
    async fn a_delay_holds_bytes_back() {
        let (_database, proxy, mut connection) = proxied().await;
        proxy.set(Mode::Delay(Duration::from_millis(200)));
        let query = sqlx::query("SELECT 1").execute(&mut connection);
        assert!(tokio::time::timeout(Duration::from_millis(150), query).await.is_err());
    }
}
