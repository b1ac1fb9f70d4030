//! `Bulk`: many applications in one call, and the files of schools and reviewers.

mod files;

use access::Caller;
use eventbus::BusHandle;
use futures::stream::{self, BoxStream, Stream, StreamExt as _, TryStreamExt as _};
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::applications::v1::bulk_server::Bulk;
use proto::applications::v1::item_result::Result as Came;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use rpc::{Refusal, fingerprint};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;
use workbook::Workbooks;

use super::render::{int, outcome};
use super::request::{Parsing, officer, refused_item, unfit};
use crate::domain::registration::Officer;
use crate::domain::values::Conclusion;
use crate::error::Error;
use crate::handle::{AT_ONCE, Asked, Done, Handle, Key, Wanted};
use crate::store::Corrupt;
use crate::wire as values;

/// The service.
#[derive(Clone)]
pub struct BulkApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs what is wanted of each application.
    pub lifecycle: Lifecycle,
    /// Waits for views.
    pub bus: BusHandle,
    /// What reads files that are workbooks.
    pub workbooks: Workbooks,
}

/// What everything wanted in one call has in common.
#[derive(Clone)]
struct Call {
    actor: String,
    officer: Officer,
    request_id: Uuid,
    dry_run: bool,
}

/// One application of a call, and what is wanted of it, if that can be read.
struct Item {
    given: Option<wire::ApplicationKey>,
    work: Result<(Key, Wanted), wire::ItemRefusal>,
}

type Answers<M> = BoxStream<'static, Result<M, Status>>;

#[tonic::async_trait]
impl Bulk for BulkApi {
    type ConfirmApplicationsStream = Answers<wire::ConfirmApplicationsResponse>;
    type ReturnApplicationsStream = Answers<wire::ReturnApplicationsResponse>;
    type PassReviewsStream = Answers<wire::PassReviewsResponse>;
    type ConcludeApplicationsStream = Answers<wire::ConcludeApplicationsResponse>;
    type ImportFactsStream = Answers<wire::ImportFactsResponse>;
    type ExportFactsStream = Answers<wire::ExportFactsResponse>;
    type ImportConclusionsStream = Answers<wire::ImportConclusionsResponse>;

    async fn confirm_applications(
        &self,
        request: Request<wire::ConfirmApplicationsRequest>,
    ) -> Result<Response<Self::ConfirmApplicationsStream>, Status> {
        let message = request.get_ref();
        let mut parsing = Parsing::default();
        let request_id = parsing.id("request_id", &message.request_id);
        let keys = parsing.keys("keys", &message.keys.iter().map(Some).collect::<Vec<_>>());
        parsing.done()?;
        let call = Call::of(&request, &[Role::Clerk], request_id, message.dry_run)?;
        let items = message.keys.iter().cloned().zip(keys);
        let items =
            items.map(|(given, key)| Item { given: Some(given), work: key.map(|key| (key, Wanted::Confirm(None))) });
        let results = self.results(request.metadata(), call, items.collect());
        let answers = results.map_ok(|result| wire::ConfirmApplicationsResponse { result: Some(result) });
        Ok(Response::new(answers.boxed()))
    }

    async fn return_applications(
        &self,
        request: Request<wire::ReturnApplicationsRequest>,
    ) -> Result<Response<Self::ReturnApplicationsStream>, Status> {
        let message = request.get_ref();
        let mut parsing = Parsing::default();
        let request_id = parsing.id("request_id", &message.request_id);
        let keys = parsing.keys("keys", &message.keys.iter().map(Some).collect::<Vec<_>>());
        let reason = parsing.reason("reason", &message.reason);
        parsing.done()?;
        let call = Call::of(&request, &[Role::Liaison, Role::Clerk], request_id, message.dry_run)?;
        let items = message.keys.iter().cloned().zip(keys);
        let items = items.map(|(given, key)| Item {
            given: Some(given),
            work: key.map(|key| (key, Wanted::Return(reason.to_owned()))),
        });
        let results = self.results(request.metadata(), call, items.collect());
        let answers = results.map_ok(|result| wire::ReturnApplicationsResponse { result: Some(result) });
        Ok(Response::new(answers.boxed()))
    }

    async fn pass_reviews(
        &self,
        request: Request<wire::PassReviewsRequest>,
    ) -> Result<Response<Self::PassReviewsStream>, Status> {
        let message = request.get_ref();
        let mut parsing = Parsing::default();
        let request_id = parsing.id("request_id", &message.request_id);
        let keys = parsing.keys("keys", &message.keys.iter().map(Some).collect::<Vec<_>>());
        let opinion = parsing.text("opinion", &message.opinion);
        parsing.done()?;
        let call = Call::of(&request, &[Role::Reviewer], request_id, message.dry_run)?;
        let items = message.keys.iter().cloned().zip(keys);
        let items = items.map(|(given, key)| Item {
            given: Some(given),
            work: key.map(|key| (key, Wanted::Pass(opinion.to_owned()))),
        });
        let results = self.results(request.metadata(), call, items.collect());
        let answers = results.map_ok(|result| wire::PassReviewsResponse { result: Some(result) });
        Ok(Response::new(answers.boxed()))
    }

