//! A whole province that files: every agency of Jiangsu takes part, with three windows and fifty points that each have their notes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use cluster::actor::{Actor, Channel, Letters};
use cluster::failure::Doing as _;
use cluster::journey::{Applicant, request_id};
use cluster::register::Teacher;
use cluster::{Cluster, Failure, Result, Service, call, wait};
use proto::scheduling::v1 as scheduling;
use proto::scheduling::v1::availability_client::AvailabilityClient;
use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::plans_client::PlansClient;
use proto::types::v1::Stage;

use super::Asking;

const PROVINCE: &str = "32";
const POINTS: usize = 50;
const PEOPLE: u32 = 16;
const PASSWORD: &str = "bench#2026";
const DAY: Duration = Duration::from_secs(86_400);
/// How long what travels by events may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(120);

/// Opens the province, signs people in, and gives a question for each of its points.
pub async fn open(cluster: &Cluster) -> Result<Asking> {
    let layout = cluster.layout();
    let officer = call::sign_in(layout, "schedule").await?;
    let mut directory = DirectoryClient::new(officer.channel(&officer.addresses.scheduling)?);
    let agencies = agencies(&mut directory).await?;
    println!("adding {POINTS} points to each of {} agencies", agencies.len());
    let file = layout.folder.join("bench-points.csv");
    let mut rows = "name,agency,school_division,school\n".to_owned();
    for (_, agency) in agencies.values() {
        for point in 0..POINTS {
            writeln!(rows, "示例确认点{point:02},{},,", agency.division).expect("a string takes whatever is written");
        }
    }
    std::fs::write(&file, rows).doing(|| format!("write {}", file.display()))?;
    let path = file.to_string_lossy().into_owned();
    cluster.run(Service::Scheduling, &["seed-directory", "--points", &path]).await?;
    println!("opening windows and assigning points");
    let mut plans = PlansClient::new(officer.channel(&officer.addresses.scheduling)?);
    let plan = current(&mut plans).await?;
    let mut questions = Vec::new();
    for (city, agency) in agencies.values() {
        let joined = plan.agencies.iter().any(|joined| joined.agency_id == agency.agency_id);
        let points = points(&mut directory, agency).await?;
        file_with(&mut plans, &plan.plan_id, agency, &points, joined).await?;
        questions.extend(points.into_iter().map(|point| scheduling::CheckAvailabilityRequest {
            province: PROVINCE.to_owned(),
            city: city.clone(),
            stage: Stage::Primary.into(),
            agency_id: agency.agency_id.clone(),
            point_id: point.point_id,
            time: None,
        }));
    }
    until_open(&officer, &questions).await?;
    let mut bearers = Vec::new();
    let (addresses, letters) = (layout.addresses(), Letters::at(layout));
    for teacher in (0..PEOPLE).map(Teacher::new) {
        let applicant = Applicant::arrive(&addresses, &letters, teacher, PASSWORD).await?;
        bearers.push(applicant.actor.bearer().parse().doing(|| "read a token".into())?);
    }
    println!("{} points of {} agencies", questions.len(), agencies.len());
    Ok(Asking { bearers, questions })
}

/// All agencies of the province by their id, each with a city that it is offered for.
async fn agencies(directory: &mut DirectoryClient<Channel>) -> Result<BTreeMap<String, (String, scheduling::Agency)>> {
    let request = scheduling::ListDivisionsRequest { parent: PROVINCE.to_owned() };
    let cities = directory.list_divisions(request).await.doing(|| "list the cities".into())?.into_inner().divisions;
    let mut agencies = BTreeMap::new();
    for city in cities {
        let (province, city_code) = (PROVINCE.to_owned(), city.code.clone());
        let request = scheduling::ListAgenciesRequest { province, city: city_code, ..Default::default() };
        let offered = directory.list_agencies(request).await.doing(|| "list agencies".into())?.into_inner().agencies;
        agencies.extend(offered.into_iter().map(|agency| (agency.agency_id.clone(), (city.code.clone(), agency))));
    }
    Ok(agencies)
}

/// The points of an agency, once the directory shows them all.
async fn points(
    directory: &mut DirectoryClient<Channel>,
    agency: &scheduling::Agency,
) -> Result<Vec<scheduling::Point>> {
    wait::until("the points to be listed", ARRIVAL, async || {
        let request = scheduling::ListPointsRequest { agency_id: agency.agency_id.clone(), ..Default::default() };
        let listed = directory.list_points(request).await.ok()?.into_inner().points;
        (listed.len() >= POINTS).then_some(listed)
    })
    .await
}

async fn current(plans: &mut PlansClient<Channel>) -> Result<scheduling::Plan> {
    let request = scheduling::GetPlanRequest { province: PROVINCE.to_owned(), ..Default::default() };
    let plan = plans.get_plan(request).await.doing(|| "read the plan".into())?.into_inner().plan;
    plan.ok_or_else(|| Failure::new("the province has no plan"))
}

/// Lets an agency take part, with a window around now unless it has one, two later ones, and dates for its points.
async fn file_with(
    plans: &mut PlansClient<Channel>,
    plan_id: &str,
    agency: &scheduling::Agency,
    points: &[scheduling::Point],
    joined: bool,
) -> Result<()> {
    let (plan_id, agency_id) = (plan_id.to_owned(), agency.agency_id.clone());
    let now = lifecycle::clock::now();
    let mut spans = vec![(now + 40 * DAY, now + 50 * DAY), (now + 60 * DAY, now + 70 * DAY)];
    if !joined {
        spans.push((now - DAY, now + 10 * DAY));
        let request = scheduling::JoinAgencyRequest {
            request_id: request_id(),
            plan_id: plan_id.clone(),
            agency_id: agency_id.clone(),
            join_in: true,
            is_open: true,
        };
        plans.join_agency(request).await.doing(|| format!("let {} join", agency.name))?;
    }
    for (begin, end) in spans {
        let request = scheduling::OpenWindowRequest {
            request_id: request_id(),
            plan_id: plan_id.clone(),
            agency_id: agency_id.clone(),
            begin_time: Some(rpc::timestamp(begin)),
            end_time: Some(rpc::timestamp(end)),
            grace_minutes: 30,
        };
        plans.open_window(request).await.doing(|| format!("open a window of {}", agency.name))?;
    }
    for point in points {
        let assignment = scheduling::PointAssignment {
            point_id: point.point_id.clone(),
            confirm_begin_time: Some(rpc::timestamp(now - DAY)),
            confirm_end_time: Some(rpc::timestamp(now + 80 * DAY)),
            range: "本单位在编在岗教师".to_owned(),
            notes: "请携带教师资格证书原件与申请表一式两份到现场确认。".to_owned(),
        };
        let request = scheduling::AssignPointRequest {
            request_id: request_id(),
            plan_id: plan_id.clone(),
            assignment: Some(assignment),
        };
        plans.assign_point(request).await.doing(|| format!("assign {}", point.name))?;
    }
    Ok(())
}

/// Waits until every agency answers that its last point is open.
async fn until_open(officer: &Actor, questions: &[scheduling::CheckAvailabilityRequest]) -> Result<()> {
    let client = AvailabilityClient::new(officer.channel(&officer.addresses.scheduling)?);
    let mut seen = BTreeSet::new();
    let last = questions.iter().rev().filter(|question| seen.insert(question.agency_id.clone()));
    for question in last.collect::<Vec<_>>() {
        wait::until("the plan to be in memory", ARRIVAL, async || {
            let answer = client.clone().check_availability(question.clone()).await.ok()?.into_inner();
            answer.open.then_some(())
        })
        .await?;
    }
    Ok(())
}
