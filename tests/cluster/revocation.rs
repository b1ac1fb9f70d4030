//! A role that was taken back counts within ten seconds in every service, whatever is away; who cannot know refuses staff, and applicants go
//! on.

use std::time::Duration;

use cluster::actor::{Actor, Letters};
use cluster::journey::{Applicant, Place, request_id};
use cluster::register::Teacher;
use cluster::{Cluster, Service, seed, wait};
use futures::future::{join_all, ready};
use futures::{StreamExt as _, stream};
use proto::applications::v1 as applications;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::certificates::v1 as certificates;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::sync_client::SyncClient;
use proto::identity::v1 as identity;
use proto::identity::v1::Role;
use proto::identity::v1::staff_client::StaffClient;
use proto::operations::v1 as operations;
use proto::operations::v1::event_feed_client::EventFeedClient;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::ask::ask;
use crate::matrix::callers::{chief, grant, newcomer, person_id, with_second_factor};

/// RELIABILITY: so long may a role that was taken back still count.
const COUNTS_WITHIN: Duration = Duration::from_secs(10);
/// A fault is noticed, and over.
const NOTICED: Duration = Duration::from_secs(30);
const PASSWORD: &str = "revoked#2026";

/// What staff do as often as they like: where, as what, and by which RPC.
#[derive(Clone, Debug)]
struct Deed {
    service: Service,
    rpc: &'static str,
    request: Value,
}