    async fn conclude_applications(
        &self,
        request: Request<wire::ConcludeApplicationsRequest>,
    ) -> Result<Response<Self::ConcludeApplicationsStream>, Status> {
        let message = request.get_ref();
        let mut parsing = Parsing::default();
        let request_id = parsing.id("request_id", &message.request_id);
        let keys = parsing.keys("items", &message.items.iter().map(|item| item.key.as_ref()).collect::<Vec<_>>());
        parsing.done()?;
        let call = Call::of(&request, &[Role::Reviewer], request_id, message.dry_run)?;
        let items = message.items.iter().zip(keys).map(|(item, key)| Item {
            given: item.key.clone(),
            work: key.and_then(|key| Ok((key, conclusion(item)?))),
        });
        let results = self.results(request.metadata(), call, items.collect());
        let answers = results.map_ok(|result| wire::ConcludeApplicationsResponse { result: Some(result) });
        Ok(Response::new(answers.boxed()))
    }

    async fn import_facts(
        &self,
        request: Request<Streaming<wire::ImportFactsRequest>>,
    ) -> Result<Response<Self::ImportFactsStream>, Status> {
        Ok(Response::new(self.facts(request).await?))
    }

    async fn export_facts(
        &self,
        request: Request<wire::ExportFactsRequest>,
    ) -> Result<Response<Self::ExportFactsStream>, Status> {
        Ok(Response::new(self.work_list(request).await?))
    }

    async fn import_conclusions(
        &self,
        request: Request<Streaming<wire::ImportConclusionsRequest>>,
    ) -> Result<Response<Self::ImportConclusionsStream>, Status> {
        Ok(Response::new(self.conclusions(request).await?))
    }
}

impl Call {
    fn of<T>(request: &Request<T>, roles: &[Role], request_id: Uuid, dry_run: bool) -> Result<Self, Refusal> {
        let caller = Caller::of(request);
        Ok(Self { actor: caller.actor(), officer: officer(&caller, roles)?, request_id, dry_run })
    }

    /// An item is the request of the single call, with an id of its own.
    fn asked(&self, key: Key, wanted: &Wanted) -> Asked {
        let request_id = wanted.request_id(self.request_id, key);
        Asked { actor: self.actor.clone(), request_id, fingerprint: item_fingerprint(request_id, key, wanted) }
    }
}

impl BulkApi {
    /// Does what is wanted, some of it at a time, and tells what came of it in the order of the request. Who stops listening has the rest
    /// left undone.
    fn results(
        &self,
        metadata: &MetadataMap,
        call: Call,
        items: Vec<Item>,
    ) -> impl Stream<Item = Result<wire::ItemResult, Status>> + use<> {
        let api = self.clone();
        let results = stream::iter((0..).zip(items)).map(move |(position, Item { given, work })| {
            let (api, call) = (api.clone(), call.clone());
            async move {
                let came = match work {
                    Ok((key, wanted)) => api.work(call, key, wanted).await.map_err(refusal),
                    Err(refusal) => Err(refusal),
                };
                let result = Some(came.map_or_else(Came::Refusal, Came::Outcome));
                Ok(wire::ItemResult { position, key: given, result })
            }
        });
        rpc::within_deadline(metadata, results.buffered(AT_ONCE))
    }

    /// In a task of its own: what was begun is ended.
    async fn work(&self, call: Call, key: Key, wanted: Wanted) -> Result<wire::Outcome, Error> {
        let handle = self.handle.clone();
        let asked = call.asked(key, &wanted);
        let body = async move { handle.work(&asked, &call.officer, key, &wanted, call.dry_run, encoded).await };
        decoded(&rpc::run(&self.lifecycle, body).await?)
    }
}

/// Where an application stands, as it is kept for a repeated request.
fn encoded(done: &Done) -> Vec<u8> {
    outcome(done).encode_to_vec()
}

fn decoded(answer: &[u8]) -> Result<wire::Outcome, Error> {
    wire::Outcome::decode(answer).map_err(|_| Error::Corrupt(Corrupt { kind: "answer".to_owned() }))
}

/// What the single call would be refused with.
fn refusal(error: Error) -> wire::ItemRefusal {
    let told = Refusal::from_status(&error.into());
    wire::ItemRefusal { reason: told.reason, message: told.sentence }
}

fn conclusion(item: &wire::ConclusionItem) -> Result<Wanted, wire::ItemRefusal> {
    let text = item.reason.trim();
    if let Some((reason, sentence)) = unfit(text) {
        return Err(refused_item(reason, sentence));
    }
    let conclusion = values::parse_conclusion(item.conclusion).filter(|found| *found != Conclusion::Revoked);
    let conclusion =
        conclusion.ok_or_else(|| refused_item("UNKNOWN_VALUE", "请选择注册合格、暂缓注册或注册不合格。"))?;
    Ok(Wanted::Conclude(conclusion, text.to_owned()))
}

fn item_fingerprint(request_id: Uuid, key: Key, wanted: &Wanted) -> [u8; 32] {
    let request_id = request_id.to_string();
    let (certificate_id, enrolment_number) = (key.certificate.to_string(), key.number.to_string());
    let key = Some(wire::ApplicationKey { certificate_id, enrolment_number });
    match wanted.clone() {
        Wanted::Confirm(form_version) => {
            let form_version = form_version.map(int).unwrap_or_default();
            fingerprint(&wire::ConfirmApplicationRequest { request_id, key, form_version })
        }
        Wanted::Return(reason) => fingerprint(&wire::ReturnApplicationRequest { request_id, key, reason }),
        Wanted::Pass(opinion) => fingerprint(&wire::PassReviewRequest { request_id, key, opinion }),
        Wanted::Conclude(conclusion, reason) => {
            let conclusion = values::conclusion(conclusion).into();
            fingerprint(&wire::ConcludeApplicationRequest { request_id, key, conclusion, reason })
        }
    }
}
