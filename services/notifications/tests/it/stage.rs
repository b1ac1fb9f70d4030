//! The stage of these tests: the service with neighbours whose events and contacts a test writes, and folders for its channels.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::wait;
use notifications::Notifications;
use notifications::settings::Settings;
use proto::applications::v1::ApplicationSubmitted;
use proto::identity::v1 as identity;
use proto::identity::v1::profiles_server::{Profiles, ProfilesServer};
use proto::notifications::v1::Delivery;
use proto::notifications::v1::notices_client::NoticesClient;
use proto::notifications::v1::{DeliveryState, ListDeliveriesRequest, ListNoticesRequest, ListNoticesResponse};
use rpc::Surface;
use service::testing::{Channel, Neighbour, Running};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tonic::{Request, Response, Status};
use uuid::Uuid;

pub const DEADLINE: Duration = Duration::from_secs(30);
/// 报名号 of the application on most stages.
pub const NUMBER: &str = "20263203020000017";

/// The service and what is around it.
pub struct Stage {
    pub running: Running<Notifications>,
    pub contacts: FakeContacts,
    pub folder: TempDir,
}

/// Identity, as far as this service asks it: who has which contact; who has none makes it fail.
#[derive(Debug, Clone, Default)]
pub struct FakeContacts(Arc<Mutex<HashMap<Uuid, Result<identity::GetContactResponse, tonic::Code>>>>);

impl FakeContacts {
    pub fn set(&self, person: Uuid, phone: &str, email: &str) {
        let contact =
            identity::GetContactResponse {
                name: "示例".to_owned(), phone: phone.to_owned(), email: email.to_owned()
            };
        self.0.lock().unwrap().insert(person, Ok(contact));
    }

    pub fn fail(&self, person: Uuid, code: tonic::Code) {
        self.0.lock().unwrap().insert(person, Err(code));
    }
}

#[tonic::async_trait]
impl Profiles for FakeContacts {
    async fn get_contact(
        &self,
        request: Request<identity::GetContactRequest>,
    ) -> Result<Response<identity::GetContactResponse>, Status> {
        let request = request.into_inner();
        assert!(!request.purpose.is_empty(), "the person's access log wants a purpose");
        let person = Uuid::parse_str(&request.person_id).unwrap();
        match self.0.lock().unwrap().get(&person) {
            Some(Ok(contact)) => Ok(Response::new(contact.clone())),
            Some(Err(code)) => Err(Status::new(*code, "")),
            None => Err(Status::not_found("")),
        }
    }

    async fn get_profile(
        &self,
        _: Request<identity::GetProfileRequest>,
    ) -> Result<Response<identity::GetProfileResponse>, Status> {
        unreachable!("notifications does not ask for profiles")
    }

    async fn complete_profile(
        &self,
        _: Request<identity::CompleteProfileRequest>,
    ) -> Result<Response<identity::CompleteProfileResponse>, Status> {
        unreachable!("notifications does not complete profiles")
    }

    async fn change_profile(
        &self,
        _: Request<identity::ChangeProfileRequest>,
    ) -> Result<Response<identity::ChangeProfileResponse>, Status> {
        unreachable!("notifications does not change profiles")
    }

    async fn find_person_by_number(
        &self,
        _: Request<identity::FindPersonByNumberRequest>,
    ) -> Result<Response<identity::FindPersonByNumberResponse>, Status> {
        unreachable!("notifications knows no numbers")
    }

    async fn get_person_details(
        &self,
        _: Request<identity::GetPersonDetailsRequest>,
    ) -> Result<Response<identity::GetPersonDetailsResponse>, Status> {
        unreachable!("notifications needs no details")
    }
}

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

/// Settings as the command line would give them.
pub fn settings(flags: &[&str]) -> Settings {
    let parsed = <Flags as clap::Parser>::try_parse_from(std::iter::once(&"notifications").chain(flags));
    parsed.unwrap_or_else(|problem| panic!("{problem}")).settings
}

