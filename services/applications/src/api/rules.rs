//! `Rules`: rule sets of provinces, published or tried.

use std::sync::Arc;
use std::time::Duration;

use access::Caller;
use eventlog::Division;
use lifecycle::{Lifecycle, clock};
use prost::Message as _;
use proto::applications::v1::rules_server::Rules;
use proto::applications::v1::{self as wire};
use proto::identity::v1::Role;
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::dry_run;
use super::render::int;
use super::request::Parsing;
use crate::domain::calendar::{render_date, shanghai_date};
use crate::domain::rules::{RuleRef, RuleSet};
use crate::error::Error;
use crate::handle::Handle;
use crate::wire as values;

/// The service.
pub struct RulesApi {
    /// Use cases.
    pub handle: Handle,
    /// Runs the bodies of commands.
    pub lifecycle: Lifecycle,
    /// Dry runs that may be under way at a time.
    pub dry_runs: Arc<Semaphore>,
}

/// Changes that a dry run lists when nothing is said, and at most.
const LISTED: usize = 100;
const MOST_LISTED: usize = 1_000;

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
        let rules = rules_of_the_own_province(&caller, parsing, message.rule_set)?;
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
        let wire::GetRuleSetRequest { province, version, date } = request.into_inner();
        let mut parsing = Parsing::default();
        let right = province.len() == 2 && province.bytes().all(|byte| byte.is_ascii_digit());
        parsing.violations().check("province", right, "NOT_A_PROVINCE", "省份代码应为两位数字。");
        parsing.violations().check("version", version >= 0, "NEGATIVE", "版本不能为负数。");
        let on = parsing.optional_date("date", &date);
        let one = version == 0 || date.is_empty();
        parsing.violations().check("date", one, "NOT_EXPECTED", "指定版本时不填日期。");
        parsing.done()?;
        let rules = match (u32::try_from(version), on) {
            (Ok(version @ 1..), _) => self.handle.rules_of_version(&RuleRef { province: province.clone(), version })?,
            (_, Some(on)) => self.handle.rules_on(&province, on)?,
            _ => self.handle.rules(&province)?,
        };
        let version = |rules: &Arc<RuleSet>| wire::RuleSetVersion {
            version: int(rules.version),
            effective_date: rules.effective_from.map(render_date).unwrap_or_default(),
        };
        let versions = self.handle.published_rules(&province)?.iter().map(version).collect();
        Ok(Response::new(wire::GetRuleSetResponse { rule_set: Some(values::rule_set(&rules)), versions }))
    }

    type DryRunRulesStream = dry_run::Answers;

    async fn dry_run_rules(
        &self,
        request: Request<wire::DryRunRulesRequest>,
    ) -> Result<Response<dry_run::Answers>, Status> {
        let caller = Caller::of(&request);
        let wire::DryRunRulesRequest { rule_set, page_size, resume_token } = request.into_inner();
        let mut parsing = Parsing::default();
        let size = rpc::page_size_within("page_size", page_size, LISTED, MOST_LISTED, parsing.violations());
        let after = rpc::parse_page_place("resume_token", &resume_token, parsing.violations(), dry_run::parse_place);
        // A trial may be for any day.
        let rule_set = rule_set.map(|rules| wire::RuleSet { effective_date: String::new(), ..rules });
        let rules = rules_of_the_own_province(&caller, parsing, rule_set)?;
        let permit = Arc::clone(&self.dry_runs).try_acquire_owned();
        let permit = permit.map_err(|_| Error::Overloaded { retry_after: Duration::from_secs(30) })?;
        let run = self.handle.dry_run(rules)?;
        let after = after.unwrap_or_default();
        Ok(Response::new(dry_run::answers(self.handle.clone(), run, after, size, permit)))
    }
}

/// The rule set of a request, if it makes sense and the caller is an officer of its province.
fn rules_of_the_own_province(
    caller: &Caller,
    mut parsing: Parsing,
    rule_set: Option<wire::RuleSet>,
) -> Result<RuleSet, Status> {
    let rules = values::parse_rule_set(&rule_set.unwrap_or_default()).map_err(|wrong| {
        for (field, reason) in wrong {
            parsing.violations().add(field, reason, "取值不正确或超出范围，请核对后重新填写。");
        }
    });
    let from = rules.as_ref().ok().and_then(|rules| rules.effective_from);
    let is_past = from.is_some_and(|from| from < shanghai_date(clock::now()));
    let sentence = "生效日期不能早于今天。";
    parsing.violations().check("rule_set.effective_date", !is_past, "IN_THE_PAST", sentence);
    parsing.done()?;
    let not_found = || Error::NotFound { kind: "rule set" };
    let rules = rules.map_err(|()| not_found())?;
    let province = Division::parse(&rules.province).ok_or_else(not_found)?;
    if province == Division::NONE || !caller.holds_for_division(Role::RuleOfficer, province) {
        return Err(not_found().into());
    }
    Ok(rules)
}
