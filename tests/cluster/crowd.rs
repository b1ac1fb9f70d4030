//! Ten thousand applications of all kinds through all levels, by random actors who also try what they may not do: each answer is the
//! one that the rules ask for; afterwards the log, the view, the lists and what everybody was told say the same.

mod facts;
mod fold;
mod ground;
mod life;
mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cluster::actor::{Actor, Letters};
use cluster::journey::{Place, request_id};
use cluster::{Cluster, Service, call, seed, settings};
use proto::applications::v1 as wire;
use proto::certificates::v1 as certificates;
use proto::certificates::v1::RestrictionKind;
use proto::certificates::v1::restrictions_client::RestrictionsClient;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use time::Date;
use time::macros::format_description;
use tokio::task::JoinSet;

use crate::checks;
use fold::All;
use ground::{Desk, Ground};
use life::Life;
use model::Prior;

/// Certificates; most have an application, some several, some may not have any yet.
const CERTIFICATES: u32 = 8_000;
/// Applications that there are afterwards, at least.
const APPLICATIONS: usize = 10_000;
/// Lives that go on at a time.
const AT_ONCE: usize = 96;
/// Steps of a life.
const STEPS: std::ops::RangeInclusive<usize> = 4..=14;
/// One certificate in so many is restricted in the middle; for half of these it is lifted again.
const RESTRICTED: f64 = 0.03;
/// Who has nothing to do with it once everybody is there: an application asks neither of them, and what they make of each event
/// would take half of the time.
const QUIET: [Service; 2] = [Service::Notifications, Service::Scheduling];
const SERVICES: [Service; 3] = [Service::Identity, Service::Certificates, Service::Applications];

/// What happens to applications, all of which has to happen.
const KINDS: [&str; 19] = [
    "PriorRegistrationRecorded",
    "ApplicationSubmitted",
    "ApplicationAmended",
    "ApplicationWithdrawn",
    "FactsRecorded",
    "ApplicationConfirmed",
    "ConfirmationRefused",
    "ApplicationReturned",
    "ReviewPassed",
    "ReviewSentBack",
    "ApplicationConcluded",
    "PublicityBegun",
    "PublicityEnded",
    "ObjectionRecorded",
    "ObjectionSettled",
    "CertificateNotePrinted",
    "ReversalProposed",
    "ConclusionReversed",
    "RegistrationRevoked",
];

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_applications_by_random_actors_are_what_log_view_lists_and_answers_say() {
    let seed = settings::read(settings::TEST_SEED).map_or_else(rand::random, |text| text.parse().unwrap());
    println!("{}={seed} does the same again", settings::TEST_SEED);
    let mut rng = StdRng::seed_from_u64(seed);
    let begin = tokio::time::Instant::now();
    let said = |what: &str| println!("{:.0?}: {what}", begin.elapsed());
    let mut cluster = Cluster::start().await.unwrap();
    let seeded = seed::fill(&cluster, 0, &|_| {}).await.unwrap();
    said("seeded");
    let ground = Arc::new(Ground::open(&cluster, &seeded, CERTIFICATES, &mut rng).await);
    said("ground open");
    let (operator, register) = (officer(&cluster, "operator").await, officer(&cluster, "register").await);
    let staying = ground.stay([&operator, &register]);
    checks::catch_up(&cluster, &operator, &Service::ALL).await;
    let held = ground.certificates(CERTIFICATES).await;
    checks::catch_up(&cluster, &operator, &Service::ALL).await;
    for service in QUIET {
        cluster.replica(service, 0).kill();
    }
    said("certificates matched");

    let mut lives = lives(&ground, held, &mut rng);
    lives = go_on(lives, |steps| steps / 2).await;
    said("first half");
    restrict(&register, &mut lives, &mut rng).await;
    checks::catch_up(&cluster, &operator, &SERVICES).await;
    lives = go_on(lives, |steps| steps / 4).await;
    said("third quarter");
    lift(&register, &mut lives, &mut rng).await;
    checks::catch_up(&cluster, &operator, &SERVICES).await;
    lives = go_on(lives, |steps| steps - steps / 2 - steps / 4).await;
    said("lives over");

    let refused: usize = lives.iter().map(|(life, _)| life.refused).sum();
    checks::catch_up(&cluster, &operator, &SERVICES).await;
    said("caught up");
    let (folded, kinds) = fold::fold(&cluster).await;
    println!("{} applications, {refused} refusals, {kinds:?}", folded.len());
    assert!(folded.len() >= APPLICATIONS, "{}", folded.len());
    let missing: Vec<&str> = KINDS.into_iter().filter(|kind| !kinds.contains_key(*kind)).collect();
    assert_eq!(missing, [""; 0], "nobody did this");
    answers_are_the_fold(&ground, &lives, &folded);
    view_is_the_fold(&cluster, &folded).await;
    lists_are_the_fold(&ground, &folded).await;

    said("compared");
    let before = fold::digest(&fold::shown(&cluster).await);
    for view in ["applications", "rules", "texts"] {
        checks::view_rebuilds_alike(&cluster, &operator, Service::Applications, view).await;
    }
    assert_eq!(fold::digest(&fold::shown(&cluster).await), before, "the rebuilt table differs");
    said("rebuilt");
    checks::log_verifies(&cluster, &operator, Service::Applications).await;
    drop(staying);
}

