//! One teacher, one school, one point and three agencies of Xuzhou, for tests of the rules.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use time::macros::{date, datetime};
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

use crate::domain::assessment::{Assessment, Proposal};
use crate::domain::codes::CodeTables;
use crate::domain::directory::{Agency, AgencyPlan, Assignment, Directory, Plan, Point, Window};
use crate::domain::enrolment_number::EnrolmentNumber;
use crate::domain::facts::{Facts, Finding, Grade};
use crate::domain::form::{Coded, Personal};
use crate::domain::opening::admit;
use crate::domain::registration::{
    Amend, CertificateFacts, Concluded, Event, Officer, Order, Prior, Submit, Submitted,
};
use crate::domain::route::Route;
use crate::domain::rules::{RuleSet, SchoolScope, TrainingUnit};
use crate::domain::text::TextRef;
use crate::domain::values::{CertificateKind, Conclusion, Level, Restriction, Stage};

pub(crate) const TEACHER: Uuid = Uuid::from_u128(0x10);
pub(crate) const DRAFT: Uuid = Uuid::from_u128(0x11);
pub(crate) const SCHOOL: Uuid = Uuid::from_u128(0x20);
pub(crate) const POINT: Uuid = Uuid::from_u128(0x21);
pub(crate) const OTHER_POINT: Uuid = Uuid::from_u128(0x22);
pub(crate) const COUNTY: Uuid = Uuid::from_u128(0x30);
pub(crate) const CITY: Uuid = Uuid::from_u128(0x31);
pub(crate) const PROVINCE: Uuid = Uuid::from_u128(0x32);
pub(crate) const PLAN: Uuid = Uuid::from_u128(0x40);
pub(crate) const WINDOW: Uuid = Uuid::from_u128(0x41);
pub(crate) const NOW: OffsetDateTime = datetime!(2026-11-23 02:00 UTC);
pub(crate) const TODAY: Date = date!(2026 - 11 - 23);

pub(crate) fn rules() -> RuleSet {
    RuleSet {
        province: "32".to_owned(),
        version: 1,
        interval_months: 54,
        cycle_months: 60,
        revocation_bar_years: 5,
        training_unit: TrainingUnit::Hours,
        training_per_cycle_min: 360.0,
        training_per_year_min: None,
        interruption_semesters: 1.0,
        interruption_inclusive: true,
        school_year: false,
        levels: Vec::new(),
        first_registration_full_check: false,
        reapply_after_failed_days: 0,
        extra_required_fields: Vec::new(),
        qualifying_grades: vec![Grade::Excellent, Grade::Qualified],
        schools_in_scope: SchoolScope::ALL.to_vec(),
        review_working_days: 90,
        publicity_working_days: 0,
        reconsideration_days: 60,
        litigation_months: 6,
        effective_from: None,
    }
}

pub(crate) fn directory() -> Directory {
    let agency = |division: &str, level, parent| Agency {
        division: division.to_owned(),
        names: BTreeMap::from([(time::Date::MIN, format!("{division}教育局"))]),
        abolished_on: None,
        level: Some(level),
        parent,
    };
    let window = Window {
        id: WINDOW,
        begin: NOW - Duration::days(3),
        end: NOW + Duration::days(7),
        grace_minutes: 30,
        revision: 1,
    };
    let dates = Assignment { begin: NOW - Duration::days(1), end: NOW + Duration::days(20) };
    let county = AgencyPlan {
        joined: true,
        open: true,
        windows: vec![window],
        assignments: HashMap::from([(POINT, dates), (OTHER_POINT, dates)]),
    };
    Directory {
        agencies: HashMap::from([
            (COUNTY, agency("320303", Level::County, Some(CITY))),
            (CITY, agency("320300", Level::City, Some(PROVINCE))),
            (PROVINCE, agency("320000", Level::Province, None)),
        ]),
        points: [POINT, OTHER_POINT]
            .map(|id| (id, Point { agency: COUNTY, name: "确认点".to_owned(), closed: false }))
            .into(),
        subjects: HashMap::new(),
        plans: HashMap::from([("32".to_owned(), Plan { id: PLAN, finished: false })]),
        agency_plans: HashMap::from([((PLAN, COUNTY), county)]),
    }
}

pub(crate) fn codes() -> CodeTables {
    let table =
        |codes: &[&str]| codes.iter().map(|code| ((*code).to_owned(), String::new())).collect::<BTreeMap<_, _>>();
    let tables = [
        ("putonghua_jyt1001", table(&["0", "1", "2", "3", "4", "5", "6"])),
        ("education_gbt4658", table(&["11", "21", "31", "41", "49", "61", "63", "71", "81", "90"])),
        ("degree_gbt6864", table(&["000", "407", "444"])),
        ("major_category_ours", table(&["1", "2"])),
        ("study_form_ours", table(&["1", "2", "3", "4", "5", "6", "7", "9"])),
        ("school_nature_ours", table(&["1", "2", "9"])),
        ("school_location_ours", table(&["1", "2", "3"])),
        ("title_gbt8561_teachers", table(&["022", "045", "052", "053", "414", "999"])),
        ("title_2015_ours", table(&["Z1", "Z2", "Z9"])),
        ("post_nature_ours", table(&["1", "2", "3", "4"])),
        ("political_gbt4762", table(&["01", "13"])),
    ];
    let subjects = [("小学", vec!["语文", "科学"]), ("初级中学", vec!["语文", "物理"])];
    CodeTables::new(
        1,
        tables.into_iter().map(|(name, table)| (name.to_owned(), table)).collect(),
        subjects
            .into_iter()
            .map(|(name, list)| (name.to_owned(), list.into_iter().map(str::to_owned).collect()))
            .collect(),
        BTreeMap::new(),
    )
}

