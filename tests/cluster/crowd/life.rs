//! The life of one certificate: its holder and everybody concerned do what they like, and each answer is the one that the rules ask for.

use std::sync::Arc;
use std::time::Duration;

use cluster::actor::Channel;
use cluster::journey::request_id;
use proto::applications::v1 as wire;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::drafts_client::DraftsClient;
use proto::applications::v1::record_conclusion_fact_request::Fact;
use proto::certificates::v1::RestrictionKind;
use proto::types::v1::Conclusion;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tonic::{Code, Status};

use super::facts::Profile;
use super::ground::{Desk, Ground};
use super::model::{Application, Concluded, Deed, Expected, FORBIDDEN, Phase, Prior, Record, Who};

/// One deed in so many is anybody's, most often of somebody who may not.
const ANYBODY: f64 = 0.12;
/// One answered request in so many is sent once more.
const REPEATED: f64 = 0.02;
/// How often a request is repeated that the machine had no room for.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(200);

/// A certificate, and what has happened to it so far.
pub struct Life {
    ground: Arc<Ground>,
    rng: StdRng,
    holder: usize,
    pub certificate_id: String,
    pub record: Record,
    /// A year that lies inside the cycle, with the next one.
    inside: i32,
    /// The interval or the bar is not over: nobody files again soon.
    barred: bool,
    /// What was done, for whoever has to understand a failure.
    trail: Vec<String>,
    pub refused: usize,
}

impl Life {
    pub fn new(
        ground: &Arc<Ground>,
        seed: u64,
        holder: usize,
        certificate_id: &str,
        kind: i32,
        priors: Vec<Prior>,
    ) -> Self {
        let qualified = priors.iter().rev().find(|prior| prior.conclusion == Conclusion::Qualified);
        let since = qualified.map(|prior| ground.today - time::Duration::days(prior.days_ago));
        Self {
            ground: Arc::clone(ground),
            rng: StdRng::seed_from_u64(seed),
            holder,
            certificate_id: certificate_id.to_owned(),
            inside: since.map_or(ground.today.year() - 3, |since| since.year() + 1),
            // What came from the register stands in the record already.
            record: Record {
                kind,
                version: i64::try_from(priors.len()).unwrap(),
                priors,
                restriction: None,
                applications: Vec::new(),
            },
            barred: false,
            trail: Vec::new(),
            refused: 0,
        }
    }

    /// Goes on for so many steps.
    pub async fn live(&mut self, steps: usize) {
        for _ in 0..steps {
            match self.draw() {
                Some((index, who, deed)) => Box::pin(self.act(index, who, deed)).await,
                None if self.barred => return,
                None => Box::pin(self.file()).await,
            }
        }
    }

    /// A restriction appears, or goes.
    pub fn restrict(&mut self, restriction: Option<RestrictionKind>) {
        self.trail.push(format!("restriction: {restriction:?}"));
        self.record.restriction = restriction;
    }

    /// What comes next, and on which application; `None` for a new one.
    fn draw(&mut self) -> Option<(usize, Who, Deed)> {
        let last = self.record.applications.len().checked_sub(1)?;
        if self.rng.random_bool(ANYBODY) {
            let index = self.rng.random_range(0..=last);
            return Some((index, self.anybody(), self.any_deed()));
        }
        let index = self.record.live().unwrap_or(last);
        let application = self.record.applications[index].clone();
        let place = application.place;
        let dice = self.rng.random_range(0..100);
        let deed = match &application.phase {
            Phase::Withdrawn => return if dice < 90 { None } else { Some((index, Who::Holder, Deed::Read)) },
            Phase::Pending { mending: true, .. } if dice < 75 => self.amendment(&application),
            Phase::Pending { .. } if dice < 12 => Deed::Withdraw,
            Phase::Pending { .. } if dice < 16 => self.amendment(&application),
            Phase::Pending { .. } if matches!(application.profile, None | Some(Profile::Incomplete)) => {
                Deed::RecordFacts(self.profile())
            }
            Phase::Pending { .. } if dice < 21 => Deed::RecordFacts(self.profile()),
            Phase::Pending { .. } if dice < 28 => Deed::Refuse,
            Phase::Pending { .. } => Deed::Confirm,
            Phase::Confirmed { .. } if dice < 4 => Deed::Return,
            Phase::Confirmed { .. } if dice < 8 => Deed::RecordFacts(self.profile()),
            Phase::Confirmed { .. } if dice < 15 => Deed::SendBack,
            Phase::Confirmed { step, .. } if *step + 1 < self.ground.world.routes[place].0.len() => Deed::Pass,
            Phase::Confirmed { .. } => self.conclusion(&application),
            Phase::Concluded(Concluded { proposed: Some(_), .. }) if dice < 70 => Deed::Approve,
            Phase::Concluded(_) if dice < 40 && !self.barred => return None,
            Phase::Concluded(_) if dice < 55 => Deed::Propose { revoke: self.rng.random_bool(0.5) },
            Phase::Concluded(_) => Deed::Fact(self.fact()),
        };
        Some((index, self.whoever_does(index, deed), deed))
    }

