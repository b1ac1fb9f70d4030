//! Submissions that wait to be made, and how fast they are taken: a hundred accounts, each with hundreds of certificates, so that no
//! password is hashed per submission.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cluster::actor::{Actor, Addresses, Letters};
use cluster::failure::Doing as _;
use cluster::journey::{Applicant, Place, ReadyDraft, request_id};
use cluster::register::Teacher;
use cluster::{Cluster, Failure, Result, call, wait};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hdrhistogram::Histogram;
use proto::applications::v1::SubmitApplicationRequest;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::certificates::v1 as certificates;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::sync_client::SyncClient;
use tokio::time::Instant;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, Endpoint};
use uuid::Uuid;

const PEOPLE: u32 = 100;
const PASSWORD: &str = "bench#2026";
const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期\n";
/// 资格种类 of every certificate, and stage of every teacher.
const PRIMARY: u8 = 2;
/// How long matching may take.
const ARRIVAL: Duration = Duration::from_secs(600);
/// Accounts that are opened, and drafts that are filled in, at once.
const AT_ONCE: usize = 32;
/// Bytes of one message of the register.
const CHUNK: usize = 60_000;
/// Connections that the callers share.
const CONNECTIONS: usize = 8;

/// People whose drafts are filled in.
pub struct Prepared {
    addresses: Addresses,
    letters: Letters,
    drafts: Vec<(Applicant, Vec<ReadyDraft>)>,
    wanted: usize,
}

/// A submission that waits to be made.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What is sent.
    pub request: SubmitApplicationRequest,
    bearer: MetadataValue<Ascii>,
}

/// Opens the accounts, brings the certificates, and fills in as many drafts as wanted.
pub async fn prepare(cluster: &Cluster, place: &Place, wanted: usize, say: &dyn Fn(&str)) -> Result<Prepared> {
    let each = wanted.div_ceil(PEOPLE as usize);
    say(&format!("opening {PEOPLE} accounts"));
    let (addresses, letters) = (cluster.layout().addresses(), Letters::at(cluster.layout()));
    let applicants: Vec<Applicant> = stream::iter(teachers())
        .map(|teacher| Applicant::arrive(&addresses, &letters, teacher, PASSWORD))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    say(&format!("importing {each} certificates for each"));
    import(cluster, each).await?;
    say(&format!("filling in {wanted} drafts"));
    let mut drafts = Vec::with_capacity(applicants.len());
    for applicant in applicants {
        let listed = listed(&applicant, each).await?;
        let person = &applicant;
        let filled: Vec<_> = stream::iter(listed)
            .map(|certificate| async move { person.fill_in(&certificate.certificate_id, place).await })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        drafts.push((applicant, filled));
    }
    Ok(Prepared { addresses, letters, drafts, wanted })
}

impl Prepared {
    /// The certificates that are to be applied for.
    pub fn certificates(&self) -> impl Iterator<Item = Uuid> {
        let drafts = self.drafts.iter().flat_map(|(_, filled)| filled);
        drafts.map(|draft| draft.certificate_id.parse().expect("the register gave this id"))
    }

    /// Signs everybody in once more, so that what is measured finds fresh tokens. Neighbours in time are different people, as they would be.
    pub async fn sign_in(&self) -> Result<Vec<Submission>> {
        let mut rows = Vec::with_capacity(self.drafts.len());
        for (applicant, filled) in &self.drafts {
            let actor = Actor::sign_in(&self.addresses, &self.letters, &applicant.credentials).await?;
            let bearer: MetadataValue<_> = actor.bearer().parse().doing(|| "read a token".into())?;
            let submission = |draft: &ReadyDraft| Submission {
                request: SubmitApplicationRequest {
                    request_id: request_id(),
                    draft_id: draft.draft_id.clone(),
                    revision: draft.revision,
                    pledge: Some(draft.pledge.clone()),
                },
                bearer: bearer.clone(),
            };
            rows.push(filled.iter().map(submission).collect::<Vec<_>>().into_iter());
        }
        let mut mixed = Vec::with_capacity(self.wanted);
        while mixed.len() < self.wanted {
            let before = mixed.len();
            mixed.extend(rows.iter_mut().filter_map(Iterator::next));
            if mixed.len() == before {
                return Err(Failure::new(format!("only {before} of {} drafts", self.wanted)));
            }
        }
        mixed.truncate(self.wanted);
        Ok(mixed)
    }
}

