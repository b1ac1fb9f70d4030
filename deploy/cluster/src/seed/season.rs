//! The season of the demonstration: rules and a plan of Jiangsu, windows and points of Xuzhou around now, the register.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use proto::applications::v1 as applications;
use proto::applications::v1::rules_client::RulesClient;
use proto::certificates::v1 as certificates;
use proto::certificates::v1::sync_client::SyncClient;
use proto::scheduling::v1 as scheduling;
use proto::scheduling::v1::plans_client::PlansClient;
use time::OffsetDateTime;

use crate::actor::Actor;
use crate::failure::Doing as _;
use crate::journey::request_id;
use crate::{Failure, Result};

use super::directory::Units;
use super::once_allowed;

const PROVINCE: &str = "32";
/// Bytes of one message of the register.
const CHUNK: usize = 60_000;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// 省级规则: what Jiangsu asks for here.
pub(super) async fn rules(officer: &Actor) -> Result<()> {
    let rule_set = applications::RuleSet {
        province: PROVINCE.to_owned(),
        interval_months: 54,
        cycle_months: 60,
        revocation_bar_years: 5,
        training_unit: "1".to_owned(),
        training_per_cycle_min: 360.0,
        interruption_semesters: 1.0,
        interruption_inclusive: true,
        ..Default::default()
    };
    let client = RulesClient::new(officer.channel(&officer.addresses.applications)?);
    let request = applications::PublishRuleSetRequest { request_id: request_id(), rule_set: Some(rule_set) };
    let published = once_allowed("the rules", async || client.clone().publish_rule_set(request.clone()).await).await;
    published.doing(|| "publish the rules".into()).map(|_| ())
}

/// 省级计划, 机构计划, 网报时间段, 确认点安排: open since an hour ago, for thirty days; points confirm for sixty.
pub(super) async fn plan(officer: &Actor, units: &Units, now: OffsetDateTime) -> Result<()> {
    let mut client = PlansClient::new(officer.channel(&officer.addresses.scheduling)?);
    let request = scheduling::PublishPlanRequest {
        request_id: request_id(),
        province: PROVINCE.to_owned(),
        batch: format!("{}年示例批次", now.year()),
    };
    let published = once_allowed("the plan", async || client.clone().publish_plan(request.clone()).await).await;
    let plan_id = match published {
        Ok(published) => published.plan_id,
        // An earlier start got this far.
        Err(status) if rpc::Refusal::from_status(&status).reason == "PLAN_EXISTS" => current(&mut client).await?,
        Err(status) => return Err(status).doing(|| "publish the plan".into()),
    };
    let (begin, end) = (now - HOUR, now + 30 * DAY);
    for (agency, points) in &units.agencies {
        let agency_id = agency.agency_id.clone();
        let request = scheduling::JoinAgencyRequest {
            request_id: request_id(),
            plan_id: plan_id.clone(),
            agency_id: agency_id.clone(),
            join_in: true,
            is_open: true,
        };
        client.join_agency(request).await.doing(|| format!("let {} join", agency.name))?;
        let request = scheduling::OpenWindowRequest {
            request_id: request_id(),
            plan_id: plan_id.clone(),
            agency_id,
            begin_time: Some(timestamp(begin)),
            end_time: Some(timestamp(end)),
            grace_minutes: 30,
        };
        match client.open_window(request).await {
            Err(status) if rpc::Refusal::from_status(&status).reason == "WINDOWS_OVERLAP" => {}
            opened => opened.map(|_| ()).doing(|| format!("open a window of {}", agency.name))?,
        }
        for point in points {
            let assignment = scheduling::PointAssignment {
                point_id: point.point_id.clone(),
                confirm_begin_time: Some(timestamp(begin)),
                confirm_end_time: Some(timestamp(now + 60 * DAY)),
                range: "本单位在编在岗教师".to_owned(),
                notes: "请携带教师资格证书原件与申请表一式两份到现场确认。".to_owned(),
            };
            let request = scheduling::AssignPointRequest {
                request_id: request_id(),
                plan_id: plan_id.clone(),
                assignment: Some(assignment),
            };
            client.assign_point(request).await.doing(|| format!("assign {}", point.name))?;
        }
    }
    Ok(())
}

/// Sends a register's file as its officer would; every row has to be taken.
pub(super) async fn import(officer: &Actor, file: Vec<u8>) -> Result<()> {
    let client = SyncClient::new(officer.channel(&officer.addresses.certificates)?);
    let options = certificates::ImportOptions { request_id: request_id(), ..Default::default() };
    let first = certificates::import_register_request::Part::Options(options);
    let chunks =
        file.chunks(CHUNK).map(|chunk| certificates::import_register_request::Part::Chunk(chunk.to_vec().into()));
    let parts: Vec<_> = std::iter::once(first)
        .chain(chunks)
        .map(|part| certificates::ImportRegisterRequest { part: Some(part) })
        .collect();
    let answers =
        once_allowed("the register", async || client.clone().import_register(stream::iter(parts.clone())).await).await;
    let mut answers = answers.doing(|| "import the register".into())?;
    let mut done = false;
    while let Some(answer) = answers.next().await {
        let answer = answer.doing(|| "import the register".into())?;
        if let Some(row) = answer.rejected_rows.first() {
            let what = format!("line {} of the register: {} {} {}", row.line, row.field, row.reason, row.message);
            return Err(Failure::new(what));
        }
        done |= answer.done;
    }
    if done { Ok(()) } else { Err(Failure::new("the import of the register ended without its report")) }
}

async fn current(client: &mut PlansClient<crate::actor::Channel>) -> Result<String> {
    let request = scheduling::GetPlanRequest { province: PROVINCE.to_owned(), ..Default::default() };
    let got = client.get_plan(request).await.doing(|| "read the plan".into())?.into_inner();
    got.plan.map(|plan| plan.plan_id).ok_or_else(|| Failure::new("the province has no plan"))
}

fn timestamp(time: OffsetDateTime) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.nanosecond()).expect("less than a thousand million");
    prost_types::Timestamp { seconds: time.unix_timestamp(), nanos }
}
