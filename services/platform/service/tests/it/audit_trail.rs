//! The audit trail: what leaves a record and what does not, from where, who reads it, how long it stays.

use audit::{AuditLayer, Behind, Filter, Record, Settings, Target as _, Trail, When};
use eventlog::Division;
use proto::identity::v1::Role;
use proto::notifications::v1::secrets_client::SecretsClient;
use proto::notifications::v1::secrets_server::{Secrets, SecretsServer};
use proto::notifications::v1::{DeliverRequest, DeliverResponse};
use proto::operations::v1::audit_client::AuditClient;
use proto::operations::v1::event_feed_client::EventFeedClient;
use proto::operations::v1::event_feed_server::{EventFeed, EventFeedServer};
use proto::operations::v1::operations_client::OperationsClient;
use proto::operations::v1::{
    AuditRecord, GetStatusRequest, ListAuditRequest, ListAuditResponse, ReadEventsRequest, ReadEventsResponse,
    RebuildViewRequest, VerifyLogRequest,
};
use service::NoSettings;
use service::testing::{Channel, Running, start};
use sqlx::PgPool;
use time::{Duration, OffsetDateTime};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::erasure::{Attempts, PERSON, eventually, notes};
use crate::{Empty, refused};

const OPERATOR: Uuid = Uuid::from_u128(0xa);
const CLERK: Uuid = Uuid::from_u128(0xb);
const AUDITOR: Uuid = Uuid::from_u128(0xc);
const TEACHER: Uuid = Uuid::from_u128(0xd);

const GET_STATUS: &str = "dingzhu.operations.v1.Operations/GetStatus";
const LIST_AUDIT: &str = "dingzhu.operations.v1.Audit/ListAudit";

async fn list(auditor: &Channel, request: ListAuditRequest) -> ListAuditResponse {
    AuditClient::new(auditor.clone()).list_audit(request).await.unwrap().into_inner()
}

/// What the trail holds of others than its readers, newest first, once there are so many.
async fn of_others(auditor: &Channel, count: usize) -> Vec<AuditRecord> {
    eventually("the records", async || {
        let mut records = list(auditor, ListAuditRequest::default()).await.records;
        records.retain(|record| record.method != LIST_AUDIT);
        (records.len() >= count).then_some(records)
    })
    .await
}

async fn status(channel: Channel) -> Result<(), (Code, String)> {
    let answer = OperationsClient::new(channel).get_status(GetStatusRequest {}).await;
    if answer.is_ok() { Ok(()) } else { Err(refused(answer)) }
}

fn outcome(record: &AuditRecord) -> (&str, &str, &str) {
    (record.person_id.as_str(), record.code.as_str(), record.reason.as_str())
}

fn trail(running: &Running<Empty>) -> Trail {
    Trail::new(running.service.ground.pool.clone(), Settings::default())
}

/// A call of a clerk of Xuzhou.
fn call(at: OffsetDateTime) -> Record {
    Record {
        at,
        person: Some(CLERK),
        session: None,
        service: None,
        divisions: vec![Division::parse("3203").unwrap()],
        method: GET_STATUS.to_owned(),
        origin: Some([192, 0, 2, 1].into()),
        code: "OK".to_owned(),
        reason: String::new(),
        trace: None,
    }
}

