//! Graduate schools: lists of them, and 新增学校.

use access::Caller;
use prost::Message as _;
use proto::scheduling::v1 as wire;
use rpc::{Violations, cut_page, page_size};
use tonic::{Request, Status};

use super::fields::{self, UNKNOWN_DIVISION};
use super::{DirectoryApi, asked, decoded};
use crate::domain::division::Divisions;
use crate::domain::graduate_school::{GraduateSchool, Kind, parse_name};
use crate::error::Error;
use crate::views::search::Sought;

impl DirectoryApi {
    pub(super) async fn graduate_schools_page(
        &self,
        asked: wire::ListGraduateSchoolsRequest,
    ) -> Result<wire::ListGraduateSchoolsResponse, Status> {
        let wire::ListGraduateSchoolsRequest { province, query, page_size: size, page_token: token } = asked;
        let mut violations = Violations::new();
        let known = province.is_empty() || Divisions::national().find(&province).is_some_and(|it| it.digits.len() == 2);
        violations.check("province", known, UNKNOWN_DIVISION, "请选择省份。");
        fields::query(&query, &mut violations);
        let size = page_size("page_size", size, &mut violations);
        let place = fields::place(&token, &mut violations);
        violations.into_result()?;
        let after = place.split_once('/').unwrap_or_default();
        let sought = Sought::parse(&query);
        let schools = self.graduate_schools.list(&province, &sought, after, size + 1).await.map_err(Error::View)?;
        let mut schools: Vec<_> = schools.iter().map(render).collect();
        let next_page_token = cut_page(&mut schools, size, |last| format!("{}/{}", last.province, last.name));
        Ok(wire::ListGraduateSchoolsResponse { schools, next_page_token })
    }

    pub(super) async fn new_graduate_school(
        &self,
        request: &Request<wire::AddGraduateSchoolRequest>,
    ) -> Result<wire::AddGraduateSchoolResponse, Status> {
        let person = Caller::of(request).signed_in()?.id;
        let mut violations = Violations::new();
        let body = request.get_ref();
        let asked = asked(request, &body.request_id, &mut violations);
        let name = parse_name(&body.name);
        violations.check("name", name.is_some(), "NOT_A_NAME", "学校名称应为2至60个字，以毕业证书上的全称为准。");
        let kind = Kind::parse(&body.kind);
        violations.check("kind", kind.is_some(), "UNKNOWN_CODE", "请从列表中选择学校类型。");
        let province = match &kind {
            Some(kind) if kind.is_abroad() => {
                violations.check("province", body.province.is_empty(), UNKNOWN_DIVISION, "境外学校不选择省份。");
                None
            }
            _ => fields::province(&body.province, &mut violations),
        };
        let (Some(asked), Some(name), Some(kind), true) = (asked, name, kind, violations.is_empty()) else {
            return Err(violations.into());
        };
        let handle = self.handle.clone();
        let answered = rpc::run(&self.lifecycle, async move {
            handle
                .add_graduate_school(&asked, person, (name, province, kind), |school| {
                    wire::AddGraduateSchoolResponse { school: Some(render(school)), position: 0 }.encode_to_vec()
                })
                .await
        });
        let answered = answered.await?;
        let answer = decoded(wire::AddGraduateSchoolResponse::decode(&answered.answer[..]), answered.position)?;
        Ok(wire::AddGraduateSchoolResponse { position: answered.position, ..answer })
    }
}

fn render(school: &GraduateSchool) -> wire::GraduateSchool {
    crate::store::graduate_school(school)
}
