//! `Conflicts`: officers of the issuing province see what sources contradict each other in, settle it, and merge records.

use std::collections::HashMap;

use access::Caller;
use eventbus::BusHandle;
use lifecycle::Lifecycle;
use proto::certificates::v1 as wire;
use proto::certificates::v1::conflicts_server::Conflicts;
use proto::identity::v1::Role;
use rpc::{Violations, parse_uuid};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::restrictions::LONGEST_REFERENCE;
use super::{asked, divisions, prose, published};
use crate::error::Error;
use crate::handle::Handle;
use crate::handle::settling::Decision;
use crate::store::Personal;
use crate::views::conflicts::{self, CONFLICTS};
use crate::views::register;

/// Characters of the longest reason.
const LONGEST_REASON: usize = 500;

/// Serves `Conflicts`.
pub struct ConflictsApi {
    /// Use cases.
    pub handle: Handle,
    /// The view's progress.
    pub bus: BusHandle,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Conflicts for ConflictsApi {
    async fn list_conflicts(
        &self,
        request: Request<wire::ListConflictsRequest>,
    ) -> Result<Response<wire::ListConflictsResponse>, Status> {
        let divisions = divisions(&Caller::of(&request));
        let body = request.into_inner();
        let mut violations = Violations::new();
        let size = rpc::page_size("page_size", body.page_size, &mut violations);
        let after = rpc::parse_page_position("page_token", &body.page_token, &mut violations);
        violations.into_result()?;
        // A view that is late is shown as it is: what is missing comes with the next look.
        let _ = self.bus.wait_for(CONFLICTS, body.min_position).await;
        let pool = self.handle.log().pool();
        let rows = conflicts::list(pool, &divisions, after.unwrap_or(0), size + 1).await;
        let mut rows = rows.map_err(Error::from)?;
        let next_page_token = rpc::cut_page(&mut rows, size, |row| row.position.to_be_bytes());
        Ok(Response::new(wire::ListConflictsResponse { conflicts: self.render(rows).await?, next_page_token }))
    }

    async fn settle_conflict(
        &self,
        request: Request<wire::SettleConflictRequest>,
    ) -> Result<Response<wire::SettleConflictResponse>, Status> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let body = request.get_ref();
        let id = parse_uuid("certificate_id", &body.certificate_id, &mut violations);
        let ordinal = u32::try_from(body.ordinal).ok().filter(|ordinal| *ordinal > 0);
        violations.check("ordinal", ordinal.is_some(), "NOT_AN_ORDINAL", "异常序号应为正整数。");
        let take = match body.side() {
            wire::ConflictSide::Recorded => Some(false),
            wire::ConflictSide::Contradicting => Some(true),
            wire::ConflictSide::Unspecified => None,
        };
        violations.check("side", take.is_some(), "UNKNOWN_VALUE", "请选择以哪一方的数据为准。");
        let decision = decision(&body.reason, &body.file_reference, &mut violations);
        let (Some(asked), Some(id), Some(ordinal), Some(take), true) =
            (asked, id, ordinal, take, violations.is_empty())
        else {
            return Err(violations.into());
        };
        self.within(&caller, id).await?;
        let handle = self.handle.clone();
        let settling = Box::pin(async move { handle.settle(&asked, id, ordinal, take, &decision).await });
        let position = rpc::run(&self.lifecycle, settling).await?.position;
        Ok(Response::new(wire::SettleConflictResponse { position }))
    }

    async fn merge_certificates(
        &self,
        request: Request<wire::MergeCertificatesRequest>,
    ) -> Result<Response<wire::MergeCertificatesResponse>, Status> {
        let caller = Caller::of(&request);
        let mut violations = Violations::new();
        let asked = asked(&request, &request.get_ref().request_id, &mut violations);
        let body = request.get_ref();
        let id = parse_uuid("certificate_id", &body.certificate_id, &mut violations);
        let into = parse_uuid("into_certificate_id", &body.into_certificate_id, &mut violations);
        let differ = id.is_none() || id != into;
        violations.check("into_certificate_id", differ, "SAME_CERTIFICATE", "请选择另一本证书。");
        let decision = decision(&body.reason, &body.file_reference, &mut violations);
        let (Some(asked), Some(id), Some(into), true) = (asked, id, into, violations.is_empty()) else {
            return Err(violations.into());
        };
        self.within(&caller, id).await?;
        self.within(&caller, into).await?;
        let handle = self.handle.clone();
        let merging = Box::pin(async move { handle.merge(&asked, id, into, &decision).await });
        let position = rpc::run(&self.lifecycle, merging).await?.position;
        Ok(Response::new(wire::MergeCertificatesResponse { position }))
    }
}

impl ConflictsApi {
    /// Whether the record is of a province of the caller's.
    async fn within(&self, caller: &Caller, id: Uuid) -> Result<(), Error> {
        let loaded = self.handle.load(id).await?;
        let is_theirs = loaded.is_of_province(|province| caller.holds_for_division(Role::RegisterOfficer, province));
        if is_theirs { Ok(()) } else { Err(Error::NotFound) }
    }

    /// Opens and masks both sides; what cannot be read any more is left out.
    async fn render(&self, rows: Vec<conflicts::Row>) -> Result<Vec<wire::Conflict>, Error> {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.certificate_id).collect();
        let records = register::among(self.handle.log().pool(), &ids).await?;
        let records: HashMap<Uuid, register::Row> = records.into_iter().map(|row| (row.certificate_id, row)).collect();
        let mut rendered = Vec::with_capacity(rows.len());
        for row in rows {
            let Some(record) = records.get(&row.certificate_id) else { continue };
            let (event, version) = (record.sealed_event, record.sealed_version);
            let said = self.handle.open(record.sealed_under(), &record.sealed, event, version).await?;
            let sealed_under = (row.certificate_id, row.generation);
            let against = self.handle.open(sealed_under, &row.sealed, row.sealed_event, row.sealed_version).await?;
            let (Some(said), Some(against)) = (said, against) else { continue };
            rendered.push(wire::Conflict {
                certificate_id: row.certificate_id.to_string(),
                ordinal: row.ordinal,
                find_time: Some(rpc::timestamp(row.found_at)),
                masked_number: vault::mask::certificate(&said.number),
                recorded: Some(wire::Claim {
                    source: record.source,
                    kind: record.kind,
                    subject: record.subject.clone(),
                    issuing_agency: record.issuing_agency.clone(),
                    issue_date: rpc::render_date(record.issue_date),
                    ..masked(&said)
                }),
                contradicting: Some(wire::Claim {
                    source: row.source,
                    kind: row.kind,
                    subject: row.subject,
                    issuing_agency: row.issuing_agency,
                    issue_date: rpc::render_date(row.issue_date),
                    ..masked(&against)
                }),
            });
        }
        Ok(rendered)
    }
}

fn masked(personal: &Personal) -> wire::Claim {
    wire::Claim {
        masked_holder_number: vault::mask::number(&personal.holder_number),
        masked_holder_name: vault::mask::name(&personal.holder_name),
        ..wire::Claim::default()
    }
}

/// Reason and reference of a decision.
fn decision(reason: &str, file_reference: &str, violations: &mut Violations) -> Decision {
    Decision {
        reason: prose("reason", reason, LONGEST_REASON, violations),
        file_reference: published("file_reference", file_reference, LONGEST_REFERENCE, violations),
    }
}