#[tokio::test]
async fn staff_leave_a_record_of_every_call_answered_or_refused_and_nobody_else_does() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let before = lifecycle::clock::now();
    let operator = running.staff(OPERATOR, Role::Operator, "32", None).await;
    let clerk = running.staff(CLERK, Role::Clerk, "320302", Some(Uuid::from_u128(1))).await;
    let auditor = running.staff(AUDITOR, Role::Auditor, "00", None).await;

    assert_eq!(status(running.person(TEACHER)).await.unwrap_err().1, "ROLE_REQUIRED");
    assert_eq!(status(running.with_token("nonsense")).await.unwrap_err().1, "TOKEN_INVALID");
    assert!(OperationsClient::new(running.anyone()).get_status(GetStatusRequest {}).await.is_err());
    assert_eq!(status(running.service("applications")).await.unwrap_err().1, "ROLE_REQUIRED");
    assert_eq!(status(operator).await, Ok(()));
    assert_eq!(status(clerk).await.unwrap_err().1, "ROLE_REQUIRED");
    let mut for_clerk = OperationsClient::new(running.service_for("applications", CLERK));
    for_clerk.get_status(GetStatusRequest {}).await.unwrap_err();

    let records = of_others(&auditor, 3).await;
    let clerk = CLERK.to_string();
    let refused = (clerk.as_str(), "PERMISSION_DENIED", "ROLE_REQUIRED");
    let outcomes: Vec<_> = records.iter().map(outcome).collect();
    assert_eq!(outcomes, [refused, refused, (OPERATOR.to_string().as_str(), "OK", "")], "newest first, nothing else");
    assert_eq!(records.iter().map(|record| record.service.as_str()).collect::<Vec<_>>(), ["applications", "", ""]);
    assert_eq!(records[1].divisions, ["320302"]);
    assert_eq!(records[2].divisions, ["320000"]);
    for record in &records {
        let at = record.call_time.unwrap();
        let at = OffsetDateTime::from_unix_timestamp(at.seconds).unwrap() + Duration::nanoseconds(at.nanos.into());
        assert!(before <= at && at <= lifecycle::clock::now());
        assert_eq!((record.method.as_str(), record.origin.as_str()), (GET_STATUS, "127.0.0.1"));
        assert_eq!(record.session_id, Uuid::from_u128(1).to_string());
    }
}

#[tokio::test]
async fn a_role_that_does_not_count_without_the_second_factor_leaves_its_record() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let auditor = running.staff(AUDITOR, Role::Auditor, "00", None).await;
    running.staff(OPERATOR, Role::Operator, "32", None).await;
    let claims = access::token::Claims::new(
        OPERATOR,
        Uuid::from_u128(1),
        proto::identity::v1::Entry::Registration,
        true,
        lifecycle::clock::now(),
    );
    let stolen = running.with_token(&service::testing::sign(&claims));
    assert_eq!(status(stolen).await.unwrap_err().1, "TOTP_REQUIRED");
    let records = of_others(&auditor, 1).await;
    assert_eq!(outcome(&records[0]), (OPERATOR.to_string().as_str(), "PERMISSION_DENIED", "TOTP_REQUIRED"));
}

#[tokio::test]
async fn a_stream_is_recorded_with_how_it_ended_and_a_path_that_is_none_by_no_name() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let auditor = running.staff(AUDITOR, Role::Auditor, "00", None).await;
    let operator = running.staff(OPERATOR, Role::Operator, "32", None).await;
    let mut operations = OperationsClient::new(operator.clone());
    let request = RebuildViewRequest { view: "none".to_owned() };
    let mut answers = operations.rebuild_view(request).await.unwrap().into_inner();
    while let Ok(Some(_)) = answers.message().await {}
    let mut answers = operations.verify_log(VerifyLogRequest::default()).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    let mut raw = tonic::client::Grpc::new(operator);
    raw.ready().await.unwrap();
    let path = "/made.up/Path".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<GetStatusRequest, GetStatusRequest>::default();
    raw.unary(Request::new(GetStatusRequest {}), path, codec).await.unwrap_err();

    let records = of_others(&auditor, 3).await;
    let told: Vec<_> =
        records.iter().map(|record| (record.method.as_str(), outcome(record).1, outcome(record).2)).collect();
    let expected = [
        ("unknown", "PERMISSION_DENIED", "RPC_NOT_LISTED"),
        ("dingzhu.operations.v1.Operations/VerifyLog", "OK", ""),
        ("dingzhu.operations.v1.Operations/RebuildView", "FAILED_PRECONDITION", "UNKNOWN_VIEW"),
    ];
    assert_eq!(told, expected);
}

/// Never answers, or panics, or does so in the middle of a stream.
struct Stuck;

#[tonic::async_trait]
impl Secrets for Stuck {
    async fn deliver(&self, request: Request<DeliverRequest>) -> Result<Response<DeliverResponse>, Status> {
        assert!(request.get_ref().secret.is_empty(), "nobody has thought of that");
        std::future::pending().await
    }
}

#[tonic::async_trait]
impl EventFeed for Stuck {
    type ReadEventsStream = std::pin::Pin<Box<dyn futures::Stream<Item = Result<ReadEventsResponse, Status>> + Send>>;

