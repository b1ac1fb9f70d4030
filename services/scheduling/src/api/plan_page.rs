//! A plan in pages: so many agencies, and no more points than a message holds with their notes.

use std::ops::Bound::{Excluded, Included, Unbounded};

use prost::Message as _;
use proto::scheduling::v1 as wire;
use uuid::Uuid;

use crate::domain::id::{AgencyId, PointId};
use crate::domain::plan::{Plan, State};
use crate::store;

/// Bytes after which a page is full: half of what a message may have, since an agency's windows and one point may come on top.
const FULL: usize = rpc::MAX_ENCODE / 2;

/// What a page ends with: an agency with all its points, or one of its points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    agency: AgencyId,
    point: Option<PointId>,
}

impl Place {
    /// Reads what [`Self::write`] makes.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (agency, point) = bytes.split_at_checked(16)?;
        let point = if point.is_empty() { None } else { Some(PointId(Uuid::from_slice(point).ok()?)) };
        Some(Self { agency: AgencyId(Uuid::from_slice(agency).ok()?), point })
    }

    fn write(self) -> Vec<u8> {
        let point = self.point.map(|point| *point.0.as_bytes());
        [self.agency.0.as_bytes().as_slice(), point.as_ref().map_or(&[], |point| point.as_slice())].concat()
    }
}

/// The plan with the agencies and points after a place, and the token of the next page.
pub(super) fn render(state: &State, after: Option<Place>, size: usize) -> (Option<wire::Plan>, String) {
    let Some(plan) = state.plan() else { return (None, String::new()) };
    let (agencies, next) = page(plan, after, size);
    let rendered = wire::Plan {
        plan_id: plan.id.to_string(),
        province: plan.province.as_str()[..2].to_owned(),
        batch: plan.batch.clone(),
        finished: matches!(state, State::Finished(_)),
        agencies,
    };
    (Some(rendered), next.map(|place| rpc::page_token(&place.write())).unwrap_or_default())
}

fn page(plan: &Plan, after: Option<Place>, size: usize) -> (Vec<wire::AgencyPlan>, Option<Place>) {
    let (mut agencies, mut bytes, mut last) = (Vec::new(), 0, after);
    let from = after.map_or(Unbounded, |Place { agency, point }| match point {
        Some(_) => Included(agency),
        None => Excluded(agency),
    });
    for (id, joined) in plan.agencies.range((from, Unbounded)) {
        if agencies.len() == size || bytes >= FULL {
            return (agencies, last);
        }
        let shown = after.filter(|place| place.agency == *id).and_then(|place| place.point);
        let mut agency = wire::AgencyPlan {
            agency_id: id.to_string(),
            join_in: joined.join_in,
            is_open: joined.is_open,
            windows: joined.windows.iter().map(store::window).collect(),
            points: Vec::new(),
        };
        bytes += agency.encoded_len();
        for (point, assignment) in joined.points.range((shown.map_or(Unbounded, Excluded), Unbounded)) {
            if bytes >= FULL && !agency.points.is_empty() {
                agencies.push(agency);
                return (agencies, last);
            }
            let assignment = store::assignment(assignment);
            bytes += assignment.encoded_len();
            agency.points.push(assignment);
            last = Some(Place { agency: *id, point: Some(*point) });
        }
        agencies.push(agency);
        last = Some(Place { agency: *id, point: None });
    }
    (agencies, None)
}
