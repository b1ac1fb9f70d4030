//! `Sync`: officers bring a register as a file, or have it read from its source; progress comes while it is read.

use std::pin::Pin;
use std::time::Duration;

use access::Caller;
use futures::{Stream, StreamExt as _, stream};
use lifecycle::{Lifecycle, OnDeath};
use proto::certificates::v1 as wire;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::sync_server::Sync as SyncService;
use proto::identity::v1::Role;
use rpc::Violations;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;
use workbook::{Broken, Workbooks};

use crate::error::Error;
use crate::handle::Handle;
use crate::import::file::{Limits, Notice, Problem, Register};
use crate::import::{Import, Progress, today};
use crate::source::Source;
use crate::store::source::{Options, RowProblem, Run};

/// Chunks and reports that wait at most.
const WAITING: usize = 16;
/// How often it is looked how far a run over a source is.
const GLANCE: Duration = Duration::from_millis(300);

/// Serves `Sync`.
pub struct SyncApi {
    /// Use cases.
    pub handle: Handle,
    /// Where registers are read over HTTP.
    pub source: Option<Source>,
    /// What reads files that are workbooks.
    pub workbooks: Workbooks,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl SyncService for SyncApi {
    type ImportRegisterStream = Pin<Box<dyn Stream<Item = Result<wire::ImportRegisterResponse, Status>> + Send>>;
    type SyncFromSourceStream = Pin<Box<dyn Stream<Item = Result<wire::SyncFromSourceResponse, Status>> + Send>>;

    async fn import_register(
        &self,
        request: Request<Streaming<wire::ImportRegisterRequest>>,
    ) -> Result<Response<Self::ImportRegisterStream>, Status> {
        let caller = Caller::of(&request);
        let mut parts = request.into_inner();
        let mut violations = Violations::new();
        let Some(Part::Options(options)) = parts.message().await?.and_then(|first| first.part) else {
            violations.add("options", "REQUIRED", "第一条消息应为导入选项。");
            return Err(violations.into());
        };
        let sync_id = rpc::parse_uuid("options.request_id", &options.request_id, &mut violations);
        let register = match wire::Register::try_from(options.register) {
            Ok(wire::Register::Unspecified | wire::Register::Certificates) => Some(Register::Certificates),
            Ok(wire::Register::Restrictions) => Some(Register::Restrictions),
            Err(_) => None,
        };
        violations.check("options.register", register.is_some(), "UNKNOWN_REGISTER", "请选择导入的种类。");
        let (Some(sync_id), Some(register)) = (sync_id, register) else { return Err(violations.into()) };
        let import = Import {
            handle: self.handle.clone(),
            sync_id,
            actor: caller.actor(),
            dry_run: options.dry_run,
            complete: options.complete && register == Register::Certificates,
            limits: Limits {
                register,
                within: caller.holds(Role::RegisterOfficer).collect(),
                today: today(),
                agencies: self.handle.agencies(),
            },
        };
        let (send, chunks) = mpsc::channel(WAITING);
        let (report, reports) = mpsc::channel(WAITING);
        let chunks = self.workbooks.as_csv(chunks, WAITING);
        self.lifecycle.spawn("register import", OnDeath::IsItsEnd, import.run(chunks, report.clone()));
        let parts = parts.map(|part| match part {
            Ok(wire::ImportRegisterRequest { part: Some(Part::Chunk(chunk)) }) => Some(chunk),
            Ok(_) | Err(_) => None,
        });
        self.lifecycle.spawn("register upload", OnDeath::IsItsEnd, records::receive(parts, send, Broken::Upload));
        let answers = ReceiverStream::new(reports).map(|told| told.map(answer).map_err(Status::from));
        Ok(Response::new(answers.boxed()))
    }

    async fn sync_from_source(
        &self,
        request: Request<wire::SyncFromSourceRequest>,
    ) -> Result<Response<Self::SyncFromSourceStream>, Status> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let wire::SyncFromSourceRequest { request_id, dry_run, from_the_beginning } = request.get_ref();
        let options = Options { dry_run: *dry_run, from_the_beginning: *from_the_beginning };
        let request_id = rpc::parse_uuid("request_id", request_id, &mut violations);
        let Some(request_id) = request_id else { return Err(violations.into()) };
        let source = self.source.clone().ok_or(Error::NoSource)?;
        if !caller.holds_for_division(Role::RegisterOfficer, source.division()) {
            return Err(Error::OutsideScope.into());
        }
        let sync_id = source.ask(request_id, &caller.actor(), options).await?;
        Ok(Response::new(follow(source, sync_id).boxed()))
    }
}

