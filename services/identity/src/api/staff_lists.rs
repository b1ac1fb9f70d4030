//! `StaffLists`: a list of staff as a file, row by row with a report, and the end of all roles of a unit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use access::Caller;
use eventbus::BusHandle;
use futures::{Stream, StreamExt as _};
use lifecycle::OnDeath;
use proto::identity::v1::import_staff_request::Part;
use proto::identity::v1::staff_lists_server;
use proto::identity::v1::{
    EndRolesOfUnitRequest, EndRolesOfUnitResponse, ImportStaffRequest, ImportStaffResponse, RejectedStaffRow,
};
use rpc::{Refusal, Violation, Violations};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::staff::divisions;
use super::{convert, status};
use crate::domain::document::DocumentType;
use crate::domain::document_table::DocumentTypes;
use crate::domain::role::Role;
use crate::error::Error;
use crate::handle::{Handle, Listed, Run, Taken, today};
use crate::staff_list::{self, COLUMNS, FileFlaw, LARGEST_FILE, Row};
use crate::views::grants;

/// Bytes of the largest chunk.
const LARGEST_CHUNK: usize = 64 * 1024;
/// Files in memory at once.
const AT_ONCE: usize = 4;
/// How long a file may take to come: one that is stalled gives its place to the next one.
const LONGEST_UPLOAD: Duration = Duration::from_secs(300);
/// When the next one may be tried.
const RETRY: Duration = Duration::from_secs(10);
/// Rows between two reports, and reports that wait.
const REPORT_EVERY: usize = 50;
const WAITING: usize = 4;

/// The RPC service.
#[derive(Clone)]
pub struct StaffLists {
    handle: Handle,
    bus: BusHandle,
    places: Arc<Semaphore>,
}

type Report = Result<ImportStaffResponse, Status>;

impl StaffLists {
    /// Over the use cases; `bus` knows how far the view has come.
    pub fn new(handle: Handle, bus: BusHandle) -> Self {
        Self { handle, bus, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

#[tonic::async_trait]
impl staff_lists_server::StaffLists for StaffLists {
    type ImportStaffStream = ReceiverStream<Report>;

    async fn import_staff(
        &self,
        request: Request<Streaming<ImportStaffRequest>>,
    ) -> Result<Response<ReceiverStream<Report>>, Status> {
        let caller = Caller::of(&request);
        let mut parts = request.into_inner();
        let Some(Part::Options(options)) = parts.message().await?.and_then(|first| first.part) else {
            let mut violations = Violations::new();
            violations.add("options", "REQUIRED", "第一条消息应为导入选项。");
            return Err(violations.into());
        };
        let mut run = run(&caller, "options.request_id", &options.request_id)?;
        run.dry = options.dry_run.then(HashMap::new);
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refusal::overloaded(RETRY))?;
        let (report, reports) = mpsc::channel(WAITING);
        let import = Import { handle: self.handle.clone(), run, told: ImportStaffResponse::default(), report, place };
        self.handle.lifecycle.spawn("staff import", OnDeath::IsItsEnd, import.take(parts));
        Ok(Response::new(ReceiverStream::new(reports)))
    }

    async fn end_roles_of_unit(
        &self,
        request: Request<EndRolesOfUnitRequest>,
    ) -> Result<Response<EndRolesOfUnitResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let mut violations = Violations::new();
        let run = run(&caller, "request_id", &request.request_id).map_err(|wrong| violations.extend(wrong));
        let unit = rpc::parse_uuid("unit_id", &request.unit_id, &mut violations);
        let (Ok(run), Some(unit)) = (run, unit) else { return Err(violations.into()) };
        // So that no role of before this call is left out, whichever replica granted it.
        let newest = self.handle.log.newest().await.map_err(Error::from)?;
        self.bus.wait_for(grants::NAME, newest).await.map_err(|_| Error::ViewBehind)?;
        let handle = self.handle.clone();
        let ending = async move { handle.end_roles_of_unit(&run, unit).await };
        let ended = rpc::run(&self.handle.lifecycle, ending).await?;
        Ok(Response::new(EndRolesOfUnitResponse { ended: ended.count, position: ended.position }))
    }
}

/// A run of whoever calls.
fn run(caller: &Caller, field: &'static str, request_id: &str) -> Result<Run, Violations> {
    let mut violations = Violations::new();
    let id = rpc::parse_uuid(field, request_id, &mut violations);
    let administrator = caller.person.as_ref().map(|person| person.id).unwrap_or_default();
    let divisions = divisions(caller, &[proto::identity::v1::Role::SecurityAdmin]);
    let run = id.map(|id| Run { id, actor: caller.actor(), administrator, divisions, dry: None });
    run.ok_or(violations)
}

/// One file on its way.
struct Import {
    handle: Handle,
    run: Run,
    told: ImportStaffResponse,
    report: mpsc::Sender<Report>,
    place: OwnedSemaphorePermit,
}

impl Import {
    /// Takes the file to its end. Nobody may be listening any more: it is taken all the same.
    async fn take(mut self, parts: Streaming<ImportStaffRequest>) {
        let taken = match upload(parts).await {
            Ok(file) => self.take_file(&file).await,
            Err(status) => Err(status),
        };
        let last = taken.map(|()| ImportStaffResponse { done: true, ..std::mem::take(&mut self.told) });
        let _ = self.report.send(last).await;
        drop(self.place);
    }

    async fn take_file(&mut self, file: &[u8]) -> Result<(), Status> {
        let rows = match staff_list::read(file) {
            Ok(rows) => rows,
            Err(flaw) => {
                self.told.rejected_rows.push(of_file(flaw));
                return Ok(());
            }
        };
        for (row, count) in rows.iter().zip(1..) {
            self.take_row(row).await?;
            if count % REPORT_EVERY == 0 {
                let progress = self.told.clone();
                self.told.rejected_rows.clear();
                let _ = self.report.send(Ok(progress)).await;
            }
        }
        Ok(())
    }

