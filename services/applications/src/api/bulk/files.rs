//! Files of schools and reviewers: taken whole, then answered row by row; and the work list to be filled in.

use std::collections::HashSet;

use access::Caller;
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use lifecycle::OnDeath;
use proto::applications::v1::import_conclusions_request::Part as ConclusionsPart;
use proto::applications::v1::import_facts_request::Part as FactsPart;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use records::LARGEST_CHUNK;
use tokio::sync::mpsc;
use tonic::{Request, Status, Streaming};
use uuid::Uuid;
use workbook::Broken;

use super::{Answers, BulkApi, Call, decoded, encoded};
use crate::api::request::{Parsing, viewer};
use crate::api::status::reached;
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::values::Status as State;
use crate::error::Error;
use crate::handle::{AT_ONCE, Asked, FactsDue, Judged, Key, MOST_ITEMS, Wanted};
use crate::sheet::{self, NUMBER, Problem, Rows, Sheet, conclusions, facts, work_list};
use crate::views::applications::{APPLICATIONS, Filter};
use crate::wire as values;

/// Chunks of a file that wait at most.
const WAITING: usize = 16;

/// A row that can be taken, with its application, or all that is wrong with it.
type Found<R> = (i64, Option<EnrolmentNumber>, Result<(Key, R), Vec<wire::RowProblem>>);

/// A message of an upload.
trait UploadPart: Send + 'static {
    fn options(self) -> Option<wire::FileOptions>;
    fn chunk(self) -> Option<Bytes>;
}

impl UploadPart for wire::ImportFactsRequest {
    fn options(self) -> Option<wire::FileOptions> {
        if let Some(FactsPart::Options(options)) = self.part { Some(options) } else { None }
    }

    fn chunk(self) -> Option<Bytes> {
        if let Some(FactsPart::Chunk(chunk)) = self.part { Some(chunk) } else { None }
    }
}

impl UploadPart for wire::ImportConclusionsRequest {
    fn options(self) -> Option<wire::FileOptions> {
        if let Some(ConclusionsPart::Options(options)) = self.part { Some(options) } else { None }
    }

    fn chunk(self) -> Option<Bytes> {
        if let Some(ConclusionsPart::Chunk(chunk)) = self.part { Some(chunk) } else { None }
    }
}

impl BulkApi {
    pub(super) async fn facts(
        &self,
        request: Request<Streaming<wire::ImportFactsRequest>>,
    ) -> Result<Answers<wire::ImportFactsResponse>, Status> {
        let metadata = request.metadata().clone();
        let (call, sheet) = self.upload(request, &[Role::Liaison, Role::Clerk, Role::Reviewer]).await?;
        let rows = facts::rows(sheet).map_err(Error::File)?;
        let found = self.find(&call, rows, |row| row.number).await?;
        let api = self.clone();
        let answers = stream::iter(found).map(move |(line, number, row)| {
            let (api, call) = (api.clone(), call.clone());
            async move {
                let recorded = match row {
                    Ok((key, row)) => api.record(call, key, row).await.map_err(problems),
                    Err(problems) => Err(problems),
                };
                let (outcome, problems) = either(recorded);
                Ok(wire::ImportFactsResponse { line, enrolment_number: render(number), outcome, problems })
            }
        });
        Ok(rpc::within_deadline(&metadata, answers.buffered(AT_ONCE)).boxed())
    }

    pub(super) async fn conclusions(
        &self,
        request: Request<Streaming<wire::ImportConclusionsRequest>>,
    ) -> Result<Answers<wire::ImportConclusionsResponse>, Status> {
        let metadata = request.metadata().clone();
        let (call, sheet) = self.upload(request, &[Role::Reviewer]).await?;
        let rows = conclusions::rows(sheet).map_err(Error::File)?;
        let found = self.find(&call, rows, |row| row.number).await?;
        let api = self.clone();
        let answers = stream::iter(found).map(move |(line, number, row)| {
            let (api, call) = (api.clone(), call.clone());
            async move {
                let (proposal, concluded) = match row {
                    Ok((key, row)) => api.conclude(call, key, row).await,
                    Err(problems) => (None, Err(problems)),
                };
                let (outcome, problems) = either(concluded);
                let enrolment_number = render(number);
                Ok(wire::ImportConclusionsResponse { line, enrolment_number, proposal, outcome, problems })
            }
        });
        Ok(rpc::within_deadline(&metadata, answers.buffered(AT_ONCE)).boxed())
    }