/// Tells how far a run is until it has ended; whoever stops listening stops nothing else.
fn follow(source: Source, sync_id: Uuid) -> impl Stream<Item = Result<wire::SyncFromSourceResponse, Status>> {
    stream::try_unfold((source, 0, Next::Now), move |(source, told, next)| async move {
        match next {
            Next::Now => {}
            Next::Later => sleep(GLANCE).await,
            Next::Ended(None) => return Ok(None),
            Next::Ended(Some(reason)) => return Err(Error::SourceFailed { reason }.into()),
        }
        let (run, problems) = source.progress(sync_id, told).await?;
        let (told, next) = match problems.last() {
            Some(last) => (last.ordinal, Next::Now),
            None if run.finished => (told, Next::Ended(run.failed.clone())),
            None => (told, Next::Later),
        };
        let answer = source_answer(&run, problems, matches!(next, Next::Ended(None)));
        Ok::<_, Status>(Some((answer, (source, told, next))))
    })
}

/// What follows an answer about a run.
enum Next {
    /// There may be more problems of rows.
    Now,
    /// Nothing yet.
    Later,
    /// The end, or why it came too soon.
    Ended(Option<String>),
}

fn source_answer(run: &Run, problems: Vec<RowProblem>, done: bool) -> wire::SyncFromSourceResponse {
    let (warned, rejected): (Vec<_>, Vec<_>) = problems.into_iter().partition(|problem| problem.is_warning);
    let row = |RowProblem { register, row_id, field, reason, sentence, .. }| wire::SourceRow {
        register: match register.as_str() {
            "restrictions" => wire::Register::Restrictions.into(),
            _ => wire::Register::Certificates.into(),
        },
        row_id: row_id.to_string(),
        field,
        reason,
        message: sentence,
    };
    wire::SyncFromSourceResponse {
        sync_id: run.sync_id.to_string(),
        rows_read: run.counts.rows_read,
        added: run.counts.added,
        changed: run.counts.changed,
        unchanged: run.counts.unchanged,
        rejected: run.counts.rejected,
        warned: run.counts.warned,
        rejected_rows: rejected.into_iter().map(row).collect(),
        done,
        warned_rows: warned.into_iter().map(row).collect(),
    }
}

fn answer(progress: Progress) -> wire::ImportRegisterResponse {
    let rejected_rows = progress.problems.into_iter().map(|Problem { line, field, reason, sentence }| {
        wire::RejectedRow { line, field: field.to_owned(), reason: reason.to_owned(), message: sentence.to_owned() }
    });
    let warned_rows = progress.warnings.into_iter().map(|Notice { line, field, reason, sentence }| wire::WarnedRow {
        line,
        field: field.to_owned(),
        reason: reason.to_owned(),
        message: sentence.into_owned(),
    });
    wire::ImportRegisterResponse {
        rows_read: progress.rows_read,
        added: progress.added,
        changed: progress.changed,
        unchanged: progress.unchanged,
        rejected: progress.rejected,
        rejected_rows: rejected_rows.collect(),
        warned: progress.warned,
        warned_rows: warned_rows.collect(),
        done: progress.done,
    }
}