    async fn read_events(&self, _: Request<ReadEventsRequest>) -> Result<Response<Self::ReadEventsStream>, Status> {
        Ok(Response::new(Box::pin(futures::stream::poll_fn(|_| panic!("nobody has thought of that")))))
    }
}

#[tokio::test]
async fn a_call_whose_time_is_over_or_that_panics_is_recorded_with_what_the_caller_was_told() {
    const METHODS: audit::Methods = &[
        ("dingzhu.notifications.v1.Secrets/Deliver", When::Called),
        ("dingzhu.operations.v1.EventFeed/ReadEvents", When::Called),
    ];
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let lifecycle = lifecycle::Lifecycle::new(std::time::Duration::from_secs(5));
    let layer = AuditLayer::new(METHODS, [].into(), Behind::start(trail(&running), &lifecycle));
    let surface = rpc::Surface::new()
        .offer(rpc::sized!(SecretsServer::new(Stuck)))
        .offer(rpc::sized!(EventFeedServer::new(Stuck)));
    let settings = rpc::Settings { max_call_ms: 50, ..rpc::Settings::at("127.0.0.1:0".parse().unwrap()) };
    let health = rpc::Health::new(&[]);
    let address = rpc::Server::new(&settings, &lifecycle, &health).layer(layer).start(surface).await.unwrap();
    let channel = rpc::connect(&format!("http://{address}"), &rpc::ClientTls::default()).unwrap();

    let mut secrets = SecretsClient::new(channel.clone());
    secrets.deliver(DeliverRequest::default()).await.unwrap_err();
    secrets.deliver(DeliverRequest { secret: "1".to_owned(), ..Default::default() }).await.unwrap_err();
    let events = EventFeedClient::new(channel).read_events(ReadEventsRequest::default()).await.unwrap();
    events.into_inner().message().await.unwrap_err();
    let recorded = eventually("the records", async || {
        let records = trail(&running).list(&Filter::default(), None, 10).await.unwrap();
        (records.len() == 3).then_some(records)
    })
    .await;
    let told: Vec<_> = recorded.iter().map(|(_, record)| (record.code.as_str(), record.reason.as_str())).collect();
    assert_eq!(told, [("INTERNAL", ""), ("INTERNAL", ""), ("DEADLINE_EXCEEDED", "DEADLINE_EXCEEDED")]);
    lifecycle.stop();
    lifecycle.until_stopped().await;
}

#[tokio::test]
async fn the_origin_is_what_a_trusted_proxy_says_and_nobody_else() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let auditor = running.staff(AUDITOR, Role::Auditor, "00", None).await;
    running.staff(OPERATOR, Role::Operator, "32", None).await;
    let mut settings = running.settings.clone();
    settings.server.trusted_proxies = vec![[127, 0, 0, 1].into()];
    let behind_a_proxy = running.start_again(&settings, NoSettings {}).await.unwrap();
    eventually("the role to be known", async || status(behind_a_proxy.person(OPERATOR)).await.ok()).await;
    for channel in [running.person(OPERATOR), behind_a_proxy.person(OPERATOR)] {
        let mut request = Request::new(GetStatusRequest {});
        request.metadata_mut().insert("x-forwarded-for", "198.51.100.7".parse().unwrap());
        OperationsClient::new(channel).get_status(request).await.unwrap();
    }
    let origins: Vec<_> = of_others(&auditor, 3).await.into_iter().map(|record| record.origin).collect();
    assert_eq!(origins, ["198.51.100.7", "127.0.0.1", "127.0.0.1"], "the last one came from the proxy itself");
}

