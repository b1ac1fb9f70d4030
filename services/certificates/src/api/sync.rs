//! `Sync`: officers bring the register as a file; progress comes while it is read.

use std::pin::Pin;

use access::Caller;
use futures::{Stream, StreamExt as _};
use lifecycle::{Lifecycle, OnDeath, clock};
use proto::certificates::v1 as wire;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::sync_server::Sync as SyncService;
use proto::identity::v1::Role;
use records::UploadBroken;
use rpc::Violations;
use time::UtcOffset;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::handle::Handle;
use crate::import::file::Problem;
use crate::import::{Import, Progress};

/// Chunks and reports that wait at most.
const WAITING: usize = 16;
/// Bytes of the largest chunk.
const LARGEST_CHUNK: usize = 64 * 1024;

/// Serves `Sync`.
pub struct SyncApi {
    /// Use cases.
    pub handle: Handle,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl SyncService for SyncApi {
    type ImportRegisterStream = Pin<Box<dyn Stream<Item = Result<wire::ImportRegisterResponse, Status>> + Send>>;

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
        let Some(sync_id) = rpc::parse_uuid("options.request_id", &options.request_id, &mut violations) else {
            return Err(violations.into());
        };
        let shanghai = UtcOffset::from_hms(8, 0, 0).expect("eight hours are an offset");
        let import = Import {
            handle: self.handle.clone(),
            sync_id,
            actor: caller.actor(),
            within: caller.holds(Role::RegisterOfficer).collect(),
            dry_run: options.dry_run,
            today: clock::now().to_offset(shanghai).date(),
        };
        let (send, chunks) = mpsc::channel(WAITING);
        let (report, reports) = mpsc::channel(WAITING);
        self.lifecycle.spawn("register import", OnDeath::IsItsEnd, import.run(chunks, report.clone()));
        self.lifecycle.spawn("register upload", OnDeath::IsItsEnd, async move {
            loop {
                match parts.message().await {
                    Ok(Some(wire::ImportRegisterRequest { part: Some(Part::Chunk(chunk)) }))
                        if chunk.len() <= LARGEST_CHUNK =>
                    {
                        // The import has stopped by itself and said why.
                        if send.send(Ok(chunk)).await.is_err() {
                            return;
                        }
                    }
                    Ok(None) => return,
                    // A part that is none, or a caller that vanished. Who has stopped reading needs no telling.
                    Ok(Some(_)) | Err(_) => return drop(send.send(Err(UploadBroken)).await),
                }
            }
        });
        let answers = ReceiverStream::new(reports).map(|told| told.map(answer).map_err(Status::from));
        Ok(Response::new(answers.boxed()))
    }
}

fn answer(progress: Progress) -> wire::ImportRegisterResponse {
    let rejected_rows = progress.problems.into_iter().map(|Problem { line, field, reason, sentence }| {
        wire::RejectedRow { line, field: field.to_owned(), reason: reason.to_owned(), message: sentence.to_owned() }
    });
    let warned_rows = progress.warnings.into_iter().map(|Problem { line, field, reason, sentence }| wire::WarnedRow {
        line,
        field: field.to_owned(),
        reason: reason.to_owned(),
        message: sentence.to_owned(),
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
