//! Events of agencies, points, schools, subjects and graduate schools as the log keeps them.

use proto::scheduling::v1 as wire;
use uuid::Uuid;

use super::convert::{self, id};
use super::events::{Stored, form, message};
use crate::domain::division::Code;
use crate::domain::graduate_school::GraduateSchoolAdded;
use crate::domain::id::{AgencyId, PointId, SchoolId};
use crate::domain::name::Name;
use crate::domain::subject::{self, Subject};
use crate::domain::{agency, point, school};

impl Stored for agency::Event {
    fn write(&self, _: Uuid) -> (String, Vec<u8>) {
        match self {
            Self::AgencyAdded(agency) => form(&wire::AgencyAdded { agency: Some(convert::agency(agency)) }),
            Self::AgencyRenamed { agency, name, since } => form(&wire::AgencyRenamed {
                agency_id: agency.to_string(),
                name: name.to_string(),
                effective_date: rpc::render_date(*since),
            }),
            Self::AgencyAbolished { agency, abolition } => form(&wire::AgencyAbolished {
                agency_id: agency.to_string(),
                effective_date: rpc::render_date(abolition.on),
                successor_agency_id: abolition.successor.map(|successor| successor.to_string()).unwrap_or_default(),
            }),
        }
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        match kind.strip_prefix("dingzhu.scheduling.v1.")? {
            "AgencyAdded" => {
                convert::read_agency(message::<wire::AgencyAdded>(kind, payload)?.agency).map(Self::AgencyAdded)
            }
            "AgencyRenamed" => {
                let wire::AgencyRenamed { agency_id, name, effective_date } = message(kind, payload)?;
                let (agency, since) = (AgencyId(id(&agency_id)?), convert::day(&effective_date)?);
                Some(Self::AgencyRenamed { agency, name: Name::recorded(name), since })
            }
            "AgencyAbolished" => {
                let wire::AgencyAbolished { agency_id, effective_date, successor_agency_id } = message(kind, payload)?;
                let successor = convert::optional_id(&successor_agency_id).ok()?.map(AgencyId);
                let abolition = agency::Abolition { on: convert::day(&effective_date)?, successor };
                Some(Self::AgencyAbolished { agency: AgencyId(id(&agency_id)?), abolition })
            }
            _ => None,
        }
    }
}

impl Stored for point::Event {
    fn write(&self, _: Uuid) -> (String, Vec<u8>) {
        match self {
            Self::PointAdded(point) => form(&wire::PointAdded { point: Some(convert::point(point)) }),
            Self::PointRenamed { point, name } => {
                form(&wire::PointRenamed { point_id: point.to_string(), name: name.to_string() })
            }
            Self::PointRangeSet { point, range } => {
                form(&wire::PointRangeSet { point_id: point.to_string(), range: range.clone() })
            }
            Self::PointClosed { point } => form(&wire::PointClosed { point_id: point.to_string() }),
        }
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        let point = |text: &str| id(text).map(PointId);
        match kind.strip_prefix("dingzhu.scheduling.v1.")? {
            "PointAdded" => {
                convert::read_point(message::<wire::PointAdded>(kind, payload)?.point).map(Self::PointAdded)
            }
            "PointRenamed" => {
                let wire::PointRenamed { point_id, name } = message(kind, payload)?;
                Some(Self::PointRenamed { point: point(&point_id)?, name: Name::recorded(name) })
            }
            "PointRangeSet" => {
                let wire::PointRangeSet { point_id, range } = message(kind, payload)?;
                Some(Self::PointRangeSet { point: point(&point_id)?, range })
            }
            "PointClosed" => {
                let wire::PointClosed { point_id } = message(kind, payload)?;
                Some(Self::PointClosed { point: point(&point_id)? })
            }
            _ => None,
        }
    }
}

impl Stored for school::Event {
    fn write(&self, _: Uuid) -> (String, Vec<u8>) {
        match self {
            Self::SchoolAdded(school) => form(&wire::SchoolAdded { school: Some(convert::school(school)) }),
            Self::SchoolRenamed { school, name } => {
                form(&wire::SchoolRenamed { school_id: school.to_string(), name: name.to_string() })
            }
            Self::SchoolMoved { school, agency } => {
                form(&wire::SchoolMoved { school_id: school.to_string(), agency_id: agency.to_string() })
            }
            Self::SchoolClosed { school } => form(&wire::SchoolClosed { school_id: school.to_string() }),
        }
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        let school = |text: &str| id(text).map(SchoolId);
        match kind.strip_prefix("dingzhu.scheduling.v1.")? {
            "SchoolAdded" => {
                convert::read_school(message::<wire::SchoolAdded>(kind, payload)?.school).map(Self::SchoolAdded)
            }
            "SchoolRenamed" => {
                let wire::SchoolRenamed { school_id, name } = message(kind, payload)?;
                Some(Self::SchoolRenamed { school: school(&school_id)?, name: Name::recorded(name) })
            }
            "SchoolMoved" => {
                let wire::SchoolMoved { school_id, agency_id } = message(kind, payload)?;
                Some(Self::SchoolMoved { school: school(&school_id)?, agency: AgencyId(id(&agency_id)?) })
            }
            "SchoolClosed" => {
                let wire::SchoolClosed { school_id } = message(kind, payload)?;
                Some(Self::SchoolClosed { school: school(&school_id)? })
            }
            _ => None,
        }
    }
}

impl Stored for subject::Event {
    fn write(&self, _: Uuid) -> (String, Vec<u8>) {
        let (province, stage, subject) = match self {
            Self::SubjectAdded { province, stage, subject }
            | Self::SubjectSwitched { province, stage, subject, .. } => (province, stage, subject),
        };
        let (province, stage) = (province.as_str()[..2].to_owned(), convert::stage(*stage).into());
        let subject = subject.as_str().to_owned();
        match self {
            Self::SubjectAdded { .. } => form(&wire::SubjectAdded { province, stage, subject }),
            Self::SubjectSwitched { on, .. } => form(&wire::SubjectSwitched { province, stage, subject, on: *on }),
        }
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        match kind.strip_prefix("dingzhu.scheduling.v1.")? {
            "SubjectAdded" => {
                let wire::SubjectAdded { province, stage, subject } = message(kind, payload)?;
                let (province, stage) = (Code::parse(&province)?, convert::read_stage(stage)?);
                Some(Self::SubjectAdded { province, stage, subject: Subject::recorded(subject) })
            }
            "SubjectSwitched" => {
                let wire::SubjectSwitched { province, stage, subject, on } = message(kind, payload)?;
                let (province, stage) = (Code::parse(&province)?, convert::read_stage(stage)?);
                Some(Self::SubjectSwitched { province, stage, subject: Subject::recorded(subject), on })
            }
            _ => None,
        }
    }
}

impl Stored for GraduateSchoolAdded {
    fn write(&self, _: Uuid) -> (String, Vec<u8>) {
        form(&wire::GraduateSchoolAdded { school: Some(convert::graduate_school(&self.0)) })
    }

    fn read(kind: &str, payload: &[u8]) -> Option<Self> {
        convert::read_graduate_school(message::<wire::GraduateSchoolAdded>(kind, payload)?.school).map(Self)
    }
}
