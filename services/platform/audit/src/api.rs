//! `Audit`: the trail, for auditors.

use std::error::Error;

use access::Caller;
use proto::identity::v1::Role;
use proto::operations::v1::audit_server::{Audit, AuditServer};
use proto::operations::v1::{AuditRecord, ListAuditRequest, ListAuditResponse};
use rpc::{Refusal, Violations};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};

use crate::{Filter, Place, Record, Trail};

/// Serves the trail of one service.
#[derive(Clone, Debug)]
pub struct Auditors {
    trail: Trail,
}

impl Auditors {
    /// The gRPC service over this trail.
    pub fn serve(trail: Trail) -> AuditServer<Self> {
        AuditServer::new(Self { trail })
    }
}

#[tonic::async_trait]
impl Audit for Auditors {
    async fn list_audit(&self, request: Request<ListAuditRequest>) -> Result<Response<ListAuditResponse>, Status> {
        let within = within(&Caller::of(&request));
        let request = request.into_inner();
        let mut violations = Violations::new();
        let mut filter = filter(&request, &mut violations);
        let size = rpc::page_size("page_size", request.page_size, &mut violations);
        let before = rpc::parse_page_place("page_token", &request.page_token, &mut violations, parse_place);
        violations.into_result()?;
        filter.within = within;
        let mut found = self.trail.list(&filter, before, size + 1).await.map_err(|error| {
            tracing::error!(error = &error as &dyn Error, "the audit trail could not be read");
            Status::from(Refusal::unavailable("database"))
        })?;
        let next_page_token = rpc::cut_page(&mut found, size, |(place, _)| render_place(*place));
        let records = found.into_iter().map(|(_, record)| render(record)).collect();
        Ok(Response::new(ListAuditResponse { records, next_page_token }))
    }
}

/// The divisions whose staff an auditor sees; `None` for everything, nobody's calls with it.
fn within(caller: &Caller) -> Option<Vec<String>> {
    let prefixes: Vec<String> = caller.holds(Role::Auditor).map(|scope| scope.prefix().to_owned()).collect();
    prefixes.iter().all(|prefix| !prefix.is_empty()).then_some(prefixes)
}

fn filter(request: &ListAuditRequest, violations: &mut Violations) -> Filter {
    let mut time =
        |field, value: Option<&_>| value.and_then(|value| rpc::parse_timestamp(field, Some(value), violations));
    let from = time("from_time", request.from_time.as_ref());
    let until = time("until_time", request.until_time.as_ref());
    let person = (!request.person_id.is_empty()).then(|| rpc::parse_uuid("person_id", &request.person_id, violations));
    let method = Some(request.method.clone()).filter(|method| !method.is_empty());
    Filter { from, until, person: person.flatten(), method, only_failures: request.only_failures, within: None }
}

/// Microseconds since 1970 and sequence, eight bytes each.
fn render_place(place: Place) -> Vec<u8> {
    let micros = i64::try_from(place.at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
    [micros.to_be_bytes(), place.sequence.to_be_bytes()].concat()
}

fn parse_place(bytes: &[u8]) -> Option<Place> {
    let (micros, sequence) = bytes.split_at_checked(8)?;
    let (micros, sequence) = (micros.try_into().ok()?, sequence.try_into().ok()?);
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(i64::from_be_bytes(micros)) * 1_000).ok()?;
    Some(Place { at, sequence: i64::from_be_bytes(sequence) })
}

fn render(record: Record) -> AuditRecord {
    let text = |value: Option<String>| value.unwrap_or_default();
    AuditRecord {
        call_time: Some(rpc::timestamp(record.at)),
        person_id: text(record.person.map(|person| person.to_string())),
        session_id: text(record.session.map(|session| session.to_string())),
        service: text(record.service),
        divisions: record.divisions.iter().map(ToString::to_string).collect(),
        method: record.method,
        origin: text(record.origin.map(|address| address.to_string())),
        code: record.code,
        reason: record.reason,
        trace_id: text(record.trace),
    }
}
