//! Where the crowd meets: places of every route, staff of schools, points and agencies, people with many certificates.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use cluster::actor::{Actor, Channel, Letters};
use cluster::journey::{Applicant, Place, request_id};
use cluster::register::Teacher;
use cluster::seed::Seeded;
use cluster::{Cluster, call, wait};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use proto::applications::v1 as applications;
use proto::applications::v1::ReviewLevel::{self, City, County, Province};
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::drafts_client::DraftsClient;
use proto::applications::v1::due_dates_client::DueDatesClient;
use proto::applications::v1::review_client::ReviewClient;
use proto::applications::v1::statistics_client::StatisticsClient;
use proto::certificates::v1 as certificates;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::identity::v1::Role;
use proto::scheduling::v1 as scheduling;
use proto::scheduling::v1::directory_client::DirectoryClient;
use proto::scheduling::v1::plans_client::PlansClient;
use rand::Rng as _;
use rand::rngs::StdRng;
use time::Date;
use tokio::task::JoinSet;

use super::model::{Post, Route, World};
use crate::matrix::callers::{chief, grant, newcomer, person_id, with_second_factor};

/// People who hold the certificates; a person is signed up with a password, a certificate is a line of the register.
pub const HOLDERS: u32 = 32;
const PASSWORD: &str = "crowd#2026";
/// Staff are beyond the register.
const STAFF: u32 = 600_000;
/// How long what travels by events may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(600);
/// How long after everybody's session was renewed it is renewed again.
const RENEWED: Duration = Duration::from_secs(180);
/// Bytes of one message of the register.
const CHUNK: usize = 60_000;
/// Code of `employing_school_kind`: 小学.
const PRIMARY_SCHOOL: &str = "21";

/// Agencies by their place in this list.
const AGENCIES: [(&str, ReviewLevel); 6] = [
    ("320302", County),
    ("320303", County),
    ("320300", City),
    ("320000", Province),
    // 济源市 lies right below 河南省 (省管县): there is no city between them.
    ("419001", County),
    ("410000", Province),
];
/// Who reviews at each place: a county's route twice, the city's own, the province's own, a county right below its province.
const ROUTES: [&[usize]; 5] = [&[0, 2, 3], &[1, 2, 3], &[2, 3], &[3], &[4, 5]];
/// Counties whose school the places after the first one name.
const SCHOOLS: [&str; 3] = ["320303", "320305", "320311"];

/// A signed-in member of staff, or an applicant, at the service applications.
#[derive(Clone)]
pub struct Desk {
    actor: Actor,
    pub applications: ApplicationsClient<Channel>,
    pub confirmation: ConfirmationClient<Channel>,
    pub review: ReviewClient<Channel>,
    pub drafts: DraftsClient<Channel>,
    pub statistics: StatisticsClient<Channel>,
    pub due_dates: DueDatesClient<Channel>,
}

impl Desk {
    fn of(actor: Actor) -> Self {
        let channel = actor.channel(&actor.addresses.applications).unwrap();
        Self {
            actor,
            applications: ApplicationsClient::new(channel.clone()),
            confirmation: ConfirmationClient::new(channel.clone()),
            review: ReviewClient::new(channel.clone()),
            drafts: DraftsClient::new(channel.clone()),
            statistics: StatisticsClient::new(channel.clone()),
            due_dates: DueDatesClient::new(channel),
        }
    }
}

/// Somebody who holds certificates.
pub struct Holder {
    pub desk: Desk,
    applicant: Applicant,
}

impl Holder {
    /// A complete form for a place.
    pub fn form(&self, place: &Place, stage: i32) -> applications::Form {
        let mut form = self.applicant.form(place);
        let coded = form.coded.as_mut().unwrap();
        coded.stage = stage;
        let subject = if stage == 1 { "无" } else { "语文" };
        subject.clone_into(&mut coded.subject);
        form
    }
}

/// Everybody and every place.
pub struct Ground {
    pub world: World,
    pub places: Vec<Place>,
    pub agencies: Vec<String>,
    pub staff: Vec<Desk>,
    pub holders: Vec<Holder>,
    pub agreement: applications::Text,
    pub pledge: applications::Pledge,
    /// The day on which all this happens.
    pub today: Date,
}

