//! `Directory`: divisions from the tree, agencies from memory, points and schools from the view.

mod fields;
mod files;
mod graduate_schools;

use eventbus::{BusHandle, Reference};
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::directory_server::Directory;
use rpc::{Violations, cut_page, page_size, parse_date, parse_uuid};
use tonic::{Request, Response, Status, Streaming};

use fields::{NOT_A_DIVISION, UNKNOWN_DIVISION, at, day_or_today, name, province, stage, subject};

use super::changes::{self, Abolition, lines};
use super::{asked, officer};
use crate::domain::division::{Code, Division, Divisions};
use crate::domain::id::{AgencyId, PointId, SchoolId};
use crate::domain::school::Kind;
use crate::domain::text::LONGEST_RANGE;
use crate::domain::{point, subject};
use crate::error::Error;
use crate::handle::directory::{AgencyChange, SchoolChange};
use crate::handle::{Asked, Handle};
use crate::store;
use crate::views::directory::{Agencies, Points};
use crate::views::graduate_schools::GraduateSchoolList;
use crate::views::schools::SchoolList;
use crate::views::search::Sought;
use crate::views::subjects::{Listed, SubjectList};

/// Serves `Directory`.
pub struct DirectoryApi {
    /// Use cases.
    pub handle: Handle,
    /// All agencies.
    pub agencies: Reference<Agencies>,
    /// Points.
    pub points: Points,
    /// Schools.
    pub schools: SchoolList,
    /// Subjects.
    pub subjects: SubjectList,
    /// Graduate schools.
    pub graduate_schools: GraduateSchoolList,
    /// Knows how far the views have come.
    pub bus: BusHandle,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Directory for DirectoryApi {
    type ImportDirectoryStream = files::Reports;
    type ExportDirectoryStream = files::Chunks;

    async fn import_directory(
        &self,
        request: Request<Streaming<wire::ImportDirectoryRequest>>,
    ) -> Result<Response<files::Reports>, Status> {
        self.import(request).await.map(Response::new)
    }

    async fn export_directory(
        &self,
        request: Request<wire::ExportDirectoryRequest>,
    ) -> Result<Response<files::Chunks>, Status> {
        self.export(&request).map(Response::new)
    }

    async fn list_divisions(
        &self,
        request: Request<wire::ListDivisionsRequest>,
    ) -> Result<Response<wire::ListDivisionsResponse>, Status> {
        let parent = request.into_inner().parent;
        let tree = Divisions::national();
        let mut violations = Violations::new();
        violations.check("parent", parent.is_empty() || tree.find(&parent).is_some(), UNKNOWN_DIVISION, NOT_A_DIVISION);
        violations.into_result()?;
        let divisions = tree.children(&parent).map(division).collect();
        Ok(Response::new(wire::ListDivisionsResponse { divisions }))
    }

    async fn list_agencies(
        &self,
        request: Request<wire::ListAgenciesRequest>,
    ) -> Result<Response<wire::ListAgenciesResponse>, Status> {
        let wire::ListAgenciesRequest { province, city, date } = request.into_inner();
        let mut violations = Violations::new();
        let day = day_or_today("date", &date, &mut violations);
        let offered = Divisions::national().offered(&province, &city);
        violations.check("city", offered.is_some(), UNKNOWN_DIVISION, "该省没有这个市，请重新选择省、市。");
        let (Some(offered), Some(day), true) = (offered, day, violations.is_empty()) else {
            return Err(violations.into());
        };
        let known = self.agencies.require().map_err(Error::from)?;
        let agencies = offered.iter().filter_map(|division| known.find_on(AgencyId::of(division.code()), day));
        Ok(Response::new(wire::ListAgenciesResponse { agencies: agencies.map(store::agency).collect() }))
    }

    async fn get_agency(
        &self,
        request: Request<wire::GetAgencyRequest>,
    ) -> Result<Response<wire::GetAgencyResponse>, Status> {
        let wire::GetAgencyRequest { agency_id, date } = request.into_inner();
        let mut violations = Violations::new();
        let id = parse_uuid("agency_id", &agency_id, &mut violations).map(AgencyId);
        let day = day_or_today("date", &date, &mut violations);
        let (Some(id), Some(day)) = (id, day) else { return Err(violations.into()) };
        let known = self.agencies.require().map_err(Error::from)?;
        let not_found = || Error::NotFound { kind: "agency", name: id.to_string() };
        let record = known.record(id).ok_or_else(not_found)?;
        let names = record.names().map(|(since, name)| wire::AgencyName {
            name: name.to_string(),
            effective_date: since.map(rpc::render_date).unwrap_or_default(),
        });
        let abolition = record.abolition();
        let successor = abolition.and_then(|abolition| abolition.successor);
        Ok(Response::new(wire::GetAgencyResponse {
            agency: Some(store::agency(record.on(day))),
            names: names.collect(),
            abolished_date: abolition.map(|abolition| rpc::render_date(abolition.on)).unwrap_or_default(),
            successor_agency_id: successor.map(|successor| successor.to_string()).unwrap_or_default(),
        }))
    }

    async fn list_points(
        &self,
        request: Request<wire::ListPointsRequest>,
    ) -> Result<Response<wire::ListPointsResponse>, Status> {
        let wire::ListPointsRequest { agency_id, page_size: asked, page_token: token } = request.into_inner();
        let mut violations = Violations::new();
        let agency = parse_uuid("agency_id", &agency_id, &mut violations).map(AgencyId);
        let size = page_size("page_size", asked, &mut violations);
        let after = fields::place(&token, &mut violations);
        let (Some(agency), true) = (agency, violations.is_empty()) else { return Err(violations.into()) };
        let mut points = self.points.list(agency, &after, size + 1).await.map_err(Error::View)?;
        let next_page_token = cut_page(&mut points, size, |last| last.name.to_string());
        Ok(Response::new(wire::ListPointsResponse {
            points: points.iter().map(store::point).collect(),
            next_page_token,
        }))
    }

    async fn list_schools(
        &self,
        request: Request<wire::ListSchoolsRequest>,
    ) -> Result<Response<wire::ListSchoolsResponse>, Status> {
        let wire::ListSchoolsRequest { division, query, page_size: asked, page_token: token } = request.into_inner();
        let mut violations = Violations::new();
        violations.check("division", Code::parse(&division).is_some(), UNKNOWN_DIVISION, NOT_A_DIVISION);
        fields::query(&query, &mut violations);
        let size = page_size("page_size", asked, &mut violations);
        let place = fields::place(&token, &mut violations);
        violations.into_result()?;
        let after = place.split_once('/').unwrap_or_default();
        let sought = Sought::parse(&query);
        let mut schools = self.schools.list(&division, &sought, after, size + 1).await.map_err(Error::View)?;
        let next_page_token = cut_page(&mut schools, size, |last| format!("{}/{}", last.division, last.name));
        Ok(Response::new(wire::ListSchoolsResponse {
            schools: schools.iter().map(store::school).collect(),
            next_page_token,
        }))
    }

    async fn add_agency(
        &self,
        request: Request<wire::AddAgencyRequest>,
    ) -> Result<Response<wire::AddAgencyResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let division = at(&body.division, &mut violations);
        let name = name(&body.name, &mut violations);
        let (Some(asked), Some(division), Some(name)) = (asked, division, name) else { return Err(violations.into()) };
        let handle = self.handle.clone();
        let answered = rpc::run(&self.lifecycle, async move {
            handle
                .add_agency(&asked, division, name, |agency| {
                    wire::AddAgencyResponse { agency: Some(store::agency(agency)), position: 0 }.encode_to_vec()
                })
                .await
        });
        let answered = answered.await?;
        let answer = decoded(wire::AddAgencyResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::AddAgencyResponse { position: answered.position, ..answer }))
    }

    async fn add_point(
        &self,
        request: Request<wire::AddPointRequest>,
    ) -> Result<Response<wire::AddPointResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let agency = parse_uuid("agency_id", &body.agency_id, &mut violations);
        let name = name(&body.name, &mut violations);
        let school = match body.school_id.as_str() {
            "" => None,
            school => parse_uuid("school_id", school, &mut violations).map(SchoolId),
        };
        let range = lines("range", &body.range, 0..=LONGEST_RANGE, &mut violations);
        let (Some(asked), Some(agency), Some(name), Some(range), true) =
            (asked, agency, name, range, violations.is_empty())
        else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let answered = rpc::run(&self.lifecycle, async move {
            handle
                .add_point(&asked, AgencyId(agency), (name, range), school, |point| {
                    wire::AddPointResponse { point: Some(store::point(point)), position: 0 }.encode_to_vec()
                })
                .await
        });
        let answered = answered.await?;
        let answer = decoded(wire::AddPointResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::AddPointResponse { position: answered.position, ..answer }))
    }

    async fn add_school(
        &self,
        request: Request<wire::AddSchoolRequest>,
    ) -> Result<Response<wire::AddSchoolResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let name = name(&body.name, &mut violations);
        let county = Divisions::national().find(&body.division).filter(|division| division.digits.len() == 6);
        violations.check("division", county.is_some(), UNKNOWN_DIVISION, "请选择学校所在的区县。");
        let agency = parse_uuid("agency_id", &body.agency_id, &mut violations);
        let kind = Kind::parse(&body.kind);
        violations.check("kind", kind.is_some(), "UNKNOWN_CODE", "请从列表中选择学校类型。");
        let (Some(asked), Some(name), Some(county), Some(agency), Some(kind)) = (asked, name, county, agency, kind)
        else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let answered = rpc::run(&self.lifecycle, async move {
            handle
                .add_school(&asked, (name, county.code(), kind), AgencyId(agency), |school| {
                    wire::AddSchoolResponse { school: Some(store::school(school)), position: 0 }.encode_to_vec()
                })
                .await
        });
        let answered = answered.await?;
        let answer = decoded(wire::AddSchoolResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(Response::new(wire::AddSchoolResponse { position: answered.position, ..answer }))
    }

    async fn rename_agency(
        &self,
        request: Request<wire::RenameAgencyRequest>,
    ) -> Result<Response<wire::RenameAgencyResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let agency = parse_uuid("agency_id", &body.agency_id, &mut violations).map(AgencyId);
        let name = name(&body.name, &mut violations);
        let since = parse_date("effective_date", &body.effective_date, &mut violations);
        let (Some(asked), Some(agency), Some(name), Some(since)) = (asked, agency, name, since) else {
            return Err(violations.into());
        };
        let position = self.change_agency(asked, agency, AgencyChange::Rename { name, since }).await?;
        Ok(Response::new(wire::RenameAgencyResponse { position }))
    }

    async fn abolish_agency(
        &self,
        request: Request<wire::AbolishAgencyRequest>,
    ) -> Result<Response<wire::AbolishAgencyResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let abolition = changes::abolish(body, &mut violations);
        let (Some(asked), Some(Abolition { agency, on, successor })) = (asked, abolition) else {
            return Err(violations.into());
        };
        let position = self.change_agency(asked, agency, AgencyChange::Abolish { on, successor }).await?;
        Ok(Response::new(wire::AbolishAgencyResponse { position }))
    }

    async fn rename_point(
        &self,
        request: Request<wire::RenamePointRequest>,
    ) -> Result<Response<wire::RenamePointResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let point = parse_uuid("point_id", &body.point_id, &mut violations).map(PointId);
        let name = name(&body.name, &mut violations);
        let (Some(asked), Some(point), Some(name)) = (asked, point, name) else { return Err(violations.into()) };
        let position = self.change_point(asked, point, point::Command::RenamePoint { name }).await?;
        Ok(Response::new(wire::RenamePointResponse { position }))
    }

    async fn set_point_range(
        &self,
        request: Request<wire::SetPointRangeRequest>,
    ) -> Result<Response<wire::SetPointRangeResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let point = parse_uuid("point_id", &body.point_id, &mut violations).map(PointId);
        let range = lines("range", &body.range, 0..=LONGEST_RANGE, &mut violations);
        let (Some(asked), Some(point), Some(range)) = (asked, point, range) else { return Err(violations.into()) };
        let position = self.change_point(asked, point, point::Command::SetPointRange { range }).await?;
        Ok(Response::new(wire::SetPointRangeResponse { position }))
    }

    async fn close_point(
        &self,
        request: Request<wire::ClosePointRequest>,
    ) -> Result<Response<wire::ClosePointResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let point = changes::close_point(body, &mut violations);
        let (Some(asked), Some(point)) = (asked, point) else { return Err(violations.into()) };
        let position = self.change_point(asked, point, point::Command::ClosePoint).await?;
        Ok(Response::new(wire::ClosePointResponse { position }))
    }

    async fn rename_school(
        &self,
        request: Request<wire::RenameSchoolRequest>,
    ) -> Result<Response<wire::RenameSchoolResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let school = parse_uuid("school_id", &body.school_id, &mut violations).map(SchoolId);
        let name = name(&body.name, &mut violations);
        let (Some(asked), Some(school), Some(name)) = (asked, school, name) else { return Err(violations.into()) };
        let position = self.change_school(asked, school, SchoolChange::Rename(name)).await?;
        Ok(Response::new(wire::RenameSchoolResponse { position }))
    }

    async fn move_school(
        &self,
        request: Request<wire::MoveSchoolRequest>,
    ) -> Result<Response<wire::MoveSchoolResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let school = parse_uuid("school_id", &body.school_id, &mut violations).map(SchoolId);
        let agency = parse_uuid("agency_id", &body.agency_id, &mut violations).map(AgencyId);
        let (Some(asked), Some(school), Some(agency)) = (asked, school, agency) else {
            return Err(violations.into());
        };
        let position = self.change_school(asked, school, SchoolChange::Move(agency)).await?;
        Ok(Response::new(wire::MoveSchoolResponse { position }))
    }

    async fn close_school(
        &self,
        request: Request<wire::CloseSchoolRequest>,
    ) -> Result<Response<wire::CloseSchoolResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let school = parse_uuid("school_id", &body.school_id, &mut violations).map(SchoolId);
        let (Some(asked), Some(school)) = (asked, school) else { return Err(violations.into()) };
        let position = self.change_school(asked, school, SchoolChange::Close).await?;
        Ok(Response::new(wire::CloseSchoolResponse { position }))
    }

    async fn list_subjects(
        &self,
        request: Request<wire::ListSubjectsRequest>,
    ) -> Result<Response<wire::ListSubjectsResponse>, Status> {
        let wire::ListSubjectsRequest { province, stage } = request.into_inner();
        let mut violations = Violations::new();
        let (province, stage) = (fields::province(&province, &mut violations), fields::stage(stage, &mut violations));
        let (Some(province), Some(stage)) = (province, stage) else { return Err(violations.into()) };
        let listed = self.subjects.list(province, stage).await.map_err(Error::View)?;
        let subjects = listed.into_iter().map(|Listed { name, own, on }| wire::Subject { name, own, on });
        Ok(Response::new(wire::ListSubjectsResponse { subjects: subjects.collect() }))
    }

    async fn add_subject(
        &self,
        request: Request<wire::AddSubjectRequest>,
    ) -> Result<Response<wire::AddSubjectResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let province = province(&body.province, &mut violations);
        let stage = stage(body.stage, &mut violations);
        let subject = subject(&body.subject, &mut violations);
        let (Some(asked), Some(province), Some(stage), Some(subject)) = (asked, province, stage, subject) else {
            return Err(violations.into());
        };
        let command = subject::Command::AddSubject { province, stage, subject };
        let position = self.change_subjects(asked, province, command).await?;
        Ok(Response::new(wire::AddSubjectResponse { position }))
    }

    async fn switch_subject(
        &self,
        request: Request<wire::SwitchSubjectRequest>,
    ) -> Result<Response<wire::SwitchSubjectResponse>, Status> {
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(&request, &body.request_id, &mut violations);
        let province = province(&body.province, &mut violations);
        let stage = stage(body.stage, &mut violations);
        let subject = subject(&body.subject, &mut violations);
        let (Some(asked), Some(province), Some(stage), Some(subject)) = (asked, province, stage, subject) else {
            return Err(violations.into());
        };
        let command = subject::Command::SwitchSubject { province, stage, subject, on: body.on };
        let position = self.change_subjects(asked, province, command).await?;
        Ok(Response::new(wire::SwitchSubjectResponse { position }))
    }

    async fn list_graduate_schools(
        &self,
        request: Request<wire::ListGraduateSchoolsRequest>,
    ) -> Result<Response<wire::ListGraduateSchoolsResponse>, Status> {
        self.graduate_schools_page(request.into_inner()).await.map(Response::new)
    }

    async fn add_graduate_school(
        &self,
        request: Request<wire::AddGraduateSchoolRequest>,
    ) -> Result<Response<wire::AddGraduateSchoolResponse>, Status> {
        self.new_graduate_school(&request).await.map(Response::new)
    }
}