impl Stage {
    /// Mail and SMS go into folders.
    pub async fn set(flags: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (mail, sms) = (path("mail"), path("sms"));
        let settings = settings(&[&["--mail-dir", mail.as_str(), "--sms-dir", sms.as_str()], flags].concat());
        let contacts = FakeContacts::default();
        let profiles = Surface::new().offer(ProfilesServer::new(contacts.clone()));
        let neighbours =
            vec![Neighbour::start("identity", profiles).await, Neighbour::start("applications", Surface::new()).await];
        let running = service::testing::start::<Notifications>(settings, neighbours).await;
        Self { running, contacts, folder }
    }

    pub fn applications(&self) -> &Neighbour {
        self.running.neighbour("applications")
    }

    /// A person with a contact files an application; gives the record's id.
    pub async fn submit(&self, person: Uuid, number: &str) -> Uuid {
        let certificate = lifecycle::ids::random();
        let submitted = ApplicationSubmitted {
            certificate_id: certificate.to_string(),
            enrolment_number: number.to_owned(),
            person_id: person.to_string(),
            ..Default::default()
        };
        self.applications().publish(certificate, "320302", &submitted).await;
        certificate
    }

    pub async fn inbox(&self, person: Uuid) -> ListNoticesResponse {
        let mut notices = NoticesClient::new(self.running.person(person));
        notices.list_notices(ListNoticesRequest::default()).await.unwrap().into_inner()
    }

    /// Waits until the inbox of a person holds this many notices.
    pub async fn inbox_of(&self, person: Uuid, count: usize) -> ListNoticesResponse {
        let what = format!("{count} notices in the inbox");
        let inbox = wait::until(&what, DEADLINE, async || {
            Some(self.inbox(person).await).filter(|inbox| inbox.notices.len() == count)
        });
        inbox.await.unwrap()
    }

    pub async fn operator(&self) -> NoticesClient<Channel> {
        let id = lifecycle::ids::random();
        NoticesClient::new(self.running.staff(id, identity::Role::Operator, "320000", None).await)
    }

    /// Waits until no delivery is on its way any more, and gives all of them.
    pub async fn settled(&self) -> Vec<Delivery> {
        let mut operator = self.operator().await;
        let settled = wait::until("all deliveries to be settled", DEADLINE, async || {
            let request = ListDeliveriesRequest { page_size: 200, ..Default::default() };
            let deliveries = operator.list_deliveries(request).await.unwrap().into_inner().deliveries;
            let open = deliveries.iter().any(|delivery| delivery.state == i32::from(DeliveryState::Queued));
            (!open && !deliveries.is_empty()).then_some(deliveries)
        });
        settled.await.unwrap()
    }

    /// The texts of a folder's files, in the order of their names.
    pub fn files(&self, folder: &str) -> Vec<String> {
        files(&self.folder.path().join(folder))
    }

    /// The texts of all mails in the folder.
    pub fn letters(&self) -> Vec<String> {
        let letter = |mail: &String| {
            let (_, body) = mail.split_once("\r\n\r\n").unwrap();
            String::from_utf8(STANDARD.decode(body.replace("\r\n", "")).unwrap()).unwrap()
        };
        self.files("mail").iter().map(letter).collect()
    }

    /// Everything in every table of the service's database, as text; bytes in hex.
    pub async fn everything_stored(&self) -> String {
        let pool = &self.running.service.ground.pool;
        let tables: Vec<String> = sqlx::query_scalar(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'views')",
        )
        .fetch_all(pool)
        .await
        .unwrap();
        let mut all = String::new();
        for table in tables {
            let sql = format!("SELECT coalesce(string_agg(stored::text, ' '), '') FROM {table} AS stored");
            let rows: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
            all.push_str(&rows);
        }
        all
    }

    /// All events of the service's own log.
    pub async fn log(&self) -> Vec<eventlog::Recorded> {
        self.running.service.ground.log.read(0, 10_000).await.unwrap()
    }
}

pub fn files(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

pub fn person(number: u128) -> Uuid {
    Uuid::from_u128(0x7000_0000_0000_4000_8000_0000_0000_0000 + number)
}
