//! Changes of plans, and ends of agencies and points, as they come over the wire: read the same, whether they shall be made or only looked at.

use std::ops::RangeInclusive;

use proto::scheduling::v1 as wire;
use proto::scheduling::v1::preview_change_request::Change as Asked;
use rpc::{Violations, parse_date, parse_timestamp, parse_uuid};
use time::{Date, OffsetDateTime};

use crate::domain::division::{Code, Division, Divisions};
use crate::domain::id::{AgencyId, PlanId, PointId, WindowId};
use crate::domain::plan::Assignment;
use crate::domain::text::{LONGEST_RANGE, is_plain};
use crate::domain::window::LONGEST_GRACE_MINUTES;
use crate::handle::plans::Change;

/// Characters of the longest 注意事项.
const LONGEST_NOTES: usize = 5_000;

/// A change and the plan that it is of.
pub(super) struct Wanted {
    pub(super) plan: PlanId,
    pub(super) change: Change,
}

impl Wanted {
    fn of(plan: Option<PlanId>, change: Option<Change>) -> Option<Self> {
        Some(Self { plan: plan?, change: change? })
    }
}

/// What shall be looked at.
pub(super) enum Preview {
    Plan(Wanted),
    Abolition(Abolition),
    Closing(PointId),
}

/// The end of an agency: which, by which day, and who goes on.
pub(super) struct Abolition {
    pub(super) agency: AgencyId,
    pub(super) on: Date,
    pub(super) successor: Option<AgencyId>,
}

/// Whichever it is.
pub(super) fn any(asked: Option<&Asked>, violations: &mut Violations) -> Option<Preview> {
    let wanted = match asked {
        None => {
            violations.add("change", "REQUIRED", "请选择要预览的变更。");
            None
        }
        Some(Asked::Finish(body)) => finish(body, violations),
        Some(Asked::Join(body)) => join(body, violations),
        Some(Asked::Open(body)) => open(body, violations),
        Some(Asked::Extend(body)) => extend(body, violations),
        Some(Asked::Close(body)) => close(body, violations),
        Some(Asked::Cancel(body)) => cancel(body, violations),
        Some(Asked::Assign(body)) => assign(body, violations),
        Some(Asked::Abolish(body)) => return abolish(body, violations).map(Preview::Abolition),
        Some(Asked::ClosePoint(body)) => return close_point(body, violations).map(Preview::Closing),
    };
    wanted.map(Preview::Plan)
}

pub(super) fn abolish(body: &wire::AbolishAgencyRequest, violations: &mut Violations) -> Option<Abolition> {
    let agency = agency(&body.agency_id, violations);
    let on = parse_date("effective_date", &body.effective_date, violations);
    let successor = match body.successor_agency_id.as_str() {
        "" => Some(None),
        successor => parse_uuid("successor_agency_id", successor, violations).map(|id| Some(AgencyId(id))),
    };
    Some(Abolition { agency: agency?, on: on?, successor: successor? })
}

pub(super) fn close_point(body: &wire::ClosePointRequest, violations: &mut Violations) -> Option<PointId> {
    parse_uuid("point_id", &body.point_id, violations).map(PointId)
}

pub(super) fn finish(body: &wire::FinishPlanRequest, violations: &mut Violations) -> Option<Wanted> {
    Wanted::of(plan(&body.plan_id, violations), Some(Change::Finish))
}

pub(super) fn join(body: &wire::JoinAgencyRequest, violations: &mut Violations) -> Option<Wanted> {
    let plan = plan(&body.plan_id, violations);
    let agency = agency(&body.agency_id, violations);
    let (join_in, is_open) = (body.join_in, body.is_open);
    let consistent = join_in || !is_open;
    violations.check("is_open", consistent, "NOT_JOINED", "未参加注册的机构不能开通网报。");
    let change = agency.filter(|_| consistent).map(|agency| Change::Join { agency, join_in, is_open });
    Wanted::of(plan, change)
}

pub(super) fn open(body: &wire::OpenWindowRequest, violations: &mut Violations) -> Option<Wanted> {
    let plan = plan(&body.plan_id, violations);
    let agency = agency(&body.agency_id, violations);
    let times = span(("begin_time", body.begin_time), ("end_time", body.end_time), violations);
    let grace_minutes = u32::try_from(body.grace_minutes).ok().filter(|minutes| *minutes <= LONGEST_GRACE_MINUTES);
    violations.check("grace_minutes", grace_minutes.is_some(), "OUT_OF_RANGE", "宽限时间应为0至120分钟。");
    let (begin, end) = times?;
    Wanted::of(plan, Some(Change::Open { agency: agency?, begin, end, grace_minutes: grace_minutes? }))
}

