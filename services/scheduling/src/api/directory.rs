//! `Directory`: divisions from the tree, agencies from memory, points and schools from the view.

use eventbus::Reference;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::scheduling::v1 as wire;
use proto::scheduling::v1::directory_server::Directory;
use rpc::{Violations, cut_page, page_size, parse_page_token, parse_uuid};
use tonic::{Request, Response, Status};

use super::asked;
use crate::domain::division::{Code, Division, Divisions};
use crate::domain::id::{AgencyId, SchoolId};
use crate::domain::name::Name;
use crate::domain::school::Kind;
use crate::error::Error;
use crate::handle::Handle;
use crate::store;
use crate::views::directory::{Agencies, Listings};

/// Longest part of a name that is searched for, in bytes.
const LONGEST_QUERY: usize = 200;

/// Serves `Directory`.
pub struct DirectoryApi {
    /// Use cases.
    pub handle: Handle,
    /// All agencies.
    pub agencies: Reference<Agencies>,
    /// Points and schools.
    pub listings: Listings,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Directory for DirectoryApi {
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
        let wire::ListAgenciesRequest { province, city } = request.into_inner();
        let mut violations = Violations::new();
        let offered = Divisions::national().offered(&province, &city);
        violations.check("city", offered.is_some(), UNKNOWN_DIVISION, "该省没有这个市，请重新选择省、市。");
        violations.into_result()?;
        let known = self.agencies.require().map_err(Error::from)?;
        let offered = offered.unwrap_or_default();
        let agencies = offered.iter().filter_map(|division| known.find(AgencyId::of(division.code())));
        Ok(Response::new(wire::ListAgenciesResponse { agencies: agencies.map(store::agency).collect() }))
    }

    async fn list_points(
        &self,
        request: Request<wire::ListPointsRequest>,
    ) -> Result<Response<wire::ListPointsResponse>, Status> {
        let mut violations = Violations::new();
        let agency = parse_uuid("agency_id", &request.get_ref().agency_id, &mut violations);
        violations.into_result()?;
        let agency = AgencyId(agency.expect("without violations it was read"));
        let points = self.listings.points(agency).await.map_err(Error::View)?;
        Ok(Response::new(wire::ListPointsResponse { points: points.iter().map(store::point).collect() }))
    }

    async fn list_schools(
        &self,
        request: Request<wire::ListSchoolsRequest>,
    ) -> Result<Response<wire::ListSchoolsResponse>, Status> {
        let wire::ListSchoolsRequest { division, query, page_size: asked, page_token: token } = request.into_inner();
        let mut violations = Violations::new();
        violations.check("division", Code::parse(&division).is_some(), UNKNOWN_DIVISION, NOT_A_DIVISION);
        violations.check("query", query.len() <= LONGEST_QUERY, "TOO_LONG", "查询内容过长，请缩短后再试。");
        let size = page_size("page_size", asked, &mut violations);
        let place = parse_page_token("page_token", &token, &mut violations).unwrap_or_default();
        violations.into_result()?;
        let place = String::from_utf8_lossy(&place).into_owned();
        let after = place.split_once('/').unwrap_or_default();
        let mut schools = self.listings.schools(&division, &query, after, size + 1).await.map_err(Error::View)?;
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
        let (Some(asked), Some(agency), Some(name), true) = (asked, agency, name, violations.is_empty()) else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let answered = rpc::run(&self.lifecycle, async move {
            handle
                .add_point(&asked, AgencyId(agency), name, school, |point| {
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
}

const UNKNOWN_DIVISION: &str = "UNKNOWN_DIVISION";
const NOT_A_DIVISION: &str = "行政区划代码不正确，请重新选择。";

/// An answer that this service wrote itself.
pub(super) fn decoded<M>(answer: Result<M, prost::DecodeError>, position: i64) -> Result<M, Error> {
    answer.map_err(|_| Error::Corrupt { position })
}

fn at(digits: &str, violations: &mut Violations) -> Option<&'static Division> {
    let code = Code::parse(digits).filter(|_| digits.len() == 6);
    let division = code.and_then(|code| Divisions::national().at(code));
    violations.check("division", division.is_some(), UNKNOWN_DIVISION, NOT_A_DIVISION);
    division
}

fn name(text: &str, violations: &mut Violations) -> Option<Name> {
    let name = Name::parse(text);
    violations.check("name", name.is_some(), "NOT_A_NAME", "名称应为2至60个字，以公章名称为准。");
    name
}

fn division(division: &Division) -> wire::Division {
    wire::Division {
        code: division.digits.to_owned(),
        name: division.name.to_owned(),
        parent: division.parent.to_owned(),
        pseudo: division.pseudo,
    }
}