    pub(super) async fn work_list(
        &self,
        request: Request<wire::ExportFactsRequest>,
    ) -> Result<Answers<wire::ExportFactsResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let filter = Filter {
            statuses: vec![State::Pending],
            point: parsing.optional_id("point_id", &message.point_id),
            school: parsing.optional_id("school_id", &message.school_id),
            ..Filter::default()
        };
        let before = rpc::parse_page_position("page_token", &message.page_token, parsing.violations());
        parsing.done()?;
        reached(&self.bus, APPLICATIONS, message.min_position).await?;
        let selection = self.handle.selection(&viewer, filter)?;
        let mut rows = self.handle.list(&selection, before, MOST_ITEMS + 1).await?;
        let next_page_token = rpc::cut_page(&mut rows, MOST_ITEMS, |row| row.position.to_be_bytes());
        let due = stream::iter(rows).map(|row| {
            let handle = self.handle.clone();
            async move { handle.due(&row).await }
        });
        let due: Vec<Option<FactsDue>> = due.buffered(AT_ONCE).try_collect().await?;
        let wanted = due.into_iter().flatten().filter(|due| !message.only_missing || !due.missing.is_empty());
        let wanted: Vec<FactsDue> = wanted.collect();
        let file = work_list::write(&wanted).map_err(|error| Error::Sheet(Box::new(error)))?;
        let mut parts: Vec<_> =
            parts(&file).map(|text| wire::ExportFactsResponse { text, ..Default::default() }).collect();
        if let Some(last) = parts.last_mut() {
            last.next_page_token = next_page_token;
        }
        Ok(stream::iter(parts.into_iter().map(Ok)).boxed())
    }

    /// Options and the whole file.
    async fn upload<P: UploadPart>(
        &self,
        request: Request<Streaming<P>>,
        roles: &[Role],
    ) -> Result<(Call, Sheet), Status> {
        let call = Call::of(&request, roles, Uuid::nil(), false)?;
        let mut parts = request.into_inner();
        let mut parsing = Parsing::default();
        let options = parts.message().await?.and_then(P::options);
        parsing.violations().check("options", options.is_some(), "REQUIRED", "第一条消息应为导入选项。");
        let options = options.unwrap_or_default();
        let request_id = parsing.id("options.request_id", &options.request_id);
        parsing.done()?;
        let (send, chunks) = mpsc::channel(WAITING);
        let chunks = self.workbooks.as_csv(chunks, WAITING);
        let parts = parts.map(|part| part.ok().and_then(P::chunk));
        self.lifecycle.spawn("file upload", OnDeath::IsItsEnd, records::receive(parts, send, Broken::Upload));
        let reading = tokio::task::spawn_blocking(move || sheet::read(chunks)).await;
        let sheet = reading.map_err(|error| Error::Sheet(Box::new(error)))?.map_err(Error::File)?;
        Ok((Call { request_id, dry_run: options.dry_run, ..call }, sheet))
    }

    /// The applications of the rows, as far as they are in the caller's scope, each once.
    async fn find<R>(
        &self,
        call: &Call,
        rows: Rows<R>,
        number: impl Fn(&R) -> EnrolmentNumber,
    ) -> Result<Vec<Found<R>>, Status> {
        let head = *self.handle.log().head().borrow();
        reached(&self.bus, APPLICATIONS, head).await?;
        let numbers: Vec<_> = rows.iter().filter_map(|(_, row)| row.as_ref().ok()).map(&number).collect();
        let known = self.handle.find(&call.officer, &numbers).await?;
        let mut seen = HashSet::with_capacity(numbers.len());
        let found = rows.into_iter().map(|(line, row)| {
            let row = match row {
                Ok(row) => row,
                Err(problems) => return (line, None, Err(problems.into_iter().map(cell_problem).collect())),
            };
            let number = number(&row);
            let found = match known.get(&number) {
                _ if !seen.insert(number) => Err(vec![cell_problem(Problem {
                    column: NUMBER.into(),
                    reason: "GIVEN_TWICE",
                    sentence: "该报名号在文件中重复出现，只处理第一行，请删去重复的行。",
                })]),
                None => Err(problems(Error::NotFound { kind: "application" })),
                Some(certificate) => Ok((Key { certificate: *certificate, number }, row)),
            };
            (line, Some(number), found)
        });
        Ok(found.collect())
    }

    async fn record(&self, call: Call, key: Key, row: facts::Row) -> Result<wire::Outcome, Error> {
        let handle = self.handle.clone();
        let request_id = Uuid::new_v5(&call.request_id, format!("facts/{}/{}", key.certificate, key.number).as_bytes());
        let asked = Asked { actor: call.actor, request_id, fingerprint: row_fingerprint(&row) };
        let body = async move {
            let (given, note) = (&row.given, row.note.as_deref());
            handle.record_given(&asked, &call.officer, key, given, note, call.dry_run, encoded).await
        };
        decoded(&rpc::run(&self.lifecycle, body).await?)
    }

    async fn conclude(
        &self,
        call: Call,
        key: Key,
        row: conclusions::Row,
    ) -> (Option<wire::Assessment>, Result<wire::Outcome, Vec<wire::RowProblem>>) {
        let handle = self.handle.clone();
        let wanted = Wanted::Conclude(row.conclusion, row.reason);
        let asked = call.asked(key, &wanted);
        let body = async move { handle.judge(&asked, &call.officer, key, &wanted, call.dry_run, encoded).await };
        let Judged { proposal, answer } = rpc::run(&self.lifecycle, body).await;
        let outcome = answer.and_then(|answer| decoded(&answer)).map_err(problems);
        (proposal.as_ref().map(values::assessment), outcome)
    }
}