impl Ground {
    /// Opens the places, appoints the staff, brings `certificates` certificates and signs up who holds them.
    pub async fn open(cluster: &Cluster, seeded: &Seeded, lines: u32, rng: &mut StdRng) -> Self {
        let today = lifecycle::clock::now().date();
        import(cluster, &register(lines, today, rng)).await;
        let chief = chief(cluster).await;
        let (places, agencies) = places(cluster, seeded, &chief).await;
        let staff = staff(cluster, &chief, &places, &agencies).await;
        let (addresses, letters) = (cluster.layout().addresses(), Letters::at(cluster.layout()));
        let arriving = stream::iter(0..HOLDERS).map(|index| {
            let (addresses, letters) = (&addresses, &letters);
            async move { Applicant::arrive(addresses, letters, Teacher::new(index), PASSWORD).await }
        });
        let applicants: Vec<Applicant> = arriving.buffered(4).try_collect().await.unwrap();
        let holder = |applicant: Applicant| Holder { desk: Desk::of(applicant.actor.clone()), applicant };
        let holders: Vec<Holder> = applicants.into_iter().map(holder).collect();
        let (agreement, pledge) = texts(&holders[0]).await;
        let route = |agencies: &&[usize]| Route(agencies.iter().map(|agency| (*agency, AGENCIES[*agency].1)).collect());
        let world = World { routes: ROUTES.iter().map(route).collect(), posts: POSTS.iter().map(Post::of).collect() };
        Self { world, places, agencies, staff, holders, agreement, pledge, today }
    }

    /// Renews everybody's session, and those of the officers, for as long as the answer is kept: a token lives ten minutes, however
    /// slow the machine is.
    pub fn stay(&self, officers: [&Actor; 2]) -> JoinSet<()> {
        let desks = self.staff.iter().chain(self.holders.iter().map(|holder| &holder.desk));
        let all: Vec<Actor> = desks.map(|desk| &desk.actor).chain(officers).cloned().collect();
        let mut staying = JoinSet::new();
        staying.spawn(async move {
            loop {
                for actor in &all {
                    actor.renew().await.unwrap();
                }
                tokio::time::sleep(RENEWED).await;
            }
        });
        staying
    }

    /// The certificates of each holder, once all are matched; a look shows hundreds, so it is not a way to wait long.
    pub async fn certificates(&self, lines: u32) -> Vec<Vec<certificates::Certificate>> {
        let each = |holder: u32| (lines - holder).div_ceil(HOLDERS) as usize;
        let mut all = Vec::new();
        for (holder, number) in self.holders.iter().zip(0..) {
            let actor = &holder.applicant.actor;
            let client = CertificatesClient::new(actor.channel(&actor.addresses.certificates).unwrap());
            let matched = wait::until("all certificates to be matched", ARRIVAL, async || {
                let request = certificates::ListMyCertificatesRequest::default();
                let listed = client.clone().list_my_certificates(request).await.ok()?.into_inner().certificates;
                (listed.len() == each(number)).then_some(listed)
            });
            all.push(matched.await.unwrap());
        }
        all
    }
}

/// Schools and points by place, agencies by their place in the list of all.
struct Units {
    schools: &'static [usize],
    points: &'static [usize],
    agencies: &'static [usize],
}

/// The staff: those of the demonstration, then the others, in the order of [`staff`].
const POSTS: [Units; 10] = [
    Units { schools: &[0], points: &[], agencies: &[] },
    Units { schools: &[], points: &[0], agencies: &[] },
    Units { schools: &[], points: &[], agencies: &[0] },
    Units { schools: &[], points: &[], agencies: &[2] },
    Units { schools: &[], points: &[], agencies: &[3] },
    Units { schools: &[1, 2, 3, 4], points: &[], agencies: &[] },
    Units { schools: &[], points: &[1, 2, 3, 4], agencies: &[] },
    Units { schools: &[], points: &[], agencies: &[1, 4] },
    Units { schools: &[], points: &[], agencies: &[3, 5] },
    Units { schools: &[], points: &[], agencies: &[5] },
];
const DEMONSTRATION: [&str; 5] = ["liaison", "clerk", "county", "city", "province"];

impl Post {
    fn of(units: &Units) -> Self {
        Self { schools: units.schools.to_vec(), points: units.points.to_vec(), agencies: units.agencies.to_vec() }
    }
}

