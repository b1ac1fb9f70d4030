//! A mail server on loopback that speaks real SMTP: greeting, STARTTLS or TLS, login, envelope, text; and misbehaves as told.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::CertifiedKey;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

pub const USER: &str = "dingzhu";
pub const PASSWORD: &str = "a password with spaces";

/// A server that runs until its handle is dropped.
pub struct MailServer {
    pub address: SocketAddr,
    /// Certificate of the server, PEM.
    pub certificate: String,
    heard: Arc<Mutex<Heard>>,
    task: JoinHandle<()>,
}

/// What reached the server.
#[derive(Default)]
struct Heard {
    commands: Vec<String>,
    mails: Vec<Received>,
}

/// A mail that the server got in full, whatever it answered.
#[derive(Debug, Clone)]
pub struct Received {
    pub to: String,
    pub text: String,
    pub encrypted: bool,
    pub user: Option<String>,
}

/// How connections are protected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Security {
    Nothing,
    StartTls,
    Tls,
}

/// The answer to one mail, after its text.
pub enum Answer {
    Say(&'static str),
    /// Runs, and then the connection is gone without an answer.
    Vanish(Box<dyn FnOnce() + Send>),
}

pub const TAKEN: Answer = Answer::Say("250 taken");

/// What the server does; answers beyond the given ones are [`TAKEN`].
pub struct Manners {
    pub security: Security,
    pub recipients: VecDeque<&'static str>,
    pub mails: VecDeque<Answer>,
}

impl Manners {
    pub fn good(security: Security) -> Self {
        Self { security, recipients: VecDeque::new(), mails: VecDeque::new() }
    }
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        let start = format!("{name}: ");
        self.text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("no {name}"))
    }
}

struct Server {
    security: Security,
    acceptor: TlsAcceptor,
    manners: Mutex<Manners>,
    heard: Arc<Mutex<Heard>>,
}

impl MailServer {
    pub async fn start(manners: Manners) -> Self {
        let CertifiedKey { cert, signing_key } = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        let heard = Arc::<Mutex<Heard>>::default();
        let server = Arc::new(Server {
            security: manners.security,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            manners: Mutex::new(manners),
            heard: Arc::clone(&heard),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        #[expect(clippy::disallowed_methods, reason = "the server of a test ends with its handle")]
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let server = Arc::clone(&server);
                connections.spawn(async move { server.serve(stream).await });
            }
        });
        Self { address, certificate: cert.pem(), heard, task }
    }

    /// The flags that lead the service here.
    pub fn flags(&self, url: &str) -> Vec<String> {
        let url = url.replace("{address}", &self.address.to_string());
        ["--smtp-url", &url, "--mail-from", "定注 <noreply@dingzhu.example>"].map(str::to_owned).into()
    }

    pub fn mails(&self) -> Vec<Received> {
        self.heard.lock().unwrap().mails.clone()
    }

    /// First words of all commands, in the order in which they came.
    pub fn commands(&self) -> Vec<String> {
        self.heard.lock().unwrap().commands.clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    async fn serve(&self, stream: TcpStream) {
        if self.security == Security::Tls {
            if let Ok(stream) = self.acceptor.accept(stream).await {
                self.talk(stream, true, true).await;
            }
        } else if let Some(stream) = self.talk(stream, false, true).await
            && let Ok(stream) = self.acceptor.accept(stream).await
        {
            self.talk(stream, true, false).await;
        }
    }

    /// One conversation; gives the connection back where it is to be encrypted.
    async fn talk<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S, encrypted: bool, greet: bool) -> Option<S> {
        let mut stream = BufReader::new(stream);
        let (mut user, mut to) = (None, String::new());
        if greet {
            say(&mut stream, "220 test").await?;
        }
        loop {
            let line = read(&mut stream).await?;
            let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            self.heard.lock().unwrap().commands.push(word.clone());
            match word.as_str() {
                "EHLO" if self.security == Security::StartTls && !encrypted => {
                    say(&mut stream, "250-test\r\n250 STARTTLS").await?;
                }
                "EHLO" => say(&mut stream, "250-test\r\n250-8BITMIME\r\n250 AUTH PLAIN").await?,
                "STARTTLS" => {
                    say(&mut stream, "220 go on").await?;
                    return Some(stream.into_inner());
                }
                "AUTH" => {
                    let given = line.rsplit(' ').next().and_then(|word| STANDARD.decode(word).ok()).unwrap_or_default();
                    if given == format!("\0{USER}\0{PASSWORD}").as_bytes() {
                        user = Some(USER.to_owned());
                        say(&mut stream, "235 welcome").await?;
                    } else {
                        say(&mut stream, "535 no").await?;
                    }
                }
                "RCPT" => {
                    line.clone_into(&mut to);
                    let answer = self.manners.lock().unwrap().recipients.pop_front().unwrap_or("250 known");
                    say(&mut stream, answer).await?;
                }
                "DATA" => {
                    say(&mut stream, "354 go on").await?;
                    let text = read_text(&mut stream).await?;
                    let received = Received { to: to.clone(), text, encrypted, user: user.clone() };
                    self.heard.lock().unwrap().mails.push(received);
                    let answer = self.manners.lock().unwrap().mails.pop_front().unwrap_or(TAKEN);
                    match answer {
                        Answer::Say(answer) => say(&mut stream, answer).await?,
                        Answer::Vanish(act) => {
                            act();
                            return None;
                        }
                    }
                }
                "QUIT" => {
                    say(&mut stream, "221 bye").await?;
                    return None;
                }
                "MAIL" | "RSET" | "NOOP" => say(&mut stream, "250 ok").await?,
                _ => say(&mut stream, "502 what").await?,
            }
        }
    }
}

/// `None` when the other side is gone.
async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, line: &str) -> Option<()> {
    stream.write_all(format!("{line}\r\n").as_bytes()).await.ok()?;
    stream.flush().await.ok()
}

async fn read<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut line = String::new();
    let length = stream.read_line(&mut line).await.ok()?;
    (length > 0).then(|| line.trim_end().to_owned())
}

async fn read_text<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = read(stream).await?;
        if line == "." {
            return Some(text);
        }
        text.push_str(line.strip_prefix('.').unwrap_or(&line));
        text.push('\n');
    }
}