/// The text in parts that messages have room for.
fn parts(text: &str) -> impl Iterator<Item = String> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at(rest.floor_char_boundary(LARGEST_CHUNK));
        rest = after;
        (!part.is_empty()).then(|| part.to_owned())
    })
}

fn render(number: Option<EnrolmentNumber>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

fn either(done: Result<wire::Outcome, Vec<wire::RowProblem>>) -> (Option<wire::Outcome>, Vec<wire::RowProblem>) {
    match done {
        Ok(outcome) => (Some(outcome), Vec::new()),
        Err(problems) => (None, problems),
    }
}

fn cell_problem(problem: Problem) -> wire::RowProblem {
    let Problem { column, reason, sentence } = problem;
    wire::RowProblem { column: column.into_owned(), reason: reason.to_owned(), message: sentence.to_owned() }
}

/// What is wrong with a row as a whole.
fn problems(error: Error) -> Vec<wire::RowProblem> {
    if let Error::Invalid(violations) = error {
        let of_field = |violation: rpc::Violation| wire::RowProblem {
            column: String::new(),
            reason: violation.reason.into_owned(),
            message: violation.sentence.into_owned(),
        };
        return violations.into_iter().map(of_field).collect();
    }
    let wire::ItemRefusal { reason, message } = super::refusal(error);
    vec![wire::RowProblem { column: String::new(), reason, message }]
}

/// What tells a row from another one of the same application.
fn row_fingerprint(row: &facts::Row) -> [u8; 32] {
    let text = format!("{row:?}").into_bytes();
    rpc::fingerprint(&wire::ImportFactsRequest { part: Some(FactsPart::Chunk(text.into())) })
}
