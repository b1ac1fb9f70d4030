//! Golden samples: every version of every stored event that was ever written decodes for ever.

use scheduling::domain::agency::{self, Abolition, Agency};
use scheduling::domain::division::{Code, Level};
use scheduling::domain::graduate_school::{self, GraduateSchool, GraduateSchoolAdded};
use scheduling::domain::id::{AgencyId, GraduateSchoolId, PlanId, PointId, SchoolId, WindowId};
use scheduling::domain::name::Name;
use scheduling::domain::plan::{Assignment, Event};
use scheduling::domain::point::{self, Point};
use scheduling::domain::school::{self, Kind, School};
use scheduling::domain::subject::{self, Stage, Subject};
use scheduling::domain::window::Window;
use scheduling::store::Stored;
use time::macros::{date, datetime};
use uuid::Uuid;

/// Opened, extended and closed alike.
const WINDOW: &str = "\
    0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d303030302d30\
    3030302d303030302d3030303030303030303030321a3a0a2430303030303030302d303030302d303030302d303030302d303030303030\
    30303030303512060890a9f5d6061a060890e8abd706201e2802";

pub(crate) const STREAM: Uuid = Uuid::from_u128(1);

fn code(digits: &str) -> Code {
    Code::parse(digits).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// The sample must be what is written today, and must be read as what it was.
#[track_caller]
pub(crate) fn golden<E: Stored + PartialEq + std::fmt::Debug>(event: &E, kind: &str, sample: &str) {
    let (written_kind, payload) = event.write(STREAM);
    assert_eq!(written_kind, format!("dingzhu.scheduling.v1.{kind}"));
    assert_eq!(
        hex::encode(&payload),
        sample,
        "{kind} is written in another form: keep this sample, add one of the new form"
    );
    assert_eq!(E::read(&written_kind, &payload).as_ref(), Some(event), "{kind}");
    assert_eq!(E::read("dingzhu.scheduling.v1.Unheard", &payload), None);
}

fn window() -> Window {
    Window {
        id: WindowId(Uuid::from_u128(5)),
        begin: datetime!(2026-10-25 01:00 UTC),
        end: datetime!(2026-11-04 09:00 UTC),
        grace_minutes: 30,
        revision: 2,
    }
}

fn agency_id() -> AgencyId {
    AgencyId(Uuid::from_u128(2))
}

#[test]
fn an_agency_of_the_first_version_decodes() {
    let agency = Agency {
        id: agency_id(),
        division: code("3203"),
        name: name("徐州市教育局"),
        level: Level::City,
        parent: Some(AgencyId(Uuid::from_u128(3))),
    };
    golden(
        &agency::Event::AgencyAdded(agency),
        "AgencyAdded",
        "\
        0a6a0a2430303030303030302d303030302d303030302d303030302d30303030303030303030303212063332303330301a12e5be90\
        e5b79ee5b882e69599e882b2e5b18020032a2430303030303030302d303030302d303030302d303030302d30303030303030303030\
        3033",
    );
}

#[test]
fn a_point_of_the_first_version_decodes() {
    let point = Point {
        id: PointId(Uuid::from_u128(4)),
        agency: agency_id(),
        name: name("徐州市第一中学"),
        division: code("320302"),
        school: Some(SchoolId(Uuid::from_u128(6))),
        range: String::new(),
    };
    golden(
        &point::Event::PointAdded(point),
        "PointAdded",
        "\
        0a91010a2430303030303030302d303030302d303030302d303030302d303030303030303030303034122430303030303030302d30\
        3030302d303030302d303030302d3030303030303030303030321a15e5be90e5b79ee5b882e7acace4b880e4b8ade5ada622063332\
        303330322a2430303030303030302d303030302d303030302d303030302d303030303030303030303036",
    );
}

#[test]
fn a_school_of_the_first_version_decodes() {
    let school = School {
        id: SchoolId(Uuid::from_u128(6)),
        name: name("徐州市第一中学"),
        division: code("320302"),
        agency: agency_id(),
        kind: Kind::parse("34").unwrap(),
    };
    golden(
        &school::Event::SchoolAdded(school),
        "SchoolAdded",
        "\
        0a6f0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030361215e5be90e5b79ee5b882e7ac\
        ace4b880e4b8ade5ada61a06333230333032222430303030303030302d303030302d303030302d303030302d303030303030303030\
        3030322a023334",
    );
}

#[test]
fn what_becomes_of_an_agency_decodes() {
    let (agency, day) = (agency_id(), date!(2020 - 07 - 01));
    let renamed = agency::Event::AgencyRenamed { agency, name: name("徐州市教育体育局"), since: day };
    golden(
        &renamed,
        "AgencyRenamed",
        "\
        0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030321218e5be90e5b79ee5b882e69599e8\
        82b2e4bd93e882b2e5b1801a0a323032302d30372d3031",
    );
    let abolition = Abolition { on: day, successor: Some(AgencyId(Uuid::from_u128(3))) };
    golden(
        &agency::Event::AgencyAbolished { agency, abolition },
        "AgencyAbolished",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303032120a323032302d30372d30311a2430\
        303030303030302d303030302d303030302d303030302d303030303030303030303033",
    );
    let abolition = Abolition { on: day, successor: None };
    golden(
        &agency::Event::AgencyAbolished { agency, abolition },
        "AgencyAbolished",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303032120a323032302d30372d3031",
    );
}

#[test]
fn a_point_with_a_range_and_what_becomes_of_it_decodes() {
    let id = PointId(Uuid::from_u128(4));
    let point = Point {
        id,
        agency: agency_id(),
        name: name("政务中心"),
        division: code("320300"),
        school: None,
        range: "市直属学校教师".to_owned(),
    };
    golden(
        &point::Event::PointAdded(point),
        "PointAdded",
        "\
        0a790a2430303030303030302d303030302d303030302d303030302d303030303030303030303034122430303030303030302d3030\
        30302d303030302d303030302d3030303030303030303030321a0ce694bfe58aa1e4b8ade5bf8322063332303330303215e5b882e7\
        9bb4e5b19ee5ada6e6a0a1e69599e5b888",
    );
    golden(
        &point::Event::PointRenamed { point: id, name: name("服务大厅") },
        "PointRenamed",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303034120ce69c8de58aa1e5a4a7e58e85",
    );
    golden(
        &point::Event::PointRangeSet { point: id, range: "全市教师".to_owned() },
        "PointRangeSet",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303034120ce585a8e5b882e69599e5b888",
    );
    golden(
        &point::Event::PointClosed { point: id },
        "PointClosed",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303034",
    );
}

#[test]
fn what_becomes_of_a_school_decodes() {
    let school = SchoolId(Uuid::from_u128(6));
    golden(
        &school::Event::SchoolRenamed { school, name: name("徐州一中") },
        "SchoolRenamed",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303036120ce5be90e5b79ee4b880e4b8ad",
    );
    golden(
        &school::Event::SchoolMoved { school, agency: agency_id() },
        "SchoolMoved",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303036122430303030303030302d30303030\
        2d303030302d303030302d303030303030303030303032",
    );
    golden(
        &school::Event::SchoolClosed { school },
        "SchoolClosed",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303036",
    );
}

#[test]
fn what_a_province_says_of_subjects_decodes() {
    let (province, stage) = (code("32"), Stage::Primary);
    let subject = || Subject::parse("书法").unwrap();
    golden(
        &subject::Event::SubjectAdded { province, stage, subject: subject() },
        "SubjectAdded",
        "\
        0a02333210021a06e4b9a6e6b395",
    );
    let on = subject::Event::SubjectSwitched { province, stage, subject: subject(), on: true };
    golden(
        &on,
        "SubjectSwitched",
        "\
        0a02333210021a06e4b9a6e6b3952001",
    );
    let off = subject::Event::SubjectSwitched { province, stage, subject: subject(), on: false };
    golden(
        &off,
        "SubjectSwitched",
        "\
        0a02333210021a06e4b9a6e6b395",
    );
}

#[test]
fn a_graduate_school_decodes() {
    let school = GraduateSchool {
        id: GraduateSchoolId(Uuid::from_u128(7)),
        name: name("江苏师范大学"),
        province: Some(code("32")),
        kind: graduate_school::Kind::parse("1").unwrap(),
    };
    golden(
        &GraduateSchoolAdded(school.clone()),
        "GraduateSchoolAdded",
        "\
        0a410a2430303030303030302d303030302d303030302d303030302d3030303030303030303030371212e6b19fe88b8fe5b888e88c\
        83e5a4a7e5ada61a023332220131",
    );
    let kind = graduate_school::Kind::parse("4").unwrap();
    golden(
        &GraduateSchoolAdded(GraduateSchool { province: None, kind, ..school }),
        "GraduateSchoolAdded",
        "\
        0a3d0a2430303030303030302d303030302d303030302d303030302d3030303030303030303030371212e6b19fe88b8fe5b888e88c\
        83e5a4a7e5ada6220134",
    );
}

#[test]
fn events_of_a_plan_of_the_first_version_decode() {
    let (plan, agency) = (PlanId(STREAM), agency_id());
    let batch = "2026年秋季".to_owned();
    let published = Event::PlanPublished { plan, province: code("32"), batch };
    golden(
        &published,
        "PlanPublished",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031120233321a0d32303236e5b9b4e7a7\
        8be5ada3",
    );
    golden(
        &Event::PlanFinished,
        "PlanFinished",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031",
    );
    let joined = Event::AgencyJoined { agency, join_in: true, is_open: false };
    golden(
        &joined,
        "AgencyJoined",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30303030\
        2d303030302d303030302d3030303030303030303030321801",
    );
    golden(&Event::WindowOpened { agency, window: window() }, "WindowOpened", WINDOW);
    golden(&Event::WindowExtended { agency, window: window() }, "WindowExtended", WINDOW);
    golden(&Event::WindowClosed { agency, window: window() }, "WindowClosed", WINDOW);
    golden(
        &Event::WindowCancelled { agency, window: window().id },
        "WindowCancelled",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30303030\
        2d303030302d303030302d3030303030303030303030321a2430303030303030302d303030302d303030302d303030302d30303030\
        3030303030303035",
    );
    let assignment = Assignment {
        point: PointId(Uuid::from_u128(4)),
        confirm_begin: datetime!(2026-11-05 01:00 UTC),
        confirm_end: datetime!(2026-11-18 09:00 UTC),
        range: "本校教师".to_owned(),
        notes: "请携带证书原件".to_owned(),
    };
    golden(
        &Event::PointAssigned { agency, assignment },
        "PointAssigned",
        "\
        0a2430303030303030302d303030302d303030302d303030302d303030303030303030303031122430303030303030302d30303030\
        2d303030302d303030302d3030303030303030303030321a5b0a2430303030303030302d303030302d303030302d303030302d3030\
        3030303030303030303412060890aaafd7061a060890d2f5d706220ce69cace6a0a1e69599e5b8882a15e8afb7e690bae5b8a6e8af\
        81e4b9a6e58e9fe4bbb6",
    );
}