    fn amendment(&mut self, application: &Application) -> Deed {
        let moves = self.rng.random_bool(0.15);
        let place = if moves { self.rng.random_range(0..self.ground.places.len()) } else { application.place };
        Deed::Amend { place, stage: self.stage() }
    }

    /// Mostly what the rules compute.
    fn conclusion(&mut self, application: &Application) -> Deed {
        let all = [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed];
        let any = *all.choose(&mut self.rng).unwrap();
        let conclusion = match self.record.proposal(application) {
            Some(proposed) if self.rng.random_bool(0.85) => proposed,
            _ => any,
        };
        Deed::Conclude { conclusion, with_reason: self.rng.random_bool(0.5) }
    }

    fn profile(&mut self) -> Profile {
        if self.rng.random_bool(0.5) { Profile::Good } else { *Profile::ALL.choose(&mut self.rng).unwrap() }
    }

    /// Mostly the certificate's own.
    fn stage(&mut self) -> i32 {
        if self.rng.random_bool(0.9) { self.record.kind } else { self.rng.random_range(1..=4) }
    }

    fn fact(&mut self) -> Fact {
        let all = [
            Fact::PublicityBegun,
            Fact::PublicityEnded,
            Fact::ObjectionRecorded,
            Fact::ObjectionSettled,
            Fact::NotePrinted,
        ];
        *all.choose(&mut self.rng).unwrap()
    }

    fn anybody(&mut self) -> Who {
        let all = self.ground.staff.len();
        match self.rng.random_range(0..all + 2) {
            member if member < all => Who::Staff(member),
            one if one == all => Who::Holder,
            _ => Who::Stranger,
        }
    }

    fn any_deed(&mut self) -> Deed {
        let application = self.record.applications[0].clone();
        match self.rng.random_range(0..13) {
            0 => Deed::Read,
            1 => self.amendment(&application),
            2 => Deed::Withdraw,
            3 => Deed::RecordFacts(self.profile()),
            4 => Deed::Confirm,
            5 => Deed::Refuse,
            6 => Deed::Return,
            7 => Deed::Pass,
            8 => Deed::SendBack,
            9 => self.conclusion(&application),
            10 => Deed::Fact(self.fact()),
            11 => Deed::Propose { revoke: self.rng.random_bool(0.5) },
            _ => Deed::Approve,
        }
    }

    /// Somebody whose business it is.
    fn whoever_does(&mut self, index: usize, deed: Deed) -> Who {
        if matches!(deed, Deed::Amend { .. } | Deed::Withdraw) {
            return Who::Holder;
        }
        let staff: Vec<Who> = (0..self.ground.staff.len()).map(Who::Staff).collect();
        let may = |who: &&Who| {
            let judged = self.ground.world.judge(&self.record, index, **who, deed);
            !matches!(
                judged,
                Err(FORBIDDEN | "NOT_FOUND" | "NOT_YOUR_TURN" | "NOT_LAST_LEVEL" | "SECOND_PERSON_NEEDED")
            )
        };
        let able: Vec<&Who> = staff.iter().filter(may).collect();
        able.choose(&mut self.rng).map_or(Who::Stranger, |who| **who)
    }

    /// Does it, and compares the answer with what the rules ask for.
    async fn act(&mut self, index: usize, who: Who, deed: Deed) {
        let expected = self.ground.world.judge(&self.record, index, who, deed);
        self.trail.push(format!("{who:?} {deed:?}"));
        let key = self.record.applications[index].key.clone();
        let proposal = match &self.record.applications[index].phase {
            Phase::Concluded(Concluded { proposed: Some((_, _, version)), .. }) => *version,
            _ => 0,
        };
        let (desk, order) = (self.desk(who), Order { proposal, ..self.order(key, deed) });
        let mut answer = persist(|| ask(desk.clone(), order.clone(), deed)).await;
        if answer.is_ok() && self.rng.random_bool(REPEATED) {
            answer = persist(|| ask(desk.clone(), order.clone(), deed)).await;
        }
        self.settle(index, expected, answer);
    }