pub(super) fn extend(body: &wire::ExtendWindowRequest, violations: &mut Violations) -> Option<Wanted> {
    let plan = plan(&body.plan_id, violations);
    let window = window(&body.window_id, violations);
    let end = parse_timestamp("end_time", body.end_time.as_ref(), violations);
    Wanted::of(plan, Some(Change::Extend { window: window?, end: end? }))
}

pub(super) fn close(body: &wire::CloseWindowRequest, violations: &mut Violations) -> Option<Wanted> {
    let plan = plan(&body.plan_id, violations);
    let window = window(&body.window_id, violations);
    let end = parse_timestamp("end_time", body.end_time.as_ref(), violations);
    Wanted::of(plan, Some(Change::Close { window: window?, end: end? }))
}

pub(super) fn cancel(body: &wire::CancelWindowRequest, violations: &mut Violations) -> Option<Wanted> {
    let plan = plan(&body.plan_id, violations);
    Wanted::of(plan, window(&body.window_id, violations).map(|window| Change::Cancel { window }))
}

pub(super) fn assign(body: &wire::AssignPointRequest, violations: &mut Violations) -> Option<Wanted> {
    let plan = plan(&body.plan_id, violations);
    let assignment = assignment(body.assignment.clone().unwrap_or_default(), violations);
    Wanted::of(plan, assignment.map(Change::Assign))
}

fn plan(text: &str, violations: &mut Violations) -> Option<PlanId> {
    parse_uuid("plan_id", text, violations).map(PlanId)
}

fn agency(text: &str, violations: &mut Violations) -> Option<AgencyId> {
    parse_uuid("agency_id", text, violations).map(AgencyId)
}

fn window(text: &str, violations: &mut Violations) -> Option<WindowId> {
    parse_uuid("window_id", text, violations).map(WindowId)
}

pub(super) fn province(digits: &str, violations: &mut Violations) -> Option<Code> {
    let province = Divisions::national().find(digits).filter(|division| division.digits.len() == 2);
    violations.check("province", province.is_some(), "UNKNOWN_DIVISION", "请填写两位省级行政区划代码。");
    province.map(Division::code)
}

/// A text in one line.
pub(super) fn text(
    field: &'static str,
    text: &str,
    length: RangeInclusive<usize>,
    violations: &mut Violations,
) -> Option<String> {
    fitting(field, text, length, !text.trim().contains(char::is_control), violations)
}

/// A text in one line or in several.
pub(super) fn lines(
    field: &'static str,
    text: &str,
    length: RangeInclusive<usize>,
    violations: &mut Violations,
) -> Option<String> {
    fitting(field, text, length, is_plain(text.trim()), violations)
}

/// What PostgreSQL does not keep, and nobody reads, is in no text.
pub(super) const NOT_PLAIN: (&str, &str) = ("NOT_PLAIN_TEXT", "不能含有控制字符，请删除后再试。");

fn fitting(
    field: &'static str,
    text: &str,
    length: RangeInclusive<usize>,
    is_plain: bool,
    violations: &mut Violations,
) -> Option<String> {
    let text = text.trim();
    let sentence = || format!("应为{}至{}个字。", length.start(), length.end());
    let fits = length.contains(&text.chars().count());
    violations.check(field, fits, "WRONG_LENGTH", sentence());
    violations.check(field, is_plain, NOT_PLAIN.0, NOT_PLAIN.1);
    (fits && is_plain).then(|| text.to_owned())
}

type Instant = (&'static str, Option<prost_types::Timestamp>);

fn span(begin: Instant, end: Instant, violations: &mut Violations) -> Option<(OffsetDateTime, OffsetDateTime)> {
    let first = parse_timestamp(begin.0, begin.1.as_ref(), violations);
    let last = parse_timestamp(end.0, end.1.as_ref(), violations);
    let (first, last) = (first?, last?);
    violations.check(end.0, first < last, "NOT_AFTER_BEGIN", "截止时间应晚于开始时间。");
    (first < last).then_some((first, last))
}

fn assignment(asked: wire::PointAssignment, violations: &mut Violations) -> Option<Assignment> {
    let wire::PointAssignment { point_id, confirm_begin_time, confirm_end_time, range, notes } = asked;
    let point = parse_uuid("assignment.point_id", &point_id, violations);
    let begin = ("assignment.confirm_begin_time", confirm_begin_time);
    let end = ("assignment.confirm_end_time", confirm_end_time);
    let times = span(begin, end, violations);
    let range = lines("assignment.range", &range, 0..=LONGEST_RANGE, violations);
    let notes = lines("assignment.notes", &notes, 0..=LONGEST_NOTES, violations);
    let (confirm_begin, confirm_end) = times?;
    Some(Assignment { point: PointId(point?), confirm_begin, confirm_end, range: range?, notes: notes? })
}