/// Teachers of primary schools, as their certificates say, too.
fn teachers() -> impl Iterator<Item = Teacher> {
    (0..).map(Teacher::new).filter(|teacher| teacher.stage() == i32::from(PRIMARY)).take(PEOPLE as usize)
}

async fn import(cluster: &Cluster, each: usize) -> Result<()> {
    let mut file = HEADER.to_owned();
    let mut running = 0;
    for teacher in teachers() {
        for _ in 0..each {
            let row = format!(
                "{},{},201032003{PRIMARY}1{running:06},小学教师资格,语文,徐州市教育局,2010-06-15\n",
                teacher.number(),
                teacher.name()
            );
            file.push_str(&row);
            running += 1;
        }
    }
    let officer = call::sign_in(cluster.layout(), "register").await?;
    let options = certificates::ImportOptions { request_id: request_id(), ..Default::default() };
    let chunks: Vec<Part> = file.as_bytes().chunks(CHUNK).map(|chunk| Part::Chunk(chunk.to_vec().into())).collect();
    let parts = std::iter::once(Part::Options(options)).chain(chunks);
    let parts: Vec<_> = parts.map(|part| certificates::ImportRegisterRequest { part: Some(part) }).collect();
    let mut client = SyncClient::new(officer.channel(&officer.addresses.certificates)?);
    let answers = client.import_register(stream::iter(parts)).await.doing(|| "import the register".into())?;
    let mut answers = answers.into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.doing(|| "read the import's progress".into())? {
        last = Some(answer);
    }
    match last {
        Some(last) if last.done && last.rejected == 0 => Ok(()),
        last => Err(Failure::new(format!("the register was not taken whole: {last:?}"))),
    }
}

/// Waits until all certificates of a person are matched.
async fn listed(applicant: &Applicant, count: usize) -> Result<Vec<certificates::Certificate>> {
    let actor = &applicant.actor;
    let client = CertificatesClient::new(actor.channel(&actor.addresses.certificates)?);
    wait::until("all certificates to be matched", ARRIVAL, async || {
        let request = certificates::ListMyCertificatesRequest::default();
        let listed = client.clone().list_my_certificates(request).await.ok()?.into_inner().certificates;
        (listed.len() >= count).then_some(listed)
    })
    .await
}

/// What a measurement gave.
#[derive(Debug)]
pub struct Measured {
    /// Submissions acknowledged in a second.
    pub per_second: f64,
    latency: Histogram<u64>,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let at = |quantile| Duration::from_micros(self.latency.value_at_quantile(quantile));
        write!(f, "{:.0}/s, p50 {:.1?}, p99 {:.1?}, max {:.1?}", self.per_second, at(0.5), at(0.99), at(1.0))
    }
}

/// Makes all submissions with so many callers at once; a refusal ends the benchmark.
pub async fn submit(url: &str, submissions: Vec<Submission>, callers: usize) -> Result<Measured> {
    let mut channels = Vec::new();
    for _ in 0..CONNECTIONS.min(callers) {
        let endpoint = Endpoint::from_shared(url.to_owned()).doing(|| format!("use {url}"))?;
        channels.push(endpoint.connect().await.doing(|| format!("connect to {url}"))?);
    }
    let count = submissions.len();
    let submissions = Arc::new(submissions);
    let next = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let channel = channels[caller % channels.len()].clone();
        tasks.spawn(caller_loop(channel, Arc::clone(&submissions), Arc::clone(&next)));
    }
    let mut latency = new_histogram();
    while let Some(done) = tasks.join_next().await {
        let measured = done.doing(|| "run a caller".into())??;
        latency.add(measured).doing(|| "add latencies".into())?;
    }
    let per_second = f64::from(u32::try_from(count).expect("a few thousand")) / start.elapsed().as_secs_f64();
    Ok(Measured { per_second, latency })
}

async fn caller_loop(
    channel: Channel,
    submissions: Arc<Vec<Submission>>,
    next: Arc<AtomicUsize>,
) -> Result<Histogram<u64>> {
    let mut client = ApplicationsClient::new(channel);
    let mut latency = new_histogram();
    while let Some(submission) = submissions.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut request = Request::new(submission.request.clone());
        request.metadata_mut().insert("authorization", submission.bearer.clone());
        let start = Instant::now();
        client.submit_application(request).await.doing(|| "submit".into())?;
        let micros = u64::try_from(start.elapsed().as_micros()).expect("less than an age");
        latency.saturating_record(micros);
    }
    Ok(latency)
}

fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).expect("the bounds are in order")
}
