//! A stream of submissions that goes on whatever is killed, and remembers what it was told.

use std::collections::BTreeMap;
use std::time::Duration;

use cluster::Cluster;
use cluster::actor::{Actor, Letters};
use cluster::journey::{Applicant, Place, ReadyDraft, request_id};
use cluster::register::Teacher;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::applications::v1 as applications;
use tonic::Code;

/// How long one submission may go on trying: longer than any restart takes.
const PATIENCE: Duration = Duration::from_secs(90);
/// Pause between two tries, as a person would have.
const PAUSE: Duration = Duration::from_millis(100);
const PASSWORD: &str = "journey#2026";

/// An applicant whose draft waits to be submitted.
pub struct Ready {
    applicant: Applicant,
    draft: ReadyDraft,
}

/// What a client was told about one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub request_id: String,
    pub certificate_id: String,
    pub enrolment_number: String,
}

/// Opens accounts for teachers of the register and fills in their drafts, a few at a time.
pub async fn ready(cluster: &Cluster, place: &Place, teachers: std::ops::Range<u32>) -> Vec<Ready> {
    let layout = cluster.layout();
    let (addresses, letters) = (layout.addresses(), Letters::at(layout));
    stream::iter(teachers)
        .map(|index| {
            let (addresses, letters) = (&addresses, &letters);
            async move {
                let applicant = Applicant::arrive(addresses, letters, Teacher::new(index), PASSWORD).await?;
                let certificate = applicant.certificate().await?;
                let draft = applicant.fill_in(&certificate.certificate_id, place).await?;
                Ok::<_, cluster::Failure>(Ready { applicant, draft })
            }
        })
        .buffered(4)
        .try_collect()
        .await
        .unwrap()
}

impl Ready {
    /// Submits until it is acknowledged, always by the same request.
    pub async fn submit(&self) -> Told {
        let request_id = request_id();
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            match self.applicant.submit(&self.draft, &request_id).await {
                Ok(submitted) => {
                    let certificate_id = submitted.certificate_id;
                    return Told { request_id, certificate_id, enrolment_number: submitted.enrolment_number };
                }
                Err(status) => {
                    assert!(is_passing(&status), "refused for good: {status:?}");
                    assert!(tokio::time::Instant::now() < deadline, "never acknowledged: {status:?}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Asks the same again: the answer must be the first one.
    pub async fn submit_again(&self, told: &Told) {
        let again = self.applicant.submit(&self.draft, &told.request_id).await.unwrap();
        assert_eq!(again.enrolment_number, told.enrolment_number, "another number for the same request");
    }

    /// What the applicant sees of it.
    pub async fn seen(&self, told: &Told) -> applications::Application {
        let key = applications::ApplicationKey {
            certificate_id: told.certificate_id.clone(),
            enrolment_number: told.enrolment_number.clone(),
        };
        self.applicant.application(&key).await.unwrap()
    }
}

/// Troubles of the system, not of the request.
fn is_passing(status: &tonic::Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Aborted
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
    )
}

/// Every application in the scope of a member of staff, by its number.
pub async fn listed(reviewer: &Actor) -> BTreeMap<String, applications::ApplicationSummary> {
    let channel = reviewer.channel(&reviewer.addresses.applications).unwrap();
    let mut client = applications::applications_client::ApplicationsClient::new(channel);
    let mut listed = BTreeMap::new();
    let mut page_token = String::new();
    loop {
        let request = applications::ListApplicationsRequest { page_size: 7, page_token, ..Default::default() };
        let page = client.list_applications(request).await.unwrap().into_inner();
        for summary in page.applications {
            let number = summary.key.clone().unwrap().enrolment_number;
            assert!(listed.insert(number.clone(), summary).is_none(), "{number} is listed twice");
        }
        if page.next_page_token.is_empty() {
            return listed;
        }
        page_token = page.next_page_token;
    }
}