#[tokio::test]
async fn auditors_alone_read_and_below_the_nation_what_staff_of_their_scope_did() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let nobodys = Record { person: None, divisions: Vec::new(), ..call(lifecycle::clock::now()) };
    trail(&running).insert(&[call(lifecycle::clock::now()), nobodys]).await.unwrap();
    let person = |number| Uuid::from_u128(number);
    let mut seen = Vec::new();
    for (number, division) in (100..).zip(["00", "32", "320300", "33", "320302"]) {
        let auditor = running.staff(person(number), Role::Auditor, division, None).await;
        let request = ListAuditRequest { method: GET_STATUS.to_owned(), ..Default::default() };
        seen.push(list(&auditor, request).await.records.len());
    }
    assert_eq!(seen, [2, 1, 1, 0, 0]);
    let operator = running.staff(OPERATOR, Role::Operator, "00", None).await;
    for channel in [operator, running.person(TEACHER), running.service("identity")] {
        let answer = AuditClient::new(channel).list_audit(ListAuditRequest::default()).await;
        assert_eq!(refused(answer), (Code::PermissionDenied, "ROLE_REQUIRED".to_owned()));
    }
    let nation = running.person(person(100));
    let reads = eventually("reading to be recorded", async || {
        let request = ListAuditRequest { method: LIST_AUDIT.to_owned(), ..Default::default() };
        let records = list(&nation, request).await.records;
        (records.len() >= 6).then_some(records)
    })
    .await;
    assert!(
        reads.iter().any(|read| outcome(read) == (OPERATOR.to_string().as_str(), "PERMISSION_DENIED", "ROLE_REQUIRED"))
    );
}

#[tokio::test]
async fn filters_narrow_the_trail() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let auditor = running.staff(AUDITOR, Role::Auditor, "00", None).await;
    let noon = OffsetDateTime::from_unix_timestamp(lifecycle::clock::now().unix_timestamp() - 86_400).unwrap();
    let hour = |hours| noon + Duration::hours(hours);
    let failed = Record { code: "NOT_FOUND".to_owned(), reason: "NOT_FOUND".to_owned(), ..call(hour(1)) };
    let others = Record { person: Some(TEACHER), method: "made.up/Other".to_owned(), ..call(hour(2)) };
    trail(&running).insert(&[call(noon), failed, others]).await.unwrap();
    let until_now = ListAuditRequest { until_time: Some(rpc::timestamp(hour(3))), ..Default::default() };
    let hours = async |request: ListAuditRequest| {
        let records = list(&auditor, request).await.records;
        let of = |record: &AuditRecord| (record.call_time.unwrap().seconds - noon.unix_timestamp()) / 3_600;
        records.iter().map(of).collect::<Vec<_>>()
    };
    let all = until_now.clone();
    assert_eq!(hours(all.clone()).await, [2, 1, 0]);
    assert_eq!(hours(ListAuditRequest { from_time: Some(rpc::timestamp(hour(1))), ..all.clone() }).await, [2, 1]);
    assert_eq!(hours(ListAuditRequest { until_time: Some(rpc::timestamp(hour(2))), ..all.clone() }).await, [1, 0]);
    assert_eq!(hours(ListAuditRequest { person_id: CLERK.to_string(), ..all.clone() }).await, [1, 0]);
    assert_eq!(hours(ListAuditRequest { method: "made.up/Other".to_owned(), ..all.clone() }).await, [2]);
    assert_eq!(hours(ListAuditRequest { only_failures: true, ..all }).await, [1]);

    let wrong = ListAuditRequest { person_id: "x".to_owned(), page_token: "y".to_owned(), page_size: -1, ..until_now };
    let status = AuditClient::new(auditor).list_audit(wrong).await.unwrap_err();
    let fields: Vec<_> = rpc::Refusal::from_status(&status).violations.into_iter().map(|wrong| wrong.field).collect();
    assert_eq!(fields, ["person_id", "page_size", "page_token"]);
}

#[tokio::test]
async fn pages_are_stable_while_records_come() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let auditor = running.staff(AUDITOR, Role::Auditor, "00", None).await;
    let (trail, now) = (trail(&running), lifecycle::clock::now() - Duration::HOUR);
    // Several of one instant.
    let calls: Vec<_> = (0..7).map(|number| Record { reason: number.to_string(), ..call(now) }).collect();
    trail.insert(&calls).await.unwrap();
    let (mut read, mut page_token) = (Vec::new(), String::new());
    loop {
        let request =
            ListAuditRequest { page_size: 2, method: GET_STATUS.to_owned(), page_token, ..Default::default() };
        let page = list(&auditor, request).await;
        assert!(page.records.len() <= 2);
        read.extend(page.records.into_iter().map(|record| record.reason));
        trail.insert(&[Record { reason: "newer".to_owned(), ..call(lifecycle::clock::now()) }]).await.unwrap();
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(read, ["6", "5", "4", "3", "2", "1", "0"]);
}

