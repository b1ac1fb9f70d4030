//! The process dies by SIGKILL after the mail server has the mail and before that is recorded.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cluster::database::TestDatabase;
use cluster::process::Child;
use cluster::{ports, wait};
use eventlog::{Division, EventLog};
use lifecycle::Lifecycle;
use notifications::domain::step::Step;
use notifications::handle::{Handle, Told};
use notifications::store::{DeliveryState, Store};
use proto::identity::v1::profiles_server::ProfilesServer;
use tempfile::TempDir;

use crate::mail_server::{Answer, MailServer, Manners, Security};
use crate::stage::{DEADLINE, FakeContacts, NUMBER, person, settings};

/// What a process of the service needs to run alone.
struct Deployment {
    database: TestDatabase,
    files: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Deployment {
    async fn new(identity: &str, mail: &MailServer) -> Self {
        let database = TestDatabase::create().await.unwrap();
        let files = TempDir::new().unwrap();
        let file = |name: &str, content: &str| {
            let path = files.path().join(name);
            fs::write(&path, content).unwrap();
            path.display().to_string()
        };
        let (seed, public) = ("11".repeat(32), "d04ab232742bb4ab3a1368bd4615e4e6d0224ab71a016baf8520a332c9778737");
        let environment = vec![
            ("DINGZHU_DATABASE_URL", database.url()),
            ("DINGZHU_MIGRATE_DATABASE_URL", database.url()),
            ("DINGZHU_KEYS_DATABASE_URL", database.url()),
            ("DINGZHU_MASTER_KEY_FILE", file("master", &"0f".repeat(32))),
            ("DINGZHU_ROOT_PUBLIC_KEY_FILE", file("root", public)),
            ("DINGZHU_SERVICE_KEY_FILE", file("service", &seed)),
            ("DINGZHU_SERVICE_PUBLIC_KEYS_FILE", file("services", &format!("{{\"notifications\": \"{public}\"}}"))),
            ("DINGZHU_NATS_URL", "nats://127.0.0.1:9".to_owned()),
            ("DINGZHU_IDENTITY_URL", identity.to_owned()),
            ("DINGZHU_SMS_DIR", files.path().join("sms").display().to_string()),
            ("DINGZHU_SMTP_URL", format!("smtp://{}", mail.address)),
            ("DINGZHU_MAIL_FROM", "noreply@dingzhu.example".to_owned()),
            // The lease of a dead process runs out after twice this.
            ("DINGZHU_DELIVERY_TIMEOUT_MS", "1500".to_owned()),
        ];
        Self { database, files, environment }
    }

    fn command(&self, command: &str) -> Command {
        let mut process = Command::new(env!("CARGO_BIN_EXE_notifications"));
        process.arg(command).envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        process.env("DINGZHU_LISTEN", format!("127.0.0.1:{}", ports::free().unwrap()));
        process
    }

    fn log(&self) -> PathBuf {
        self.files.path().join("log")
    }
}

/// Somebody to be told, in the log and the delivery records of a service that does not run yet.
async fn queue_notice(database: &TestDatabase, folder: &Path) {
    let lifecycle = Lifecycle::new(Duration::from_secs(5));
    let pool = eventlog::pool(&database.url(), "test", 4).unwrap();
    let log = EventLog::start(pool, eventlog::Settings::default(), &lifecycle).await.unwrap();
    let folder = folder.display().to_string();
    let handle = Handle::new(log, settings(&["--mail-dir", &folder, "--sms-dir", &folder])).unwrap();
    let told = Told {
        step: Step::Withdrawn,
        enrolment_number: NUMBER.to_owned(),
        person: person(1),
        cause: lifecycle::ids::random(),
        at: lifecycle::clock::now(),
        division: Division::NONE,
    };
    handle.tell(&told).await.unwrap();
    lifecycle.stop();
    lifecycle.until_stopped().await;
}

async fn identity(contacts: FakeContacts) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = tonic::transport::server::TcpIncoming::from(listener);
    let server = tonic::transport::Server::builder().add_service(ProfilesServer::new(contacts));
    #[expect(clippy::disallowed_methods, reason = "the server of a test ends with the test")]
    tokio::spawn(server.serve_with_incoming(incoming));
    format!("http://{address}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_whose_sender_died_is_sent_again_under_the_same_id_and_recorded_once() {
    let contacts = FakeContacts::default();
    contacts.set(person(1), "", "teacher@school.example");
    let process: Arc<Mutex<Option<Child>>> = Arc::default();
    let victim = Arc::clone(&process);
    let mut manners = Manners::good(Security::Nothing);
    manners.mails.push_back(Answer::Vanish(Box::new(move || {
        victim.lock().unwrap().as_mut().expect("the process that sends").kill();
    })));
    let server = MailServer::start(manners).await;
    let deployment = Deployment::new(&identity(contacts).await, &server).await;

    let migrated = deployment.command("migrate").output().unwrap();
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    queue_notice(&deployment.database, deployment.files.path()).await;
    {
        // Held until the handle is in its place, so that the mail server finds whom to kill.
        let mut place = process.lock().unwrap();
        *place = Some(Child::spawn("notifications", deployment.command("serve"), &deployment.log()).unwrap());
    }
    let pool = eventlog::pool(&deployment.database.url(), "test", 2).unwrap();
    let died = wait::until("the process to die while it sends", DEADLINE, async || {
        (!process.lock().unwrap().as_mut().expect("it was started").is_running()).then_some(())
    });
    let last_words = || process.lock().unwrap().as_ref().map(Child::last_words).unwrap_or_default();
    died.await.unwrap_or_else(|failure| panic!("{failure}\n{}", last_words()));
    assert_eq!(server.mails().len(), 1, "{}", last_words());
    let store = Store::new(pool.clone());
    let page = store.list_deliveries(Some(DeliveryState::Queued), None, 10).await.unwrap();
    assert_eq!(page.deliveries.len(), 1, "what was sent is not recorded");

    *process.lock().unwrap() =
        Some(Child::spawn("notifications", deployment.command("serve"), &deployment.log()).unwrap());
    let delivered = wait::until("the mail to be recorded", DEADLINE, async || {
        let page = store.list_deliveries(Some(DeliveryState::Delivered), None, 10).await.unwrap();
        (page.deliveries.len() == 2).then_some(page.deliveries)
    });
    delivered.await.unwrap_or_else(|failure| panic!("{failure}\n{}", last_words()));

    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(mails[0].header("Message-ID"), mails[1].header("Message-ID"));
    assert_eq!(mails[0].text, mails[1].text, "a repetition is the same mail");
    let kinds: Vec<String> =
        sqlx::query_scalar("SELECT type FROM event_log ORDER BY position").fetch_all(&pool).await.unwrap();
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.rsplit('.').next().unwrap()).collect();
    assert_eq!(kinds, ["NoticeQueued", "NoticeDelivered", "NoticeDelivered"]);
    let mut process = process.lock().unwrap().take().unwrap();
    assert!(process.terminate(DEADLINE).await.unwrap().success(), "{}", process.last_words());
}
