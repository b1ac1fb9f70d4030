//! The people of the benchmark: a hundred accounts, each with hundreds of certificates, so that no password is hashed per submission.

use std::sync::Arc;

use cluster::actor::{Actor, Phones};
use cluster::failure::Doing as _;
use cluster::journey::{Applicant, Place, request_id};
use cluster::register::Teacher;
use cluster::{Cluster, Failure, Result, call, wait};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::applications::v1::SubmitApplicationRequest;
use proto::certificates::v1 as certificates;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::sync_client::SyncClient;
use tonic::metadata::MetadataValue;

use super::Submission;

const PASSWORD: &str = "bench#2026";
const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期\n";
/// 资格种类 of every certificate, and stage of every teacher.
const PRIMARY: u8 = 2;
/// How long matching may take.
const ARRIVAL: std::time::Duration = std::time::Duration::from_secs(600);
/// Drafts that are filled in at once.
const AT_ONCE: usize = 32;
/// Bytes of one message of the register.
const CHUNK: usize = 60_000;

/// Opens the accounts, brings the certificates, and fills in as many drafts as wanted.
pub async fn prepare(cluster: &Cluster, place: &Place, people: u32, wanted: usize) -> Result<Vec<Submission>> {
    let each = wanted.div_ceil(people as usize);
    println!("opening {people} accounts");
    let (addresses, phones) = (cluster.layout().addresses(), Phones::at(&cluster.layout().sms()));
    let applicants: Vec<Applicant> = stream::iter(teachers(people))
        .map(|teacher| Applicant::arrive(&addresses, &phones, teacher, PASSWORD))
        .buffered(4)
        .try_collect()
        .await?;
    println!("importing {each} certificates for each");
    import(cluster, people, each).await?;
    println!("filling in {wanted} drafts");
    let applicants: Vec<Arc<Applicant>> = applicants.into_iter().map(Arc::new).collect();
    let mut drafts = Vec::with_capacity(wanted);
    for applicant in &applicants {
        let listed = listed(applicant, each).await?;
        let filled: Vec<_> = stream::iter(listed)
            .map(|certificate| async move { applicant.fill_in(&certificate.certificate_id, place).await })
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        drafts.push((Arc::clone(applicant), filled));
    }
    // Tokens live ten minutes: fresh ones for what is measured.
    let mut submissions = Vec::with_capacity(wanted);
    for (applicant, filled) in drafts {
        let actor = Actor::sign_in(&addresses, &phones, &applicant.credentials).await?;
        let bearer: MetadataValue<_> = actor.bearer().parse().doing(|| "read a token".into())?;
        submissions.extend(filled.into_iter().map(|draft| Submission {
            request: SubmitApplicationRequest {
                request_id: request_id(),
                draft_id: draft.draft_id,
                revision: draft.revision,
                pledge: Some(draft.pledge),
            },
            bearer: bearer.clone(),
        }));
    }
    // Neighbours in time are different people, as they would be.
    let mut mixed: Vec<Option<Submission>> = submissions.into_iter().map(Some).collect();
    let (rows, columns) = (people as usize, each);
    let order = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
    let mixed = order.filter_map(|place| mixed[place].take()).take(wanted).collect::<Vec<_>>();
    if mixed.len() < wanted {
        return Err(Failure::new(format!("only {} of {wanted} drafts", mixed.len())));
    }
    Ok(mixed)
}

/// Teachers of primary schools, as their certificates say, too.
fn teachers(people: u32) -> impl Iterator<Item = Teacher> {
    (0..).map(Teacher::new).filter(|teacher| teacher.stage() == i32::from(PRIMARY)).take(people as usize)
}

async fn import(cluster: &Cluster, people: u32, each: usize) -> Result<()> {
    let mut file = HEADER.to_owned();
    let mut running = 0;
    for teacher in teachers(people) {
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
