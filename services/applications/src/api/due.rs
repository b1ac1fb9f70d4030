//! `DueDates`: which certificates fall due, and how many.

use access::Caller;
use eventbus::BusHandle;
use proto::applications::v1 as wire;
use proto::applications::v1::due_dates_server::DueDates;
use time::Date;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::render::int;
use super::request::{Parsing, viewer};
use super::status::reached;
use crate::domain::registration::DueState;
use crate::handle::{DueCertificate, Handle};
use crate::views::applications::{APPLICATIONS, Scope};
use crate::views::due::{DueFilter, DueGroup};

/// The service.
#[derive(Clone)]
pub struct DueDatesApi {
    /// Use cases.
    pub handle: Handle,
    /// Waits for views.
    pub bus: BusHandle,
}

#[tonic::async_trait]
impl DueDates for DueDatesApi {
    async fn list_due_certificates(
        &self,
        request: Request<wire::ListDueCertificatesRequest>,
    ) -> Result<Response<wire::ListDueCertificatesResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = message.filter.unwrap_or_default();
        let filter = parsing.due_filter(&asked);
        let size = rpc::page_size("page_size", message.page_size, parsing.violations());
        let after = rpc::parse_page_place("page_token", &message.page_token, parsing.violations(), |place| {
            read_place(&asked, place)
        });
        parsing.done()?;
        reached(&self.bus, APPLICATIONS, message.min_position).await?;
        let selection = self.handle.due_selection(&viewer, filter, message.own)?;
        // Nobody has many of their own; those never registered have no day to go on from.
        let own = matches!(selection.scope, Scope::Own(_));
        let size = if own { rpc::MAX_PAGE_SIZE } else { size };
        let mut listed = self.handle.list_due(&selection, after, size + usize::from(!own)).await?;
        let next_page_token = rpc::cut_page(&mut listed, size, |last| place(&asked, last));
        let certificates = listed.iter().map(certificate).collect();
        Ok(Response::new(wire::ListDueCertificatesResponse { certificates, next_page_token }))
    }

    async fn count_due(
        &self,
        request: Request<wire::CountDueRequest>,
    ) -> Result<Response<wire::CountDueResponse>, Status> {
        let viewer = viewer(&Caller::of(&request))?;
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let filter = parsing.due_filter(&message.filter.unwrap_or_default());
        parsing.done()?;
        reached(&self.bus, APPLICATIONS, message.min_position).await?;
        let selection = self.handle.due_selection(&viewer, filter, false)?;
        let groups = self.handle.count_due(&selection).await?;
        let total = groups.iter().map(|group| group.count).sum();
        Ok(Response::new(wire::CountDueResponse { total, counts: groups.iter().map(count).collect() }))
    }
}

impl Parsing {
    fn due_filter(&mut self, asked: &wire::DueFilter) -> DueFilter {
        let mut day = |field, text: &str| {
            if text.is_empty() { None } else { rpc::parse_date(field, text, self.violations()) }
        };
        let expiry_from = day("filter.expiry_from_date", &asked.expiry_from_date);
        let expiry_before = day("filter.expiry_before_date", &asked.expiry_before_date);
        DueFilter {
            agency: self.optional_id("filter.agency_id", &asked.agency_id),
            without_below: asked.without_below,
            point: self.optional_id("filter.point_id", &asked.point_id),
            school: self.optional_id("filter.school_id", &asked.school_id),
            expiry_from,
            expiry_before,
            without_application: asked.without_application,
        }
    }
}

/// Day, certificate, and what the filter was.
fn place(asked: &wire::DueFilter, last: &DueCertificate) -> Vec<u8> {
    let day = last.due.qualified.map_or(0, |(on, _)| on.to_julian_day());
    let mut place = day.to_be_bytes().to_vec();
    place.extend_from_slice(last.row.certificate.as_bytes());
    place.extend_from_slice(&digest(asked));
    place
}

fn read_place(asked: &wire::DueFilter, place: &[u8]) -> Option<(Date, Uuid)> {
    let (day, rest) = place.split_first_chunk()?;
    let (certificate, of) = rest.split_first_chunk()?;
    let day = Date::from_julian_day(i32::from_be_bytes(*day)).ok()?;
    (of == digest(asked)).then(|| (day, Uuid::from_bytes(*certificate)))
}

fn digest(asked: &wire::DueFilter) -> [u8; 8] {
    let digest = rpc::fingerprint(asked);
    std::array::from_fn(|place| digest[place])
}

fn certificate(certificate: &DueCertificate) -> wire::DueCertificate {
    let DueCertificate { row, due, state } = certificate;
    let day = |day: Option<Date>| day.map(rpc::render_date).unwrap_or_default();
    let newest = row.held.newest.as_ref();
    let unit = |unit: Option<Uuid>| unit.map(|unit| unit.to_string()).unwrap_or_default();
    wire::DueCertificate {
        certificate_id: row.certificate.to_string(),
        state: render(*state).into(),
        ordinal: int(due.ordinal),
        qualified_date: day(due.qualified.map(|(on, _)| on)),
        earliest_date: day(due.earliest),
        advice_from_date: day(due.advised_from()),
        expiry_date: day(due.qualified.map(|(_, expiry)| expiry)),
        last_application: newest.map(|newest| wire::ApplicationKey {
            certificate_id: row.certificate.to_string(),
            enrolment_number: newest.number.to_string(),
        }),
        agency_id: unit(newest.map(|newest| newest.agency)),
        point_id: unit(newest.map(|newest| newest.point)),
        school_id: unit(newest.map(|newest| newest.school)),
        application_open: row.applied,
    }
}

fn render(state: DueState) -> wire::DueState {
    match state {
        DueState::First => wire::DueState::First,
        DueState::NotYet => wire::DueState::NotYet,
        DueState::MayApply => wire::DueState::MayApply,
        DueState::Advised => wire::DueState::Advised,
        DueState::Overdue => wire::DueState::Overdue,
    }
}

fn count(group: &DueGroup) -> wire::DueCount {
    let DueGroup { agency, year, half, count, overdue, applied } = *group;
    wire::DueCount { agency_id: agency.to_string(), year, half, count, overdue, applied }
}
