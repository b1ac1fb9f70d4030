//! A role that was taken back counts within ten seconds, whatever is away; who cannot know refuses staff, and applicants go on.

use std::time::Duration;

use cluster::actor::{Actor, Letters};
use cluster::journey::{Applicant, request_id};
use cluster::register::Teacher;
use cluster::{Cluster, Service, seed, wait};
use proto::applications::v1 as applications;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::identity::v1 as identity;
use proto::identity::v1::Role;
use proto::identity::v1::staff_client::StaffClient;
use tonic::{Code, Status};

use crate::matrix::callers::{chief, grant, newcomer, person_id, with_second_factor};

/// RELIABILITY: so long may a role that was taken back still count.
const COUNTS_WITHIN: Duration = Duration::from_secs(10);
/// A fault is noticed, and over.
const NOTICED: Duration = Duration::from_secs(30);
const PASSWORD: &str = "revoked#2026";

/// A clerk, an application of the clerk's point, and whoever grants and revokes.
struct Office {
    cluster: Cluster,
    chief: Actor,
    clerk: Actor,
    clerk_id: String,
    point_id: String,
    key: applications::ApplicationKey,
    applicant: Applicant,
}

impl Office {
    async fn open() -> Self {
        let cluster = Cluster::start().await.unwrap();
        let seeded = seed::fill(&cluster, 10, &|_| {}).await.unwrap();
        let (addresses, letters) = (cluster.layout().addresses(), Letters::at(cluster.layout()));
        let applicant = Applicant::arrive(&addresses, &letters, Teacher::new(0), PASSWORD).await.unwrap();
        let certificate = applicant.certificate().await.unwrap();
        let draft = applicant.fill_in(&certificate.certificate_id, &seeded.place).await.unwrap();
        let submitted = applicant.submit(&draft, &request_id()).await.unwrap();
        let (chief, clerk) = (chief(&cluster).await, newcomer(&cluster, Teacher::new(500_000)).await);
        let clerk_id = person_id(&clerk).await;
        // Another role that stays: only staff have a second factor, without which no role counts.
        grant(&chief, &clerk_id, Role::Helpdesk, "320000", "").await;
        Self {
            clerk: with_second_factor(&clerk).await,
            chief,
            clerk_id,
            point_id: seeded.place.point_id,
            key: applications::ApplicationKey {
                certificate_id: submitted.certificate_id,
                enrolment_number: submitted.enrolment_number,
            },
            applicant,
            cluster,
        }
    }

    /// Makes the clerk one; returns once applications knows it.
    async fn appoint(&self) -> String {
        let granted = grant(&self.chief, &self.clerk_id, Role::Clerk, "320302", &self.point_id).await;
        self.until("the clerk to be one", NOTICED, Result::is_ok).await;
        granted
    }

    async fn dismiss(&self, grant_id: &str) {
        let channel = self.chief.channel(&self.chief.addresses.identity).unwrap();
        let request = identity::RevokeRoleRequest {
            request_id: request_id(),
            person_id: self.clerk_id.clone(),
            grant_id: grant_id.to_owned(),
        };
        StaffClient::new(channel).revoke_role(request).await.unwrap();
    }

    /// A change that the clerk may make as often as they like.
    async fn act(&self) -> Result<(), Status> {
        let channel = self.clerk.channel(&self.clerk.addresses.applications).unwrap();
        let request = applications::RecordFactsRequest {
            request_id: request_id(),
            key: Some(self.key.clone()),
            facts: Some(applications::Facts::default()),
        };
        ConfirmationClient::new(channel).record_facts(request).await.map(drop)
    }

    async fn look(&self, actor: &Actor) -> Result<(), Status> {
        let channel = actor.channel(&actor.addresses.applications).unwrap();
        let request = applications::GetApplicationRequest { key: Some(self.key.clone()), ..Default::default() };
        ApplicationsClient::new(channel).get_application(request).await.map(drop)
    }

    async fn until(&self, what: &str, deadline: Duration, holds: impl Fn(&Result<(), Status>) -> bool) {
        let met = wait::until(what, deadline, async || holds(&self.act().await).then_some(())).await;
        assert!(met.is_ok(), "{what}: not within {deadline:?}, but {:?}", self.act().await);
    }
}

fn is_refused(answer: &Result<(), Status>) -> bool {
    answer.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied)
}

#[tokio::test]
async fn a_revocation_counts_within_ten_seconds_also_while_nats_is_dead_or_frozen() {
    let mut office = Office::open().await;
    let granted = office.appoint().await;
    office.dismiss(&granted).await;
    office.until("the clerk to be refused", COUNTS_WITHIN, is_refused).await;

    let granted = office.appoint().await;
    office.cluster.nats().kill();
    office.dismiss(&granted).await;
    office.until("the clerk to be refused without NATS", COUNTS_WITHIN, is_refused).await;
    let granted = office.appoint().await;
    office.cluster.nats().restart().await.unwrap();

    // Dead servers close their connections; frozen ones say nothing at all.
    office.cluster.nats().process().unwrap().freeze();
    office.dismiss(&granted).await;
    office.until("the clerk to be refused while NATS is frozen", COUNTS_WITHIN, is_refused).await;
    office.appoint().await;
    office.cluster.nats().process().unwrap().thaw();
    office.until("the clerk to go on", NOTICED, Result::is_ok).await;
}

#[tokio::test]
async fn who_cannot_know_whether_a_role_counts_refuses_staff_and_applicants_go_on() {
    let mut office = Office::open().await;
    office.appoint().await;
    office.cluster.nats().kill();
    office.cluster.replica(Service::Identity, 0).kill();

    let is_outdated = |answer: &Result<(), Status>| {
        answer.as_ref().is_err_and(|status| {
            let refusal = rpc::Refusal::from_status(status);
            let says_what_to_do = !refusal.sentence.is_empty() && refusal.retry_after.is_some();
            status.code() == Code::Unavailable && refusal.reason == "RIGHTS_OUTDATED" && says_what_to_do
        })
    };
    office.until("changes by staff to be refused", NOTICED, is_outdated).await;
    // Looking is still possible, and whoever acts for themselves needs no role.
    office.look(&office.clerk).await.unwrap();
    office.look(&office.applicant.actor).await.unwrap();
    let channel = office.applicant.actor.channel(&office.applicant.actor.addresses.applications).unwrap();
    let request = applications::WithdrawApplicationRequest { request_id: request_id(), key: Some(office.key.clone()) };
    ApplicationsClient::new(channel).withdraw_application(request).await.unwrap();
    assert!(is_outdated(&office.act().await), "{:?}", office.act().await);

    // Identity alone is enough for staff to go on: the application is withdrawn, which is another reason.
    office.cluster.restart(Service::Identity, 0).await.unwrap();
    let goes_on = |answer: &Result<(), Status>| {
        answer.as_ref().is_err_and(|status| rpc::Refusal::from_status(status).reason == "WRONG_STATE")
    };
    office.until("staff to go on", NOTICED, goes_on).await;
    office.cluster.nats().restart().await.unwrap();
    office.until("staff to go on with NATS", NOTICED, goes_on).await;
}