    fn settle(&mut self, index: usize, expected: Expected, answer: Result<wire::Outcome, Status>) {
        match (expected, answer) {
            (Ok((application, events)), Ok(outcome)) => {
                self.record.version += events;
                let told = application.outcome(&self.ground.world, self.record.version);
                if outcome != told {
                    self.fail(&format!("{told:?} expected, got {outcome:?}"));
                }
                self.record.applications[index] = application;
            }
            (Err(FORBIDDEN), Err(status)) if status.code() == Code::PermissionDenied => self.refused += 1,
            (Err(reason), Err(status)) if rpc::Refusal::from_status(&status).reason == reason => self.refused += 1,
            (expected, answer) => self.fail(&format!("{expected:?} expected, got {answer:?}")),
        }
    }

    fn fail(&self, what: &str) -> ! {
        let Self { certificate_id, record, trail, .. } = self;
        panic!("{certificate_id}: {what}\nafter {}\nof {record:#?}", trail.join("\n  then "));
    }

    fn desk(&self, who: Who) -> Desk {
        let holders = &self.ground.holders;
        let desk = match who {
            Who::Holder => &holders[self.holder].desk,
            Who::Stranger => &holders[(self.holder + 1) % holders.len()].desk,
            Who::Staff(member) => &self.ground.staff[member],
        };
        desk.clone()
    }

    fn order(&self, key: wire::ApplicationKey, deed: Deed) -> Order {
        let ground = &self.ground;
        let form = match deed {
            Deed::Amend { place, stage } => Some(ground.holders[self.holder].form(&ground.places[place], stage)),
            _ => None,
        };
        Order { request_id: request_id(), key, form, pledge: ground.pledge.clone(), inside: self.inside, proposal: 0 }
    }

    /// A new application, from draft to 报名号.
    async fn file(&mut self) {
        let place = self.rng.random_range(0..self.ground.places.len());
        let stage = self.stage();
        let pledged = !self.rng.random_bool(0.01);
        let expected = match self.record.next_ordinal() {
            Ok(_) if !pledged => Err("PLEDGE_REFUSED"),
            Err(reason) if !pledged && reason != "ALREADY_APPLIED" => Err("PLEDGE_REFUSED"),
            expected => expected,
        };
        self.trail.push(format!("files at {place} for stage {stage}, pledged: {pledged}"));
        let filed = self.file_at(place, stage, pledged).await;
        match (expected, filed) {
            (Ok(ordinal), Ok(filed)) => {
                self.record.version += 1;
                if (filed.ordinal, filed.version, filed.status())
                    != (ordinal, self.record.version, wire::Status::PendingOnlineConfirmation)
                {
                    self.fail(&format!("ordinal {ordinal} expected, got {filed:?}"));
                }
                let wire::SubmitApplicationResponse { certificate_id, enrolment_number, .. } = filed;
                self.record.applications.push(Application {
                    key: wire::ApplicationKey { certificate_id, enrolment_number },
                    ordinal,
                    place,
                    stage,
                    profile: None,
                    phase: Phase::Pending { mending: false, refused: false },
                    version: self.record.version,
                });
            }
            (Err(reason), Err(status)) if rpc::Refusal::from_status(&status).reason == reason => {
                self.refused += 1;
                self.barred = matches!(reason, "REGISTERED_RECENTLY" | "REVOKED_RECENTLY");
            }
            (expected, filed) => self.fail(&format!("{expected:?} expected, got {filed:?}")),
        }
    }

    async fn file_at(
        &self,
        place: usize,
        stage: i32,
        pledged: bool,
    ) -> Result<wire::SubmitApplicationResponse, Status> {
        let holder = &self.ground.holders[self.holder];
        let Desk { drafts, applications, .. } = self.desk(Who::Holder);
        let request = wire::StartDraftRequest { request_id: request_id(), certificate_id: self.certificate_id.clone() };
        let started = persist(|| start_draft(drafts.clone(), request.clone())).await?;
        let draft_id = started.draft_id;
        let wire::Text { version: text_version, digest: text_digest, .. } = self.ground.agreement.clone();
        let request = wire::AcceptAgreementRequest { draft_id: draft_id.clone(), text_version, text_digest };
        let accepted = persist(|| accept_agreement(drafts.clone(), request.clone())).await?;
        let form = Some(holder.form(&self.ground.places[place], stage));
        let (draft, revision) = (draft_id.clone(), accepted.revision);
        let request = wire::SaveDraftRequest { draft_id: draft, revision, form, ..Default::default() };
        let saved = persist(|| save_draft(drafts.clone(), request.clone())).await?;
        let unusual = saved.problems.iter().all(|problem| problem.reason == "KIND_DIFFERS");
        assert!(unusual, "the form is in order: {:?}", saved.problems);
        let pledge = wire::Pledge { accepted: pledged, ..self.ground.pledge.clone() };
        let request = wire::SubmitApplicationRequest {
            request_id: request_id(),
            draft_id,
            revision: saved.revision,
            pledge: Some(pledge),
        };
        persist(|| submit_application(applications.clone(), request.clone())).await
    }
}