/// Somebody with a role for each service, an application that is in their scope, and whoever grants and revokes.
struct Office {
    cluster: Cluster,
    chief: Actor,
    officer: Actor,
    officer_id: String,
    place: Place,
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
        let (chief, officer) = (chief(&cluster).await, newcomer(&cluster, Teacher::new(500_000)).await);
        let officer_id = person_id(&officer).await;
        // Another role that stays: only staff have a second factor, without which no role counts.
        grant(&chief, &officer_id, Role::RuleOfficer, "320000", "").await;
        Self {
            officer: with_second_factor(&officer).await,
            chief,
            officer_id,
            place: seeded.place,
            key: applications::ApplicationKey {
                certificate_id: submitted.certificate_id,
                enrolment_number: submitted.enrolment_number,
            },
            applicant,
            cluster,
        }
    }

    /// The roles that come and go: for each service one of its own trade.
    fn roles(&self) -> [(Role, &'static str, &str); 4] {
        [
            (Role::Clerk, "320302", &self.place.point_id),
            (Role::RegisterOfficer, "320000", ""),
            (Role::Helpdesk, "320000", ""),
            (Role::Operator, "320000", ""),
        ]
    }

    /// Changes of each service's own trade that rest on one of these roles; notifications has none but those of operators.
    fn changes(&self) -> Vec<Deed> {
        let key = json!({"certificateId": self.key.certificate_id, "enrolmentNumber": self.key.enrolment_number});
        let tomorrow = rpc::render_date(lifecycle::clock::now().date() + time::Duration::DAY * 2);
        let slot = json!({"pointId": self.place.point_id, "date": tomorrow, "halfDay": 1});
        let deed = |service, rpc, request| Deed { service, rpc, request };
        vec![
            deed(
                Service::Identity,
                "dingzhu.identity.v1.PhoneFixes/SettlePhoneFix",
                json!({"personId": self.officer_id, "fixId": request_id(), "outcome": 2}),
            ),
            deed(
                Service::Certificates,
                "dingzhu.certificates.v1.Restrictions/LiftRestriction",
                json!({"certificateId": self.key.certificate_id, "fileReference": "示例2026-1"}),
            ),
            deed(
                Service::Scheduling,
                "dingzhu.scheduling.v1.Slots/PublishCapacity",
                json!({"slot": slot, "capacity": 5}),
            ),
            deed(
                Service::Applications,
                "dingzhu.applications.v1.Confirmation/RecordFacts",
                json!({"key": key, "facts": {}}),
            ),
        ]
    }

    /// All that the roles open: the changes, and what an operator does at every service.
    fn deeds(&self) -> Vec<Deed> {
        let redrive = |service| Deed {
            service,
            rpc: "dingzhu.operations.v1.Operations/RedriveParkedEvents",
            request: json!({"feed": "none"}),
        };
        self.changes().into_iter().chain(Service::ALL.map(redrive)).collect()
    }

    async fn attempt(&self, deed: &Deed) -> Result<(), Status> {
        let mut request = deed.request.clone();
        if !deed.rpc.starts_with("dingzhu.operations.") {
            request["requestId"] = request_id().into();
        }
        ask(&self.cluster.layout().url(deed.service), Some(&self.officer), deed.rpc, &request).await.map(drop)
    }

    /// Gives the roles; returns once every service knows them.
    async fn appoint(&self) -> Vec<String> {
        let mut grants = Vec::new();
        for (role, division, unit_id) in self.roles() {
            grants.push(grant(&self.chief, &self.officer_id, role, division, unit_id).await);
        }
        self.until("the officer to be admitted", &self.deeds(), Instant::now() + NOTICED, is_admitted).await;
        grants
    }

    /// Takes the roles back, and sees that they count no more in time, in any service.
    async fn dismiss(&self, grants: &[String], what: &str) {
        let deadline = Instant::now() + COUNTS_WITHIN;
        self.revoke(grants).await;
        self.until(what, &self.deeds(), deadline, is_refused).await;
    }

    async fn revoke(&self, grants: &[String]) {
        for grant_id in grants {
            let request = identity::RevokeRoleRequest {
                request_id: request_id(),
                person_id: self.officer_id.clone(),
                grant_id: grant_id.clone(),
            };
            let channel = self.chief.channel(&self.chief.addresses.identity).unwrap();
            StaffClient::new(channel).revoke_role(request).await.unwrap();
        }
    }

    /// An operator's look at every event of a service, as long as it lasts.
    async fn follow(&self, service: Service) -> Streaming<operations::ReadEventsResponse> {
        let channel = self.officer.channel(&self.cluster.layout().url(service)).unwrap();
        let request = operations::ReadEventsRequest { follow: true, ..Default::default() };
        EventFeedClient::new(channel).read_events(request).await.unwrap().into_inner()
    }

    /// An import of a register of which only the beginning was sent: what it answers, and what may be sent on.
    async fn import(&self) -> (Streaming<certificates::ImportRegisterResponse>, mpsc::Sender<Part>) {
        let options = certificates::ImportOptions { request_id: request_id(), ..Default::default() };
        let (sender, parts) = mpsc::channel(1);
        let parts = stream::once(ready(Part::Options(options))).chain(ReceiverStream::new(parts));
        let parts = parts.map(|part| certificates::ImportRegisterRequest { part: Some(part) });
        let channel = self.officer.channel(&self.officer.addresses.certificates).unwrap();
        let answers = SyncClient::new(channel).import_register(parts).await.unwrap().into_inner();
        (answers, sender)
    }

    async fn look(&self, actor: &Actor) -> Result<(), Status> {
        let channel = actor.channel(&actor.addresses.applications).unwrap();
        let request = applications::GetApplicationRequest { key: Some(self.key.clone()), ..Default::default() };
        ApplicationsClient::new(channel).get_application(request).await.map(drop)
    }

    /// Waits until each of these is answered so.
    async fn until(&self, what: &str, deeds: &[Deed], deadline: Instant, holds: impl Fn(&Result<(), Status>) -> bool) {
        let mut last = Vec::new();
        let met = wait::until(what, deadline.saturating_duration_since(Instant::now()), async || {
            let answers = join_all(deeds.iter().map(|deed| self.attempt(deed))).await;
            last = deeds
                .iter()
                .zip(answers)
                .filter(|(_, answer)| !holds(answer))
                .map(|(deed, answer)| (deed.clone(), answer))
                .collect();
            last.is_empty().then_some(())
        });
        let met = met.await;
        assert!(met.is_ok(), "{what}: not in time, but {last:#?}");
    }
}

