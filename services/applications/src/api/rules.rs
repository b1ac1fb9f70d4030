//! `Rules`: rule sets of provinces.

use access::Caller;
use eventlog::Division;
use lifecycle::Lifecycle;
use prost::Message as _;
use proto::applications::v1::rules_server::Rules;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use tonic::{Request, Response, Status};

use super::render::int;
use super::request::Parsing;
use crate::error::Error;
use crate::handle::Handle;
use crate::wire as values;

/// The service.
pub struct RulesApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs the bodies of commands.
    pub lifecycle: Lifecycle,
}

#[tonic::async_trait]
impl Rules for RulesApi {
    async fn publish_rule_set(
        &self,
        request: Request<wire::PublishRuleSetRequest>,
    ) -> Result<Response<wire::PublishRuleSetResponse>, Status> {
        let caller = Caller::of(&request);
        let message = request.into_inner();
        let mut parsing = Parsing::default();
        let asked = parsing.asked(&caller, &message.request_id, &message);
        let rules = values::parse_rule_set(&message.rule_set.unwrap_or_default()).map_err(|wrong| {
            for (field, reason) in wrong {
                parsing.violations().add(field, reason, "取值不正确或超出范围，请核对后重新填写。");
            }
        });
        parsing.done()?;
        let not_found = || Error::NotFound { kind: "rule set" };
        let rules = rules.map_err(|()| not_found())?;
        let province = Division::parse(&rules.province).ok_or_else(not_found)?;
        if province == Division::NONE || !caller.holds_for_division(Role::RuleOfficer, province) {
            return Err(not_found().into());
        }
        let handle = self.handle.clone();
        let body = async move {
            let render = |version| wire::PublishRuleSetResponse { version: int(version), position: 0 }.encode_to_vec();
            handle.publish_rules(&asked, &rules, render).await
        };
        let (answer, position) = rpc::run(&self.lifecycle, body).await?;
        let published = wire::PublishRuleSetResponse::decode(answer.as_slice());
        let published = published.map_err(|_| Error::Corrupt(crate::store::Corrupt { kind: "answer".to_owned() }))?;
        Ok(Response::new(wire::PublishRuleSetResponse { position, ..published }))
    }

    async fn get_rule_set(
        &self,
        request: Request<wire::GetRuleSetRequest>,
    ) -> Result<Response<wire::GetRuleSetResponse>, Status> {
        let province = &request.get_ref().province;
        let mut parsing = Parsing::default();
        let right = province.len() == 2 && province.bytes().all(|byte| byte.is_ascii_digit());
        parsing.violations().check("province", right, "NOT_A_PROVINCE", "省份代码应为两位数字。");
        parsing.done()?;
        let rules = self.handle.rules(province)?;
        Ok(Response::new(wire::GetRuleSetResponse { rule_set: Some(values::rule_set(&rules)) }))
    }
}
