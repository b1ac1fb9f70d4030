//! Files of the directory: an import with its report, an export in chunks.

use access::Caller;
use futures::StreamExt as _;
use lifecycle::OnDeath;
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::import_directory_request::Part;
use records::{LARGEST_CHUNK, UploadBroken};
use rpc::{Refusal, Violations};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Status, Streaming};

use super::fields::{NOT_A_DIVISION, UNKNOWN_DIVISION};
use super::{DirectoryApi, officer};
use crate::domain::division::Code;
use crate::error::Error;
use crate::export::{Export, Sink};
use crate::import::file::{Problem, Table};
use crate::import::{Import, Progress, Wrong};

/// Chunks and reports that wait at most.
const WAITING: usize = 16;

/// What an import tells.
pub(super) type Reports = ReceiverStream<Result<wire::ImportDirectoryResponse, Status>>;
/// A file in chunks.
pub(super) type Chunks = ReceiverStream<Result<wire::ExportDirectoryResponse, Status>>;

impl DirectoryApi {
    pub(super) async fn import(
        &self,
        request: Request<Streaming<wire::ImportDirectoryRequest>>,
    ) -> Result<Reports, Status> {
        let officer = officer(&Caller::of(&request));
        let mut parts = request.into_inner();
        let mut violations = Violations::new();
        let Some(Part::Options(options)) = parts.message().await?.and_then(|first| first.part) else {
            violations.add("options", "REQUIRED", "第一条消息应为导入选项。");
            return Err(violations.into());
        };
        let run_id = rpc::parse_uuid("options.request_id", &options.request_id, &mut violations);
        let table = table("options.table", options.table, &mut violations);
        let (Some(run_id), Some(table)) = (run_id, table) else { return Err(violations.into()) };
        let handle = if options.dry_run { self.handle.rehearsal() } else { self.handle.clone() };
        let import = Import {
            handle,
            points: self.points.clone(),
            schools: self.schools.clone(),
            bus: self.bus.clone(),
            officer,
            run_id,
            table,
            dry_run: options.dry_run,
        };
        let (send, chunks) = mpsc::channel(WAITING);
        let (told, mut progress) = mpsc::channel(WAITING);
        let (report, reports) = mpsc::channel(WAITING);
        self.lifecycle.spawn("directory import", OnDeath::IsItsEnd, import.run(chunks, told));
        self.lifecycle.spawn("directory reports", OnDeath::IsItsEnd, async move {
            while let Some(told) = progress.recv().await {
                // Nobody may be listening any more; the run goes on all the same.
                let _ = report.send(told.map(answer).map_err(Status::from)).await;
            }
        });
        let parts = parts.map(|part| match part {
            Ok(wire::ImportDirectoryRequest { part: Some(Part::Chunk(chunk)) }) => Some(chunk),
            Ok(_) | Err(_) => None,
        });
        self.lifecycle.spawn("directory upload", OnDeath::IsItsEnd, records::receive(parts, send, UploadBroken));
        Ok(ReceiverStream::new(reports))
    }

    pub(super) fn export(&self, request: &Request<wire::ExportDirectoryRequest>) -> Result<Chunks, Status> {
        let officer = officer(&Caller::of(request));
        let body = request.get_ref();
        let mut violations = Violations::new();
        let table = table("table", body.table, &mut violations);
        let within = Code::parse(&body.division);
        violations.check("division", within.is_some(), UNKNOWN_DIVISION, NOT_A_DIVISION);
        let (Some(table), Some(within)) = (table, within) else { return Err(violations.into()) };
        if !officer.is_responsible_for(within) {
            return Err(Error::NotFound { kind: "division", name: body.division.clone() }.into());
        }
        let agencies = self.agencies.require().map_err(Error::from)?;
        let (points, schools, subjects) = (self.points.clone(), self.schools.clone(), self.subjects.clone());
        let (send, chunks) = mpsc::channel(WAITING);
        self.lifecycle.spawn("directory export", OnDeath::IsItsEnd, async move {
            let (points, schools, subjects) = (&points, &schools, &subjects);
            let export = Export { agencies: &agencies, points, schools, subjects, within };
            if let Err(error) = export.write(table, &mut Outbox(send.clone())).await {
                // Nobody may be listening any more.
                let _ = send.send(Err(Error::View(error).into())).await;
            }
        });
        Ok(ReceiverStream::new(chunks))
    }
}

/// Sends the parts of a file as chunks.
struct Outbox(mpsc::Sender<Result<wire::ExportDirectoryResponse, Status>>);

impl Sink for Outbox {
    async fn take(&mut self, part: Vec<u8>) -> bool {
        for chunk in part.chunks(LARGEST_CHUNK) {
            let chunk = chunk.to_vec().into();
            if self.0.send(Ok(wire::ExportDirectoryResponse { chunk })).await.is_err() {
                return false;
            }
        }
        true
    }
}

fn table(field: &'static str, code: i32, violations: &mut Violations) -> Option<Table> {
    let table = match wire::DirectoryTable::try_from(code) {
        Ok(wire::DirectoryTable::Agencies) => Some(Table::Agencies),
        Ok(wire::DirectoryTable::Points) => Some(Table::Points),
        Ok(wire::DirectoryTable::Schools) => Some(Table::Schools),
        Ok(wire::DirectoryTable::Subjects) => Some(Table::Subjects),
        Ok(wire::DirectoryTable::Unspecified) | Err(_) => None,
    };
    violations.check(field, table.is_some(), "UNKNOWN_CODE", "请选择注册机构、确认点、学校或学科。");
    table
}

fn answer(progress: Progress) -> wire::ImportDirectoryResponse {
    let rejected_rows = progress.rejections.into_iter().map(|(line, wrong)| match wrong {
        Wrong::Cell(Problem { field, reason, sentence, .. }) => {
            let (field, reason, message) = (field.to_owned(), reason.to_owned(), sentence.to_owned());
            wire::RejectedDirectoryRow { line, field, reason, message }
        }
        Wrong::Refused(error) => {
            let told = Refusal::from_status(&error.into());
            wire::RejectedDirectoryRow { line, field: String::new(), reason: told.reason, message: told.sentence }
        }
    });
    wire::ImportDirectoryResponse {
        rows_read: progress.rows_read,
        added: progress.added,
        changed: progress.changed,
        unchanged: progress.unchanged,
        rejected: progress.rejected,
        rejected_rows: rejected_rows.collect(),
        done: progress.done,
    }
}