impl DirectoryApi {
    async fn change_agency(&self, asked: Asked, agency: AgencyId, change: AgencyChange) -> Result<i64, Status> {
        let handle = self.handle.clone();
        let changing = async move { handle.change_agency(&asked, agency, change).await };
        Ok(rpc::run(&self.lifecycle, changing).await?.position)
    }

    async fn change_subjects(&self, asked: Asked, province: Code, command: subject::Command) -> Result<i64, Status> {
        let handle = self.handle.clone();
        let changing = async move { handle.change_subjects(&asked, province, command).await };
        Ok(rpc::run(&self.lifecycle, changing).await?.position)
    }

    async fn change_point(&self, asked: Asked, point: PointId, command: point::Command) -> Result<i64, Status> {
        let handle = self.handle.clone();
        let changing = async move { handle.change_point(&asked, point, command).await };
        Ok(rpc::run(&self.lifecycle, changing).await?.position)
    }

    async fn change_school(&self, asked: Asked, school: SchoolId, change: SchoolChange) -> Result<i64, Status> {
        let handle = self.handle.clone();
        let changing = async move { handle.change_school(&asked, school, change).await };
        Ok(rpc::run(&self.lifecycle, changing).await?.position)
    }
}

/// An answer that this service wrote itself.
pub(super) fn decoded<M>(answer: Result<M, prost::DecodeError>, position: i64) -> Result<M, Error> {
    answer.map_err(|_| Error::Corrupt { position })
}

fn division(division: &Division) -> wire::Division {
    wire::Division {
        code: division.digits.to_owned(),
        name: division.name.to_owned(),
        parent: division.parent.to_owned(),
        pseudo: division.pseudo,
    }
}