async fn staff(cluster: &Cluster, chief: &Actor, places: &[Place], agencies: &[String]) -> Vec<Desk> {
    let layout = cluster.layout();
    let (credentials, addresses) = (call::staff(layout).unwrap(), layout.addresses());
    let mut staff = Vec::new();
    for name in DEMONSTRATION {
        let actor = Actor::sign_in(&addresses, &Letters::at(layout), &credentials[name]).await.unwrap();
        staff.push(Desk::of(actor));
    }
    for (units, number) in POSTS[DEMONSTRATION.len()..].iter().zip(0..) {
        let actor = newcomer(cluster, Teacher::new(STAFF + number)).await;
        let person = person_id(&actor).await;
        // The division of a school or point is that of its first agency, as far as its scope goes.
        let division = |place: usize| AGENCIES[ROUTES[place][0]].0;
        for place in units.schools {
            let county = if *place == 2 || *place == 3 { SCHOOLS[place - 1] } else { division(*place) };
            grant(chief, &person, Role::Liaison, county, &places[*place].school_id).await;
        }
        for place in units.points {
            grant(chief, &person, Role::Clerk, division(*place), &places[*place].point_id).await;
        }
        for agency in units.agencies {
            grant(chief, &person, Role::Reviewer, AGENCIES[*agency].0, &agencies[*agency]).await;
        }
        staff.push(Desk::of(with_second_factor(&actor).await));
    }
    staff
}

/// The places, and the ids of all agencies.
async fn places(cluster: &Cluster, seeded: &Seeded, chief: &Actor) -> (Vec<Place>, Vec<String>) {
    let reader = call::sign_in(cluster.layout(), "rules").await.unwrap();
    let mut directory = DirectoryClient::new(reader.channel(&reader.addresses.scheduling).unwrap());
    let mut known = BTreeMap::new();
    for (province, city) in [("32", "3203"), ("41", "4190")] {
        let (province, city) = (province.to_owned(), city.to_owned());
        let request = scheduling::ListAgenciesRequest { province, city, ..Default::default() };
        for agency in directory.list_agencies(request).await.unwrap().into_inner().agencies {
            known.insert(agency.division, agency.agency_id);
        }
    }
    let agencies: Vec<String> = AGENCIES.iter().map(|(division, _)| known[*division].clone()).collect();
    let mut places = vec![seeded.place.clone()];
    for (route, county) in ROUTES[1..].iter().zip(SCHOOLS) {
        let agency_id = agencies[route[0]].clone();
        let request = scheduling::ListSchoolsRequest { division: county.to_owned(), ..Default::default() };
        let school_id = directory.list_schools(request).await.unwrap().into_inner().schools.remove(0).school_id;
        let request = scheduling::ListPointsRequest { agency_id: agency_id.clone(), ..Default::default() };
        let point_id = directory.list_points(request).await.unwrap().into_inner().points.remove(0).point_id;
        places.push(Place { school_id, agency_id, point_id });
    }
    places.push(below_the_province(cluster, chief, &agencies).await);
    (places, agencies)
}

/// School, point, plan and window of 济源市.
async fn below_the_province(cluster: &Cluster, chief: &Actor, agencies: &[String]) -> Place {
    let officer = newcomer(cluster, Teacher::new(STAFF + 100)).await;
    grant(chief, &person_id(&officer).await, Role::ScheduleOfficer, AGENCIES[5].0, &agencies[5]).await;
    let officer = with_second_factor(&officer).await;
    let channel = officer.channel(&officer.addresses.scheduling).unwrap();
    let (mut directory, mut plans) = (DirectoryClient::new(channel.clone()), PlansClient::new(channel));
    let (agency_id, name) = (agencies[4].clone(), "济源市示例小学".to_owned());
    let request = scheduling::AddSchoolRequest {
        request_id: request_id(),
        name: name.clone(),
        division: AGENCIES[4].0.to_owned(),
        agency_id: agency_id.clone(),
        kind: PRIMARY_SCHOOL.to_owned(),
    };
    let added = wait::until("the officer to be known", ARRIVAL, async || {
        directory.add_school(request.clone()).await.ok().and_then(|added| added.into_inner().school)
    });
    let school_id = added.await.unwrap().school_id;
    let request = scheduling::AddPointRequest {
        request_id: request_id(),
        agency_id: agency_id.clone(),
        name,
        school_id: school_id.clone(),
        range: String::new(),
    };
    let added = wait::until("the school to be known", ARRIVAL, async || {
        directory.add_point(request.clone()).await.ok().and_then(|added| added.into_inner().point)
    });
    let point_id = added.await.unwrap().point_id;
    let request = scheduling::PublishPlanRequest {
        request_id: request_id(),
        province: "41".to_owned(),
        batch: "示例批次".to_owned(),
    };
    let plan_id = plans.publish_plan(request).await.unwrap().into_inner().plan_id;
    let request = scheduling::JoinAgencyRequest {
        request_id: request_id(),
        plan_id: plan_id.clone(),
        agency_id: agency_id.clone(),
        join_in: true,
        is_open: true,
    };
    plans.join_agency(request).await.unwrap();
    let now = lifecycle::clock::now().unix_timestamp();
    let at = |hours: i64| Some(prost_types::Timestamp { seconds: now + hours * 3_600, nanos: 0 });
    let request = scheduling::OpenWindowRequest {
        request_id: request_id(),
        plan_id: plan_id.clone(),
        agency_id: agency_id.clone(),
        begin_time: at(-1),
        end_time: at(24 * 30),
        grace_minutes: 0,
    };
    plans.open_window(request).await.unwrap();
    let assignment = scheduling::PointAssignment {
        point_id: point_id.clone(),
        confirm_begin_time: at(-1),
        confirm_end_time: at(24 * 60),
        range: "本单位在编在岗教师".to_owned(),
        ..Default::default()
    };
    let request = scheduling::AssignPointRequest { request_id: request_id(), plan_id, assignment: Some(assignment) };
    plans.assign_point(request).await.unwrap();
    Place { school_id, agency_id, point_id }
}