fn is_refused(answer: &Result<(), Status>) -> bool {
    answer.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied)
}

/// Done, or refused for what was asked for and not for who asked.
fn is_admitted(answer: &Result<(), Status>) -> bool {
    let judged = [Code::FailedPrecondition, Code::InvalidArgument, Code::NotFound];
    answer.as_ref().is_ok_and(|()| true) || answer.as_ref().is_err_and(|status| judged.contains(&status.code()))
}

#[tokio::test]
async fn a_revocation_counts_within_ten_seconds_everywhere_also_while_nats_is_dead_or_frozen() {
    let mut office = Office::open().await;
    let grants = office.appoint().await;
    office.dismiss(&grants, "the officer to be refused").await;

    let grants = office.appoint().await;
    office.cluster.nats().kill();
    office.dismiss(&grants, "the officer to be refused without NATS").await;
    let grants = office.appoint().await;
    office.cluster.nats().restart().await.unwrap();

    // Dead servers close their connections; frozen ones say nothing at all.
    office.cluster.nats().process().unwrap().freeze();
    office.dismiss(&grants, "the officer to be refused while NATS is frozen").await;
    office.appoint().await;
    office.cluster.nats().process().unwrap().thaw();
    office.until("the officer to go on", &office.deeds(), Instant::now() + NOTICED, is_admitted).await;
}

#[tokio::test]
async fn what_is_under_way_ends_when_the_role_that_it_rests_on_is_taken_back() {
    let office = Office::open().await;
    let grants = office.appoint().await;
    let mut followed = Vec::new();
    for service in Service::ALL {
        let mut events = office.follow(service).await;
        events.message().await.unwrap().unwrap();
        followed.push(events);
    }
    let (mut answers, sender) = office.import().await;
    sender.send(Part::Chunk("证件号码,姓名,".into())).await.unwrap();

    office.revoke(&grants).await;
    let deadline = Instant::now() + COUNTS_WITHIN;
    for (service, mut events) in Service::ALL.into_iter().zip(followed) {
        let ended = timeout_at(deadline, async {
            while events.message().await?.is_some() {}
            Ok::<(), Status>(())
        });
        let ended = ended.await.unwrap_or_else(|_| panic!("{service}: the operator still follows"));
        assert_eq!(rpc::Refusal::from_status(&ended.unwrap_err()).reason, "RIGHTS_CHANGED", "{service}");
    }
    let ended = timeout_at(deadline, async {
        while answers.message().await?.is_some() {}
        Ok::<(), Status>(())
    });
    let ended = ended.await.expect("the upload still goes on").unwrap_err();
    assert_eq!(rpc::Refusal::from_status(&ended).reason, "RIGHTS_CHANGED");
    timeout_at(deadline, sender.closed()).await.expect("somebody still listens to the upload");
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
    let mut changes = office.changes();
    changes.retain(|change| change.service != Service::Identity);
    let noticed = || Instant::now() + NOTICED;
    office.until("changes by staff to be refused", &changes, noticed(), is_outdated).await;
    // Looking is still possible, and whoever acts for themselves needs no role.
    office.look(&office.officer).await.unwrap();
    office.look(&office.applicant.actor).await.unwrap();
    let channel = office.applicant.actor.channel(&office.applicant.actor.addresses.applications).unwrap();
    let request = applications::WithdrawApplicationRequest { request_id: request_id(), key: Some(office.key.clone()) };
    ApplicationsClient::new(channel).withdraw_application(request).await.unwrap();
    office.until("changes by staff to be refused still", &changes, Instant::now(), is_outdated).await;

    // Identity alone is enough for staff to go on: the application is withdrawn, which is another reason.
    office.cluster.restart(Service::Identity, 0).await.unwrap();
    office.until("staff to go on", &office.changes(), noticed(), is_admitted).await;
    office.cluster.nats().restart().await.unwrap();
    office.until("staff to go on with NATS", &office.changes(), noticed(), is_admitted).await;
}
