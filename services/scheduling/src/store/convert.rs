//! Values in their protobuf form and back; what was recorded is not judged again.

use prost_types::Timestamp;
use proto::scheduling::v1 as wire;
use proto::types::v1::{self as types, AgencyLevel};
use rpc::{Violations, timestamp};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::agency::Agency;
use crate::domain::division::{Code, Level};
use crate::domain::graduate_school::{self, GraduateSchool};
use crate::domain::id::{AgencyId, GraduateSchoolId, PointId, SchoolId, WindowId};
use crate::domain::name::Name;
use crate::domain::plan::Assignment;
use crate::domain::point::Point;
use crate::domain::school::{Kind, School};
use crate::domain::subject::Stage;
use crate::domain::window::Window;

pub(super) fn instant(at: Option<&Timestamp>) -> Option<OffsetDateTime> {
    let at = at?;
    OffsetDateTime::from_unix_timestamp(at.seconds).ok()?.replace_nanosecond(u32::try_from(at.nanos).ok()?).ok()
}

/// `YYYY-MM-DD` as it was recorded.
pub(super) fn day(text: &str) -> Option<Date> {
    rpc::parse_date("date", text, &mut Violations::new())
}

/// A level on the wire.
pub fn level(level: Level) -> AgencyLevel {
    match level {
        Level::County => AgencyLevel::County,
        Level::City => AgencyLevel::City,
        Level::Province => AgencyLevel::Province,
    }
}

/// A stage on the wire.
pub fn stage(stage: Stage) -> types::Stage {
    match stage {
        Stage::Kindergarten => types::Stage::Kindergarten,
        Stage::Primary => types::Stage::Primary,
        Stage::Junior => types::Stage::Junior,
        Stage::Senior => types::Stage::Senior,
        Stage::Vocational => types::Stage::Vocational,
    }
}

/// A stage from the wire; `None` when it is none.
pub fn read_stage(code: i32) -> Option<Stage> {
    Stage::ALL.into_iter().find(|known| i32::from(stage(*known)) == code)
}

pub(super) fn id(text: &str) -> Option<Uuid> {
    Uuid::parse_str(text).ok()
}

/// Empty where there is none; `Err` when it is no id.
pub(super) fn optional_id(text: &str) -> Result<Option<Uuid>, uuid::Error> {
    if text.is_empty() { Ok(None) } else { Uuid::parse_str(text).map(Some) }
}

/// An agency on the wire.
pub fn agency(agency: &Agency) -> wire::Agency {
    wire::Agency {
        agency_id: agency.id.to_string(),
        division: agency.division.to_string(),
        name: agency.name.to_string(),
        level: level(agency.level).into(),
        parent_agency_id: agency.parent.map(|parent| parent.to_string()).unwrap_or_default(),
    }
}

/// An agency as it was recorded.
pub fn read_agency(agency: Option<wire::Agency>) -> Option<Agency> {
    let agency = agency?;
    let level = match AgencyLevel::try_from(agency.level).ok()? {
        AgencyLevel::County => Level::County,
        AgencyLevel::City => Level::City,
        AgencyLevel::Province => Level::Province,
        AgencyLevel::Centre | AgencyLevel::Unspecified => return None,
    };
    Some(Agency {
        id: AgencyId(id(&agency.agency_id)?),
        division: Code::parse(&agency.division)?,
        name: Name::recorded(agency.name),
        level,
        parent: optional_id(&agency.parent_agency_id).ok()?.map(AgencyId),
    })
}

/// A point on the wire.
pub fn point(point: &Point) -> wire::Point {
    wire::Point {
        point_id: point.id.to_string(),
        agency_id: point.agency.to_string(),
        name: point.name.to_string(),
        division: point.division.to_string(),
        school_id: point.school.map(|school| school.to_string()).unwrap_or_default(),
        range: point.range.clone(),
    }
}

/// A point as it was recorded.
pub fn read_point(point: Option<wire::Point>) -> Option<Point> {
    let point = point?;
    Some(Point {
        id: PointId(id(&point.point_id)?),
        agency: AgencyId(id(&point.agency_id)?),
        name: Name::recorded(point.name),
        division: Code::parse(&point.division)?,
        school: optional_id(&point.school_id).ok()?.map(SchoolId),
        range: point.range,
    })
}

/// A school on the wire.
pub fn school(school: &School) -> wire::School {
    wire::School {
        school_id: school.id.to_string(),
        name: school.name.to_string(),
        division: school.division.to_string(),
        agency_id: school.agency.to_string(),
        kind: school.kind.as_str().to_owned(),
    }
}

/// A school as it was recorded.
pub fn read_school(school: Option<wire::School>) -> Option<School> {
    let school = school?;
    Some(School {
        id: SchoolId(id(&school.school_id)?),
        name: Name::recorded(school.name),
        division: Code::parse(&school.division)?,
        agency: AgencyId(id(&school.agency_id)?),
        kind: Kind::recorded(school.kind),
    })
}

/// A graduate school on the wire.
pub fn graduate_school(school: &GraduateSchool) -> wire::GraduateSchool {
    wire::GraduateSchool {
        school_id: school.id.to_string(),
        name: school.name.to_string(),
        province: school.province.map(|province| province.as_str()[..2].to_owned()).unwrap_or_default(),
        kind: school.kind.as_str().to_owned(),
    }
}

/// A graduate school as it was recorded.
pub(super) fn read_graduate_school(school: Option<wire::GraduateSchool>) -> Option<GraduateSchool> {
    let school = school?;
    let province = match school.province.as_str() {
        "" => None,
        province => Some(Code::parse(province)?),
    };
    Some(GraduateSchool {
        id: GraduateSchoolId(id(&school.school_id)?),
        name: Name::recorded(school.name),
        province,
        kind: graduate_school::Kind::recorded(school.kind),
    })
}

/// A window on the wire.
pub fn window(window: &Window) -> wire::Window {
    wire::Window {
        window_id: window.id.to_string(),
        begin_time: Some(timestamp(window.begin)),
        end_time: Some(timestamp(window.end)),
        grace_minutes: window.grace_minutes.cast_signed(),
        revision: window.revision.cast_signed(),
    }
}

pub(super) fn read_window(window: Option<wire::Window>) -> Option<Window> {
    let window = window?;
    Some(Window {
        id: WindowId(id(&window.window_id)?),
        begin: instant(window.begin_time.as_ref())?,
        end: instant(window.end_time.as_ref())?,
        grace_minutes: u32::try_from(window.grace_minutes).ok()?,
        revision: u32::try_from(window.revision).ok()?,
    })
}

/// An assignment on the wire.
pub fn assignment(assignment: &Assignment) -> wire::PointAssignment {
    wire::PointAssignment {
        point_id: assignment.point.to_string(),
        confirm_begin_time: Some(timestamp(assignment.confirm_begin)),
        confirm_end_time: Some(timestamp(assignment.confirm_end)),
        range: assignment.range.clone(),
        notes: assignment.notes.clone(),
    }
}

pub(super) fn read_assignment(assignment: Option<wire::PointAssignment>) -> Option<Assignment> {
    let assignment = assignment?;
    Some(Assignment {
        point: PointId(id(&assignment.point_id)?),
        confirm_begin: instant(assignment.confirm_begin_time.as_ref())?,
        confirm_end: instant(assignment.confirm_end_time.as_ref())?,
        range: assignment.range,
        notes: assignment.notes,
    })
}