type Lives = Vec<(Life, usize)>;

/// A life for each certificate, with how many steps it takes.
fn lives(ground: &Arc<Ground>, held: Vec<Vec<certificates::Certificate>>, rng: &mut StdRng) -> Lives {
    let days_ago = |date: &str| {
        let date = Date::parse(date, format_description!("[year]-[month]-[day]")).unwrap();
        (ground.today - date).whole_days()
    };
    let prior = |prior: &certificates::PriorRegistration| Prior {
        ordinal: prior.ordinal,
        conclusion: prior.conclusion(),
        days_ago: days_ago(&prior.conclude_date),
    };
    let mut lives = Lives::new();
    for (holder, certificates) in held.into_iter().enumerate() {
        for certificate in certificates {
            let priors = certificate.prior_registrations.iter().map(prior).collect();
            let life = Life::new(ground, rng.random(), holder, &certificate.certificate_id, certificate.kind, priors);
            lives.push((life, rng.random_range(STEPS)));
        }
    }
    lives
}

/// All lives go on for a part of their steps, many at a time.
async fn go_on(lives: Lives, part: fn(usize) -> usize) -> Lives {
    let mut shares: Vec<Lives> = (0..AT_ONCE).map(|_| Vec::new()).collect();
    for (place, life) in lives.into_iter().enumerate() {
        shares[place % AT_ONCE].push(life);
    }
    let mut tasks = JoinSet::new();
    for mut share in shares {
        tasks.spawn(async move {
            for (life, steps) in &mut share {
                life.live(part(*steps)).await;
            }
            share
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// Restrictions appear.
async fn restrict(register: &Actor, lives: &mut [(Life, usize)], rng: &mut StdRng) {
    const KINDS: [RestrictionKind; 4] = [
        RestrictionKind::Forfeited,
        RestrictionKind::RevokedConduct,
        RestrictionKind::RevokedFraud,
        RestrictionKind::ExamCheating,
    ];
    let client = restrictions(register);
    for (life, _) in lives {
        if !rng.random_bool(RESTRICTED) {
            continue;
        }
        let kind = KINDS[rng.random_range(0..KINDS.len())];
        let request = certificates::RestrictCertificateRequest {
            request_id: request_id(),
            certificate_id: life.certificate_id.clone(),
            kind: kind.into(),
            end_date: String::new(),
            file_reference: "示例〔2026〕2号".to_owned(),
        };
        client.clone().restrict_certificate(request).await.unwrap();
        life.restrict(Some(kind));
    }
}

/// Half of them are lifted.
async fn lift(register: &Actor, lives: &mut [(Life, usize)], rng: &mut StdRng) {
    let client = restrictions(register);
    for (life, _) in lives.iter_mut().filter(|(life, _)| life.record.restriction.is_some()) {
        if rng.random_bool(0.5) {
            let request = certificates::LiftRestrictionRequest {
                request_id: request_id(),
                certificate_id: life.certificate_id.clone(),
                file_reference: "示例〔2026〕3号".to_owned(),
            };
            client.clone().lift_restriction(request).await.unwrap();
            life.restrict(None);
        }
    }
}

fn restrictions(register: &Actor) -> RestrictionsClient<cluster::actor::Channel> {
    RestrictionsClient::new(register.channel(&register.addresses.certificates).unwrap())
}

/// A demonstration actor with a session that can be renewed: once notifications is gone, nobody signs in.
async fn officer(cluster: &Cluster, who: &str) -> Actor {
    let layout = cluster.layout();
    let staff = call::staff(layout).unwrap();
    Actor::sign_in(&layout.addresses(), &Letters::at(layout), &staff[who]).await.unwrap()
}

/// What everybody was told last is what the log says.
fn answers_are_the_fold(ground: &Ground, lives: &[(Life, usize)], folded: &All) {
    let mut told = BTreeSet::new();
    for (life, _) in lives {
        for application in &life.record.applications {
            let number = &application.key.enrolment_number;
            let said = &folded[number];
            let outcome = application.outcome(&ground.world, application.version);
            assert_eq!(
                (said.status, said.level, said.conclusion, said.version, said.ordinal),
                (outcome.status, outcome.level, outcome.conclusion, outcome.version, application.ordinal),
                "{number}: the log and the answers differ"
            );
            told.insert(number.clone());
        }
    }
    let recorded: BTreeSet<String> = folded.keys().cloned().collect();
    assert_eq!(told, recorded, "an application that nobody was told of, or the other way round");
}

async fn view_is_the_fold(cluster: &Cluster, folded: &All) {
    let (wanted, shown) = (fold::lines(folded), fold::shown(cluster).await);
    let differing = wanted.iter().zip(&shown).find(|(wanted, shown)| wanted != shown);
    assert_eq!(differing, None, "the first line that differs");
    assert_eq!(fold::digest(&wanted), fold::digest(&shown), "{} lines and {}", wanted.len(), shown.len());
}

/// Everybody's list holds exactly what lies in their scope, newest first, and as much of each status as the fold counts.
async fn lists_are_the_fold(ground: &Ground, folded: &All) {
    for (post, desk) in ground.world.posts.iter().zip(&ground.staff) {
        let units = |units: &[usize], of: fn(&Place) -> &String| -> BTreeSet<String> {
            units.iter().map(|place| of(&ground.places[*place]).clone()).collect()
        };
        let schools = units(&post.schools, |place| &place.school_id);
        let points = units(&post.points, |place| &place.point_id);
        // Its own agency, and those below it.
        let below =
            ground.world.routes.iter().filter(|route| route.0.iter().any(|(agency, _)| post.agencies.contains(agency)));
        let agencies: BTreeSet<String> = below.map(|route| ground.agencies[route.0[0].0].clone()).collect();
        let mine = folded.values().filter(|one| {
            schools.contains(&one.school_id) || points.contains(&one.point_id) || agencies.contains(&one.agency_id)
        });
        let mut wanted: Vec<_> = mine.map(|one| (std::cmp::Reverse(one.position), one)).collect();
        wanted.sort_by_key(|(position, _)| *position);
        let mut counts: BTreeMap<i32, usize> = BTreeMap::new();
        for (_, one) in &wanted {
            *counts.entry(one.status).or_default() += 1;
        }

        let listed = list(desk, None).await;
        assert_eq!(listed.len(), wanted.len(), "{post:?}");
        for (listed, (_, wanted)) in listed.iter().zip(&wanted) {
            let number = &listed.key.as_ref().unwrap().enrolment_number;
            assert_eq!(
                (number, listed.status, listed.level, listed.conclusion, listed.version),
                (&wanted.enrolment_number, wanted.status, wanted.level, wanted.conclusion, wanted.version),
                "{post:?}"
            );
        }
        let by = vec![wire::CountBy::Status.into()];
        let request = wire::CountApplicationsRequest { by, ..Default::default() };
        let counted = desk.statistics.clone().count_applications(request).await.unwrap().into_inner();
        assert_eq!(usize::try_from(counted.total), Ok(wanted.len()), "{post:?}");
        let counted: BTreeMap<i32, usize> =
            counted.counts.iter().map(|group| (group.status, usize::try_from(group.count).unwrap())).collect();
        assert_eq!(counted, counts, "{post:?}");
        for status in [wire::Status::PendingOnlineConfirmation, wire::Status::Withdrawn] {
            let entries = list(desk, Some(status)).await.len();
            assert_eq!(entries, counts.get(&status.into()).copied().unwrap_or_default(), "{post:?} {status:?}");
        }
        groups_are_the_fold(desk, wanted.into_iter().map(|(_, one)| one)).await;
        due_are_counted_as_listed(desk).await;
    }
}

/// What tells groups apart: agency, point, school, stage, status, level, conclusion.
type Group = (String, String, String, i32, i32, i32, i32);

/// Told apart by everything, there are as many in each group as the fold has.
async fn groups_are_the_fold(desk: &Desk, wanted: impl Iterator<Item = &fold::Folded>) {
    use wire::CountBy::{Agency, Conclusion, Level, Point, School, Stage, Status};
    let mut groups: BTreeMap<Group, i64> = BTreeMap::new();
    for one in wanted {
        let (agency, point, school) = (one.agency_id.clone(), one.point_id.clone(), one.school_id.clone());
        let group = (agency, point, school, one.stage, one.status, one.level, one.conclusion);
        *groups.entry(group).or_default() += 1;
    }
    let by = [Agency, Point, School, Stage, Status, Level, Conclusion].map(i32::from).to_vec();
    let request = wire::CountApplicationsRequest { by, ..Default::default() };
    let counted = desk.statistics.clone().count_applications(request).await.unwrap().into_inner().counts;
    let counted = counted.into_iter().filter(|group| group.count > 0).map(|group| {
        let units = (group.agency_id, group.point_id, group.school_id);
        ((units.0, units.1, units.2, group.stage, group.status, group.level, group.conclusion), group.count)
    });
    assert_eq!(counted.collect::<BTreeMap<Group, i64>>(), groups);
}

/// Whoever sees due certificates sees as many as are counted, and by the same agencies and half-years.
async fn due_are_counted_as_listed(desk: &Desk) {
    let mut client = desk.due_dates.clone();
    let (mut listed, mut page_token): (BTreeMap<(String, i32, i32), i64>, _) = (BTreeMap::new(), String::new());
    loop {
        let request = wire::ListDueCertificatesRequest { page_size: 200, page_token, ..Default::default() };
        let page = client.list_due_certificates(request).await.unwrap().into_inner();
        for due in page.certificates {
            let (year, month) = (due.expiry_date[..4].parse().unwrap(), due.expiry_date[5..7].parse::<i32>().unwrap());
            *listed.entry((due.agency_id, year, (month + 5) / 6)).or_default() += 1;
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let counted = client.count_due(wire::CountDueRequest::default()).await.unwrap().into_inner();
    assert_eq!(counted.total, listed.values().sum::<i64>());
    let groups = counted.counts.into_iter().map(|group| ((group.agency_id, group.year, group.half), group.count));
    assert_eq!(groups.collect::<BTreeMap<_, _>>(), listed);
}

async fn list(desk: &Desk, status: Option<wire::Status>) -> Vec<wire::ApplicationSummary> {
    let (mut client, mut listed, mut page_token) = (desk.applications.clone(), Vec::new(), String::new());
    loop {
        let statuses = status.into_iter().map(i32::from).collect();
        let filter = Some(wire::ApplicationFilter { statuses, ..Default::default() });
        let request = wire::ListApplicationsRequest { filter, page_size: 200, page_token, min_position: 0 };
        let page = client.list_applications(request).await.unwrap().into_inner();
        listed.extend(page.applications);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return listed;
        }
    }
}