pub(crate) fn personal() -> Personal {
    Personal {
        putonghua_number: "3213012345678".into(),
        graduation_date: "2010-06-30".into(),
        birth_place: "徐州市".into(),
        household_place: "徐州市云龙区".into(),
        address: "徐州市云龙区示范路1号".into(),
        postcode: "221000".into(),
        telephone: String::new(),
        mobile: "10000000000".into(),
        email: "teacher@school.example".into(),
    }
}

pub(crate) fn coded() -> Coded {
    Coded {
        putonghua_level: "3".into(),
        education: "21".into(),
        degree: "407".into(),
        major_category: "1".into(),
        major: "物理学".into(),
        graduate_school: "示范大学".into(),
        study_form: "1".into(),
        school: Some(SCHOOL),
        school_nature: "1".into(),
        school_location: "1".into(),
        work_start_date: "2010-09-01".into(),
        employment_date: "2012-09-01".into(),
        title: "053".into(),
        post_nature: "1".into(),
        political_status: "13".into(),
        stage: Some(Stage::Junior),
        subject: "物理".into(),
        agency: Some(COUNTY),
        point: Some(POINT),
    }
}

pub(crate) fn number(serial: u32) -> EnrolmentNumber {
    EnrolmentNumber::new(2026, "320303", serial).unwrap()
}

pub(crate) fn text() -> TextRef {
    TextRef { version: 1, digest: "0".repeat(64) }
}

pub(crate) fn route() -> Route {
    Route::of(&directory().chain(COUNTY), &rules()).unwrap()
}

/// The teacher's own.
pub(crate) fn certificate(restriction: Option<Restriction>) -> CertificateFacts {
    let (kind, person) = (CertificateKind::Junior, Some(TEACHER));
    CertificateFacts { kind, person, restriction, restricted_until: None }
}

pub(crate) fn submit(serial: u32) -> Submit {
    Submit {
        number: number(serial),
        person: TEACHER,
        draft: Uuid::from_u128(DRAFT.as_u128() << 32 | u128::from(serial)),
        certificate: Some(certificate(None)),
        form: coded(),
        place: coded().place().unwrap(),
        admission: admit(&directory(), COUNTY, POINT, NOW, None),
        agreement: Some(text()),
        shown_agreement: text(),
        pledge: Some(text()),
        route: Some(route()),
        rules: Arc::new(rules()),
        today: TODAY,
    }
}

pub(crate) fn amend(serial: u32) -> Amend {
    Amend {
        number: number(serial),
        person: TEACHER,
        form: coded(),
        place: coded().place().unwrap(),
        transfer: Ok(()),
        pledge: Some(text()),
        route: Some(route()),
        rules: rules().reference(),
        assignment: directory().assignment(WINDOW, COUNTY, POINT),
        now: NOW,
    }
}

/// The event that [`submit`] leads to on an empty record, with an ordinal.
pub(crate) fn submitted(serial: u32, ordinal: u32) -> Event {
    Event::ApplicationSubmitted(Box::new(Submitted {
        number: number(serial),
        person: TEACHER,
        draft: submit(serial).draft,
        ordinal,
        kind: CertificateKind::Junior,
        form: coded(),
        place: coded().place().unwrap(),
        window: WINDOW,
        window_revision: 1,
        with_ticket: false,
        agreement: text(),
        pledge: text(),
        route: route(),
        rules: rules().reference(),
        on: TODAY,
    }))
}

/// A conclusion of the first application today.
pub(crate) fn concluded_as(conclusion: Conclusion, articles: &[&str]) -> Event {
    let qualified = Assessment { proposal: Proposal::Qualified, articles: Vec::new(), explanations: Vec::new() };
    Event::ApplicationConcluded(Box::new(Concluded {
        number: number(1),
        ordinal: 1,
        conclusion,
        on: TODAY,
        rules: rules().reference(),
        level: Level::Province,
        articles: articles.iter().map(|article| (*article).to_owned()).collect(),
        assessment: qualified,
    }))
}

pub(crate) fn prior(ordinal: u32, conclusion: Conclusion, on: Date) -> Event {
    Event::PriorRegistrationRecorded(Prior { ordinal, conclusion, on, merged_from: None })
}

/// Facts that lead to 注册合格, of a first registration and of any cycle around today.
pub(crate) fn facts() -> Facts {
    Facts {
        ethics: Some(Finding::Passed),
        grades: (2015..=2027).map(|year| (year, Grade::Qualified)).collect(),
        training_total: Some(360.0),
        health: Some(Finding::Passed),
        probation: Some(Finding::Passed),
        contract: Some(Finding::Passed),
        ..Facts::default()
    }
}

pub(crate) fn liaison() -> Officer {
    Officer { person: Uuid::from_u128(0x50), schools: vec![SCHOOL], ..Officer::default() }
}

pub(crate) fn clerk() -> Officer {
    Officer { person: Uuid::from_u128(0x51), points: vec![POINT], ..Officer::default() }
}

pub(crate) fn reviewer(agency: Uuid) -> Officer {
    Officer { person: Uuid::from_u128(0x60 + agency.as_u128()), agencies: vec![agency], ..Officer::default() }
}

pub(crate) fn order(by: Officer) -> Order {
    Order { number: number(1), by }
}