    async fn take_row(&mut self, row: &Row) -> Result<(), Status> {
        self.told.rows_read += 1;
        let mut violations = Violations::new();
        let listed = parse(&self.handle.document_types, &row.cells, &mut violations);
        let (Some(listed), true) = (listed, violations.is_empty()) else {
            self.reject(violations.into_iter().map(|wrong| of_cell(row.line, wrong)));
            return Ok(());
        };
        let (field, refusal) = match self.handle.take_listed(&mut self.run, &listed).await? {
            Taken::Granted(position) => {
                self.told.granted += 1;
                self.told.position = self.told.position.max(position);
                return Ok(());
            }
            Taken::Unchanged => {
                self.told.unchanged += 1;
                return Ok(());
            }
            Taken::UnknownPerson => (COLUMNS[1], status::unknown_person()),
            Taken::Mismatch => ("", status::person_mismatch()),
            Taken::Rejected(rejection) => ("", status::rejected(rejection)),
        };
        let read = Refusal::from_status(&refusal.into());
        let (line, field) = (row.line, field.to_owned());
        self.reject([RejectedStaffRow { line, field, reason: read.reason, message: read.sentence }]);
        Ok(())
    }

    fn reject(&mut self, problems: impl IntoIterator<Item = RejectedStaffRow>) {
        self.told.rejected += 1;
        self.told.rejected_rows.extend(problems);
    }
}

/// The whole file, or why it did not come.
async fn upload(parts: impl Stream<Item = Result<ImportStaffRequest, Status>> + Unpin) -> Result<Vec<u8>, Status> {
    timeout(LONGEST_UPLOAD, joined(parts)).await.unwrap_or_else(|_| Err(broken()))
}

async fn joined(mut parts: impl Stream<Item = Result<ImportStaffRequest, Status>> + Unpin) -> Result<Vec<u8>, Status> {
    let mut file = Vec::new();
    loop {
        match parts.next().await {
            None => return Ok(file),
            Some(Ok(ImportStaffRequest { part: Some(Part::Chunk(chunk)) })) if chunk.len() <= LARGEST_CHUNK => {
                if file.len() + chunk.len() > LARGEST_FILE {
                    return Err(Refusal::rejected("FILE_TOO_LARGE", "文件不能超过4MB，请分成几个文件导入。").into());
                }
                file.extend_from_slice(&chunk);
            }
            Some(_) => return Err(broken()),
        }
    }
}

fn broken() -> Status {
    Refusal::rejected("UPLOAD_BROKEN", "文件没有完整上传，请用同一文件重新导入。").into()
}

/// A row as it is meant; every wrong cell is a violation under its column's header.
fn parse(types: &DocumentTypes, cells: &[String; 6], violations: &mut Violations) -> Option<Listed> {
    let [kind, number, name, role, division, unit] = cells;
    let mut found = Violations::new();
    let kind = document_type(types, kind, &mut found);
    let document = kind.and_then(|kind| convert::document(types, kind.code(), number, &mut found));
    let name = convert::name(name, &mut found);
    let scope = proto::identity::v1::Scope { division: division.clone(), unit_id: unit.clone() };
    let role = Role::ALL.into_iter().find(|known| status::title(*known) == role);
    let role = role.map_or(0, |role| crate::store::account_event::role_code(role).into());
    let role = convert::role_and_scope(role, Some(scope), &mut found);
    violations.extend(found);
    let (role, scope) = role?;
    Some(Listed { document: document?, name: name?, role, scope })
}

fn document_type(types: &DocumentTypes, text: &str, violations: &mut Violations) -> Option<DocumentType> {
    let kind = types.on(today()).called(text);
    violations.check(
        "document_type",
        kind.is_some(),
        "UNKNOWN_VALUE",
        "证件类型不在可用的四种之内，请按模板填写全称。",
    );
    kind
}

/// A wrong cell, under the header of its column.
fn of_cell(line: i64, wrong: Violation) -> RejectedStaffRow {
    let column = match &*wrong.field {
        "document_type" => COLUMNS[0],
        "number" => COLUMNS[1],
        "name" => COLUMNS[2],
        "role" => COLUMNS[3],
        "scope.division" => COLUMNS[4],
        _ => COLUMNS[5],
    };
    let (reason, message) = (wrong.reason.into_owned(), wrong.sentence.into_owned());
    RejectedStaffRow { line, field: column.to_owned(), reason, message }
}

/// What is wrong with a file as a whole.
fn of_file(flaw: FileFlaw) -> RejectedStaffRow {
    let (line, field, reason, message) = match flaw {
        FileFlaw::NotText => (0, "", "NOT_TEXT", "文件不是 UTF-8 或 GB18030 编码的 CSV，请另存为 CSV 后重试。"),
        FileFlaw::ColumnMissing(column) => (1, column, "COLUMN_MISSING", "文件缺少这一列，请按模板补齐表头后重试。"),
        FileFlaw::TooManyRows => (0, "", "TOO_MANY", "一个文件最多10000行，请分成几个文件导入。"),
    };
    RejectedStaffRow { line, field: field.to_owned(), reason: reason.to_owned(), message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_upload_that_is_stalled_gives_up_its_place_after_five_minutes() {
        let begun = tokio::time::Instant::now();
        let ended = timeout(2 * LONGEST_UPLOAD, upload(stream::pending())).await.expect("the upload ends by itself");
        assert_eq!(Refusal::from_status(&ended.unwrap_err()).reason, "UPLOAD_BROKEN");
        assert_eq!(begun.elapsed(), LONGEST_UPLOAD);
    }
}
