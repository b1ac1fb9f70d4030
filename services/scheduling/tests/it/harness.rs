//! A running service and its clients.

use std::time::Duration;

use eventlog::{Append, Claim, Division, NewEvent};
use proto::identity::v1::Role;
use proto::scheduling::v1::availability_client::AvailabilityClient;
use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::plans_client::PlansClient;
use proto::scheduling::v1::{
    AddAgencyRequest, AddPointRequest, AddSchoolRequest, Agency, JoinAgencyRequest, ListAgenciesRequest, Point,
    PublishPlanRequest, School,
};
use rpc::{ReadRefusal, Refusal};
use scheduling::Scheduling;
use scheduling::config::Settings;
use scheduling::store::Stored;
use service::testing::{Channel, Neighbour, Running, start};
use tonic::{Response, Status};
use uuid::Uuid;

/// The service and an officer of 江苏.
pub(crate) struct World {
    pub(crate) running: Running<Scheduling>,
    pub(crate) officer: Channel,
}

pub(crate) fn request_id() -> String {
    lifecycle::ids::random().to_string()
}

#[expect(clippy::unnecessary_wraps, reason = "fields of messages are optional")]
pub(crate) fn at(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: lifecycle::clock::now().unix_timestamp() + seconds, nanos: 0 })
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> ReadRefusal {
    Refusal::from_status(&answer.expect_err("it was to be refused"))
}

#[track_caller]
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    refused(answer).reason
}

/// Asks again until the answer is as it should be: reads follow writes within moments.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The agencies that are offered there today.
pub(crate) fn agencies_of(province: &str, city: &str) -> ListAgenciesRequest {
    ListAgenciesRequest { province: province.to_owned(), city: city.to_owned(), date: String::new() }
}

impl World {
    /// Holds the lock of the log until the transaction ends: what was decided waits to be recorded.
    pub(crate) async fn hold(&self) -> sqlx::Transaction<'static, sqlx::Postgres> {
        let mut held = self.running.service.ground.pool.begin().await.unwrap();
        let sql =
            "SET LOCAL idle_in_transaction_session_timeout = 0; SELECT pg_advisory_xact_lock(7308332183942328167)";
        sqlx::raw_sql(sql).execute(&mut *held).await.unwrap();
        held
    }

    /// Waits until something that was decided waits for the lock.
    pub(crate) async fn decided(&self) {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        eventually("a decision to wait", || async {
            let waiting: i64 = sqlx::query_scalar(sql).fetch_one(&self.running.service.ground.pool).await.unwrap();
            (waiting > 0).then_some(())
        })
        .await;
    }

    /// Records events as they would have been recorded once.
    pub(crate) async fn record<E: Stored>(&self, stream: Uuid, version: i64, events: &[E], claims: Vec<Claim>) {
        let division = Division::parse("320300").unwrap();
        let recorded = events.iter().map(|event| {
            let (kind, payload) = event.write(stream);
            let event_id = lifecycle::ids::random();
            NewEvent { event_id, kind, payload, inner: Vec::new(), sealed: Vec::new(), division }
        });
        let append = Append {
            stream,
            expected_version: version,
            events: recorded.collect(),
            actor: "system".to_owned(),
            request: None,
            claims,
            not_before: None,
            not_after: None,
            traceparent: None,
            cause: None,
        };
        self.running.service.ground.log.append(append).await.unwrap();
    }

    pub(crate) async fn start() -> Self {
        Self::with(Settings::default(), Vec::new()).await
    }

    pub(crate) async fn with(settings: Settings, neighbours: Vec<Neighbour>) -> Self {
        let running = start::<Scheduling>(settings, neighbours).await;
        let officer = running.staff(Uuid::from_u128(0xa), Role::ScheduleOfficer, "320000", None).await;
        Self { running, officer }
    }

    pub(crate) fn directory(&self) -> DirectoryClient<Channel> {
        DirectoryClient::new(self.officer.clone())
    }

    pub(crate) fn plans(&self) -> PlansClient<Channel> {
        PlansClient::new(self.officer.clone())
    }

    pub(crate) fn availability(&self) -> AvailabilityClient<Channel> {
        AvailabilityClient::new(self.running.person(Uuid::from_u128(0xb)))
    }

    pub(crate) async fn add_agency(&self, division: &str, name: &str) -> Agency {
        let (request_id, division, name) = (request_id(), division.to_owned(), name.to_owned());
        let added = self.directory().add_agency(AddAgencyRequest { request_id, division, name }).await.unwrap();
        added.into_inner().agency.unwrap()
    }

    /// 江苏省教育厅, 徐州市教育局, 鼓楼区教育局, when everybody sees them.
    pub(crate) async fn agencies(&self) -> [Agency; 3] {
        let agencies = [
            self.add_agency("320000", "江苏省教育厅").await,
            self.add_agency("320300", "徐州市教育局").await,
            self.add_agency("320302", "鼓楼区教育局").await,
        ];
        eventually("the agencies to be listed", || async {
            let request = agencies_of("32", "3203");
            let listed = self.directory().list_agencies(request).await.ok()?.into_inner().agencies;
            (listed.len() == 3).then_some(())
        })
        .await;
        agencies
    }

    pub(crate) async fn add_school(&self, agency: &Agency, name: &str) -> School {
        self.add_school_in("320302", agency, name).await
    }

    pub(crate) async fn add_school_in(&self, division: &str, agency: &Agency, name: &str) -> School {
        let request = AddSchoolRequest {
            request_id: request_id(),
            name: name.to_owned(),
            division: division.to_owned(),
            agency_id: agency.agency_id.clone(),
            kind: "34".to_owned(),
        };
        self.directory().add_school(request).await.unwrap().into_inner().school.unwrap()
    }

    pub(crate) async fn add_point(&self, agency: &Agency, name: &str, school: Option<&School>) -> Point {
        let request = AddPointRequest {
            request_id: request_id(),
            agency_id: agency.agency_id.clone(),
            name: name.to_owned(),
            school_id: school.map(|school| school.school_id.clone()).unwrap_or_default(),
            range: "本校教师".to_owned(),
        };
        self.directory().add_point(request).await.unwrap().into_inner().point.unwrap()
    }

    pub(crate) async fn publish_plan(&self) -> String {
        let request =
            PublishPlanRequest {
                request_id: request_id(), province: "32".to_owned(), batch: "2026年秋季".to_owned()
            };
        self.plans().publish_plan(request).await.unwrap().into_inner().plan_id
    }

    pub(crate) async fn join(&self, plan_id: &str, agency: &Agency) {
        let request = JoinAgencyRequest {
            request_id: request_id(),
            plan_id: plan_id.to_owned(),
            agency_id: agency.agency_id.clone(),
            join_in: true,
            is_open: true,
        };
        self.plans().join_agency(request).await.unwrap();
    }
}
