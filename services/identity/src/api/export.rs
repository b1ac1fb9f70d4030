//! `Export`: what identity holds of its caller, as JSON.

use access::Caller;
use audit::Record;
use proto::identity::v1::export_server;
use proto::identity::v1::{ExportMyDataRequest, ExportMyDataResponse, PhoneFixOutcome};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::domain::access::Access;
use crate::domain::account::Event;
use crate::domain::session::Entry;
use crate::handle::{Details, Handle, History};
use crate::store::access_records::field_code;
use crate::store::account_event;
use crate::store::sessions::Kept;

/// Records of a kind in an export at most: with them the whole stays below what an answer holds.
const MOST: usize = 4_000;

/// The RPC service.
#[derive(Debug, Clone)]
pub struct Export {
    /// The use cases.
    pub handle: Handle,
}

#[tonic::async_trait]
impl export_server::Export for Export {
    async fn export_my_data(
        &self,
        request: Request<ExportMyDataRequest>,
    ) -> Result<Response<ExportMyDataResponse>, Status> {
        let person = Caller::of(&request).signed_in()?.id;
        let (details, history) = (self.handle.details(person).await?, self.handle.history(person).await?);
        let sessions: Vec<Value> = self.handle.sessions_of(person).await?.iter().map(session).collect();
        let mut accesses = self.handle.accesses(person, None, MOST + 1).await?;
        let mut calls = self.handle.calls_of(person, MOST + 1).await?;
        let truncated = json!({
            "access_log": cut(&mut accesses, |(_, seen)| seen.at), "calls": cut(&mut calls, |record| record.at),
        });
        let accesses: Vec<Value> = accesses.iter().map(|(_, seen)| access(seen)).collect();
        let calls: Vec<Value> = calls.iter().map(call).collect();
        let wechat = self.handle.wechat_of(person).await?;
        let wechat = wechat.map(|(openid, since)| json!({ "openid": openid.as_str(), "bound": time(since) }));
        let all = json!({
            "profile": profile(&details), "roles": roles(&history), "name_checks": name_checks(&history),
            "phone_requests": phone_requests(&history), "wechat": wechat, "sessions": sessions, "access_log": accesses,
            "calls": calls, "truncated": truncated,
        });
        Ok(Response::new(ExportMyDataResponse { json: all.to_string() }))
    }
}

fn profile(details: &Details) -> Value {
    let known = &details.personal;
    json!({
        "person_id": details.person.to_string(),
        "document_type": account_event::document_type(details.document_type).as_str_name(),
        "number": known.number,
        "name": known.name,
        "phone": known.phone,
        "email": known.email,
        "sex": known.sex,
        "birth_date": known.birth_date,
        "ethnicity": known.ethnicity,
        "local_id_number": known.local_id_number,
        "permit_number": known.permit_number,
        "complete": details.complete,
        "email_verified": details.email_verified,
        "name_verified": details.name_verified,
    })
}

fn roles(history: &History) -> Vec<Value> {
    let ended = |grant: Uuid| {
        let mut events = history.events.iter();
        events.find(|(_, event)| matches!(event, Event::RoleRevoked { grant_id } if *grant_id == grant))
    };
    let role = |(at, event): &(OffsetDateTime, Event)| match event {
        Event::RoleGranted(grant) => Some(json!({
            "role": account_event::role_code(grant.role).as_str_name(),
            "division": grant.scope.division.as_str(),
            "unit_id": grant.scope.unit.map(|unit| unit.to_string()),
            "granted": time(*at),
            "ended": ended(grant.id).map(|(at, _)| time(*at)),
        })),
        _ => None,
    };
    history.events.iter().filter_map(role).collect()
}

fn name_checks(history: &History) -> Vec<Value> {
    let check = |(at, event): &(OffsetDateTime, Event)| match event {
        Event::NameVerified { provider } => Some(json!({ "time": time(*at), "passed": true, "provider": provider })),
        Event::NameRefused { provider } => Some(json!({ "time": time(*at), "passed": false, "provider": provider })),
        _ => None,
    };
    history.events.iter().filter_map(check).collect()
}

fn phone_requests(history: &History) -> Vec<Value> {
    let settled = |fix: Uuid| {
        history.events.iter().find_map(|(at, event)| match event {
            Event::PhoneFixSettled { fix_id, outcome } if *fix_id == fix => Some((*at, *outcome)),
            _ => None,
        })
    };
    let request = |(at, event): &(OffsetDateTime, Event)| match event {
        Event::PhoneFixRequested(fix) => {
            let (claimed, settled) = (history.claimed.get(&fix.id), settled(fix.id));
            Some(json!({
                "time": time(*at),
                "division": fix.province.as_str(),
                "phone": claimed.map(|claimed| claimed.phone.as_str()),
                "evidence": claimed.map(|claimed| claimed.evidence.as_str()),
                "settled": settled.map(|(at, _)| time(at)),
                "outcome": settled.and_then(|(_, outcome)| PhoneFixOutcome::try_from(outcome.code()).ok()).map(|outcome| outcome.as_str_name()),
            }))
        }
        _ => None,
    };
    history.events.iter().filter_map(request).collect()
}

fn session(kept: &Kept) -> Value {
    json!({
        "session_id": kept.id.to_string(),
        "entry": match kept.entry {
            Entry::Registration => "定期注册",
            Entry::Recognition => "认定",
        },
        "started": time(kept.session.started_at),
        "last_used": time(kept.session.used_at),
        "ended": kept.ended,
    })
}

fn access(seen: &Access) -> Value {
    json!({
        "time": time(seen.at),
        "service": seen.service,
        "role": seen.role.map(|(role, _)| account_event::role_code(role).as_str_name()),
        "division": seen.role.map(|(_, division)| division.as_str().to_owned()),
        "purpose": seen.purpose,
        "fields": seen.fields.iter().map(|field| field_code(*field).as_str_name()).collect::<Vec<_>>(),
        "for_myself": seen.viewer == Some(seen.person),
    })
}

fn call(record: &Record) -> Value {
    json!({
        "time": time(record.at),
        "method": record.method,
        "session_id": record.session.map(|session| session.to_string()),
        "address": record.origin.map(|address| address.to_string()),
        "code": record.code,
        "reason": record.reason,
    })
}

/// Leaves the newest records, and tells since when nothing is missing; `None` where nothing is.
fn cut<T>(records: &mut Vec<T>, at: impl Fn(&T) -> OffsetDateTime) -> Option<String> {
    if records.len() <= MOST {
        return None;
    }
    records.truncate(MOST);
    records.last().map(|oldest| time(at(oldest)))
}

/// RFC 3339, UTC.
fn time(at: OffsetDateTime) -> String {
    rpc::timestamp(at).to_string()
}