/// What a certificate can have behind it: ordinal, conclusion, days ago.
const PASTS: [&[(u32, &str, i64)]; 10] = [
    &[],
    &[(1, "注册合格", 1_795)],
    &[(1, "注册合格", 2_435)],
    &[(1, "注册合格", 3_957), (2, "注册合格", 1_978)],
    &[(1, "注册合格", 2_131), (2, "暂缓注册", 61)],
    &[(1, "暂缓注册", 91)],
    &[(1, "注册不合格", 91)],
    &[(1, "撤销注册", 2_191)],
    // Those that may not apply yet.
    &[(1, "注册合格", 730)],
    &[(1, "撤销注册", 365)],
];

/// A register whose certificates go round among the holders: half of them for the first time, the others with every kind of past.
fn register(lines: u32, today: Date, rng: &mut StdRng) -> String {
    const KINDS: [&str; 4] = ["幼儿园教师资格", "小学教师资格", "初级中学教师资格", "高级中学教师资格"];
    let mut file = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n".to_owned();
    for line in 0..lines {
        let teacher = Teacher::new(line % HOLDERS);
        let kind = rng.random_range(1..=4_usize);
        let past = if rng.random_bool(0.5) { PASTS[0] } else { PASTS[rng.random_range(1..PASTS.len())] };
        let certificate = format!(
            "{},{},200832003{kind}1{line:06},{},语文,徐州市教育局,2008-06-15",
            teacher.number(),
            teacher.name(),
            KINDS[kind - 1]
        );
        for (ordinal, conclusion, days_ago) in past {
            let on = today - time::Duration::days(*days_ago);
            writeln!(file, "{certificate},{ordinal},{conclusion},{on}").unwrap();
        }
        if past.is_empty() {
            writeln!(file, "{certificate},,,").unwrap();
        }
    }
    file
}

async fn import(cluster: &Cluster, file: &str) {
    let officer = call::sign_in(cluster.layout(), "register").await.unwrap();
    let options = certificates::ImportOptions { request_id: request_id(), ..Default::default() };
    let options = certificates::import_register_request::Part::Options(options);
    let chunk = |chunk: &[u8]| certificates::import_register_request::Part::Chunk(chunk.to_vec().into());
    let parts = std::iter::once(options).chain(file.as_bytes().chunks(CHUNK).map(chunk));
    let parts: Vec<_> = parts.map(|part| certificates::ImportRegisterRequest { part: Some(part) }).collect();
    let channel = officer.channel(&officer.addresses.certificates).unwrap();
    let mut client = certificates::sync_client::SyncClient::new(channel);
    let mut answers = client.import_register(stream::iter(parts)).await.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.rejected_rows, [], "the register is in order");
        last = Some(answer);
    }
    assert!(last.is_some_and(|last| last.done && last.rejected == 0));
}

async fn texts(holder: &Holder) -> (applications::Text, applications::Pledge) {
    let mut drafts = holder.desk.drafts.clone();
    let request = applications::ListTextsRequest { province: "32".to_owned() };
    let texts = drafts.list_texts(request).await.unwrap().into_inner().texts;
    let text = |name: &str| texts.iter().find(|text| text.name == name).unwrap().clone();
    let pledge = text("pledge");
    let pledge = applications::Pledge { accepted: true, text_version: pledge.version, text_digest: pledge.digest };
    (text("agreement"), pledge)
}