/// What a request says beside the deed.
#[derive(Clone)]
struct Order {
    request_id: String,
    key: wire::ApplicationKey,
    /// Of an amendment.
    form: Option<wire::Form>,
    pledge: wire::Pledge,
    inside: i32,
    /// Of an approval.
    proposal: i64,
}

async fn ask(desk: Desk, order: Order, deed: Deed) -> Result<wire::Outcome, Status> {
    let Desk { mut applications, mut confirmation, mut review, .. } = desk;
    let Order { request_id, key, form, pledge, inside, proposal } = order;
    let (key, reason, text) = (Some(key), "材料不全".to_owned(), "经核实".to_owned());
    // Every answer holds an outcome.
    macro_rules! ask {
        ($client:ident.$method:ident($request:ident { $($field:tt)* })) => {
            $client.$method(wire::$request { request_id, key, $($field)* }).await?.into_inner().outcome
        };
    }
    let outcome = match deed {
        Deed::Read => {
            let request = wire::GetApplicationRequest { key, ..Default::default() };
            let read = applications.get_application(request).await?.into_inner().application.unwrap();
            let wire::Application { status, level, turn, version, conclusion, .. } = read;
            Some(wire::Outcome { status, level, turn, version, conclusion })
        }
        Deed::Amend { .. } => {
            let pledge = Some(pledge);
            ask!(applications.amend_application(AmendApplicationRequest { form, pledge }))
        }
        Deed::Withdraw => ask!(applications.withdraw_application(WithdrawApplicationRequest {})),
        Deed::RecordFacts(profile) => {
            let facts = Some(profile.facts(inside));
            ask!(confirmation.record_facts(RecordFactsRequest { facts, seen_version: 0 }))
        }
        Deed::Confirm => ask!(confirmation.confirm_application(ConfirmApplicationRequest { form_version: 0 })),
        Deed::Refuse => ask!(confirmation.refuse_confirmation(RefuseConfirmationRequest { reason })),
        Deed::Return => ask!(confirmation.return_application(ReturnApplicationRequest { reason })),
        Deed::Pass => ask!(review.pass_review(PassReviewRequest { opinion: text })),
        Deed::SendBack => ask!(review.send_back(SendBackRequest { reason })),
        Deed::Conclude { conclusion, with_reason } => {
            let (conclusion, reason) = (conclusion.into(), if with_reason { reason } else { String::new() });
            ask!(review.conclude_application(ConcludeApplicationRequest { conclusion, reason }))
        }
        Deed::Fact(fact) => {
            let (fact, publicity_end_date) = (fact.into(), String::new());
            ask!(review.record_conclusion_fact(RecordConclusionFactRequest { fact, text, publicity_end_date }))
        }
        Deed::Propose { revoke } => {
            let file_reference = "示例〔2026〕1号".to_owned();
            ask!(review.propose_reversal(ProposeReversalRequest { revoke, reason, file_reference }))
        }
        Deed::Approve => {
            let proposal_version = proposal;
            ask!(review.approve_reversal(ApproveReversalRequest { proposal_version }))
        }
    };
    Ok(outcome.expect("an answer holds its outcome"))
}

/// One call whose future owns all that it needs.
macro_rules! calls {
    ($($client:ident.$method:ident($request:ident) -> $response:ident;)*) => {
        $(async fn $method(mut client: $client<Channel>, request: wire::$request) -> Result<wire::$response, Status> {
            client.$method(request).await.map(tonic::Response::into_inner)
        })*
    };
}

calls! {
    DraftsClient.start_draft(StartDraftRequest) -> StartDraftResponse;
    DraftsClient.accept_agreement(AcceptAgreementRequest) -> AcceptAgreementResponse;
    DraftsClient.save_draft(SaveDraftRequest) -> SaveDraftResponse;
    ApplicationsClient.submit_application(SubmitApplicationRequest) -> SubmitApplicationResponse;
}

/// Repeats a request that the machine had no room for just now, as a client does.
async fn persist<T, F: Future<Output = Result<T, Status>>>(mut ask: impl FnMut() -> F) -> Result<T, Status> {
    for _ in 0..TRIES {
        match ask().await {
            Err(status) if matches!(status.code(), Code::Unavailable | Code::ResourceExhausted | Code::Aborted) => {
                tokio::time::sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
    ask().await
}