#[tokio::test]
async fn a_record_stays_for_its_time_and_nothing_removes_it_before_half_a_year() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let (trail, now) = (trail(&running), lifecycle::clock::now());
    let of_days = |days| call(now - Duration::days(days));
    let old: Vec<_> = (0..5_002).map(|_| of_days(367)).collect();
    trail.insert(&old).await.unwrap();
    trail.insert(&[of_days(365), of_days(181), of_days(179)]).await.unwrap();
    trail.sweep(now).await.unwrap();
    let count = async || trail.list(&Filter::default(), None, 100).await.unwrap().len();
    assert_eq!(count().await, 3);
    let pool = &running.service.ground.pool;
    let early = sqlx::query("DELETE FROM public.audit_record").execute(pool).await.unwrap_err();
    assert!(early.to_string().contains("180 days"), "{early}");
    let half_a_year = Trail::new(pool.clone(), Settings { audit_days: 180 });
    half_a_year.sweep(now).await.unwrap();
    assert_eq!(count().await, 1);
}

#[tokio::test]
async fn the_address_of_whoever_is_forgotten_goes_unless_they_acted_as_staff() {
    let running = notes(&Attempts::default()).await;
    let trail = Trail::new(running.service.ground.pool.clone(), Settings::default());
    let now = lifecycle::clock::now();
    let as_applicant = Record { person: Some(PERSON), divisions: Vec::new(), ..call(now) };
    let as_staff = Record { person: Some(PERSON), ..call(now - Duration::MINUTE) };
    let others = Record { person: Some(TEACHER), divisions: Vec::new(), ..call(now - Duration::HOUR) };
    trail.insert(&[as_applicant, as_staff, others]).await.unwrap();
    running.erase(PERSON).await;
    let known = async || {
        let sql = "SELECT true FROM views.authority_erased WHERE person = $1";
        sqlx::query_scalar::<_, bool>(sql).bind(PERSON).fetch_optional(&running.service.ground.pool).await.unwrap()
    };
    eventually("the erasure to be known", known).await;
    trail.sweep(now).await.unwrap();
    let kept = trail.list(&Filter::default(), None, 10).await.unwrap();
    let origins: Vec<_> = kept.iter().map(|(_, record)| record.origin.is_some()).collect();
    assert_eq!(origins, [false, true, true]);
}

#[tokio::test]
async fn a_group_that_comes_again_is_written_once() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let (trail, now) = (trail(&running), lifecycle::clock::now());
    let of = |trace: &str| Record { trace: Some(trace.repeat(32)), ..call(now) };
    trail.insert(&[of("a"), of("b")]).await.unwrap();
    // As after a connection that broke before it told what became of the statement.
    trail.insert(&[of("a"), of("b"), of("c")]).await.unwrap();
    let written = trail.list(&Filter::default(), None, 10).await.unwrap();
    let traces: Vec<_> = written.into_iter().filter_map(|(_, record)| record.trace).collect();
    assert_eq!(traces, ["c", "b", "a"].map(|trace| trace.repeat(32)));
}

#[tokio::test]
async fn a_stop_writes_what_waits() {
    let running = start::<Empty>(NoSettings {}, Vec::new()).await;
    let pool = PgPool::connect(&running.database.url()).await.unwrap();
    let operator = running.staff(OPERATOR, Role::Operator, "32", None).await;
    let lifecycle = lifecycle::Lifecycle::new(std::time::Duration::from_secs(5));
    let behind = Behind::start(trail(&running), &lifecycle);
    for number in 0..2_000 {
        behind.record(Record { reason: number.to_string(), ..call(lifecycle::clock::now()) });
    }
    lifecycle.stop();
    lifecycle.until_stopped().await;
    status(operator).await.unwrap();
    running.stop().await;
    let written: i64 = sqlx::query_scalar("SELECT count(*) FROM public.audit_record").fetch_one(&pool).await.unwrap();
    assert_eq!((written, behind.lost()), (2_001, 0));
}
