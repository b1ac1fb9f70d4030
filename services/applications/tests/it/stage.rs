//! One county with its point and school, a window around now, and people who act.

use std::time::Duration;

use applications::Applications;
use applications::config::Settings;
use proto::applications::v1::applications_client::ApplicationsClient;
use proto::applications::v1::confirmation_client::ConfirmationClient;
use proto::applications::v1::drafts_client::DraftsClient;
use proto::applications::v1::review_client::ReviewClient;
use proto::applications::v1::rules_client::RulesClient;
use proto::applications::v1::{self as wire};
use proto::certificates::v1 as register;
use proto::identity::v1::Role;
use proto::scheduling::v1 as scheduling;
use proto::types::v1::{AgencyLevel, CertificateKind, Conclusion, Stage as TeachingStage};
use rpc::{ReadRefusal, Refusal};
use service::testing::{Channel, Neighbour, Running, start};
use tonic::{Response, Status};
use uuid::Uuid;

use crate::neighbours;

pub(crate) const COUNTY: Uuid = Uuid::from_u128(0x30);
pub(crate) const CITY: Uuid = Uuid::from_u128(0x31);
pub(crate) const PROVINCE: Uuid = Uuid::from_u128(0x32);
pub(crate) const POINT: Uuid = Uuid::from_u128(0x21);
pub(crate) const OTHER_POINT: Uuid = Uuid::from_u128(0x22);
pub(crate) const SCHOOL: Uuid = Uuid::from_u128(0x20);
const PLAN: Uuid = Uuid::from_u128(0x40);
const WINDOW: Uuid = Uuid::from_u128(0x41);
const HOUR: i64 = 3_600;
const RESTRICTED: &str = "SELECT count(*) FROM views.certificate WHERE restriction IS NOT NULL";
const CONFLICTS: &str = "SELECT coalesce(sum(conflicts), 0) FROM views.certificate";

pub(crate) struct Stage {
    pub(crate) running: Running<Applications>,
    pub(crate) reveals: neighbours::Reveals,
}

/// A teacher and their certificate.
#[derive(Clone)]
pub(crate) struct Teacher {
    pub(crate) person: Uuid,
    pub(crate) certificate: Uuid,
}

/// Seconds from now.
pub(crate) fn at(seconds: i64) -> prost_types::Timestamp {
    rpc::timestamp(lifecycle::clock::now() + time::Duration::seconds(seconds))
}

pub(crate) fn request_id() -> String {
    lifecycle::ids::random().to_string()
}

#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> ReadRefusal {
    Refusal::from_status(&answer.unwrap_err())
}

#[track_caller]
pub(crate) fn reason<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    refused(answer).reason
}

/// Asks until there is an answer.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Stage {
    /// With the window open from an hour ago for a day.
    pub(crate) async fn start() -> Self {
        Self::with_window(-HOUR, 24 * HOUR).await
    }

    /// With a window from and to so many seconds from now, half an hour of grace, and confirmation around it.
    pub(crate) async fn with_window(begin: i64, end: i64) -> Self {
        Self::with(Settings::default(), begin, end).await
    }

    /// With settings of its own, and the window of [`Self::start`].
    pub(crate) async fn with_settings(settings: Settings) -> Self {
        Self::with(settings, -HOUR, 24 * HOUR).await
    }

    async fn with(settings: Settings, begin: i64, end: i64) -> Self {
        let reveals = neighbours::Reveals::default();
        let neighbours = vec![
            neighbours::identity(reveals.clone()).await,
            neighbours::certificates().await,
            Neighbour::start("scheduling", rpc::Surface::new()).await,
        ];
        let settings = Settings { workbook_reader: Some(env!("CARGO_BIN_EXE_applications").into()), ..settings };
        let running = start::<Applications>(settings, neighbours).await;
        let stage = Self { running, reveals };
        stage.publish_directory().await;
        stage.publish_plan(begin, end).await;
        stage.until_ready().await;
        stage
    }

    /// Waits until the replica's memory holds plan and window: then a submission that agreed to nothing hears of that,
    /// or of the window.
    async fn until_ready(&self) {
        self.until_known("dates of points", "SELECT count(*) FROM views.point_assignment", 2).await;
        let probe = self.teacher().await;
        let start = wire::StartDraftRequest { request_id: request_id(), certificate_id: probe.certificate.to_string() };
        let draft_id = self.drafts(&probe).start_draft(start).await.unwrap().into_inner().draft_id;
        let save = wire::SaveDraftRequest { draft_id: draft_id.clone(), revision: 1, form: Some(form()), section: 0 };
        eventually("any directory in memory", || async { self.drafts(&probe).save_draft(save.clone()).await.ok() })
            .await;
        let check = wire::CheckDraftRequest { draft_id: draft_id.clone() };
        eventually("the directory in memory", || async {
            let checked = self.drafts(&probe).check_draft(check.clone()).await.ok()?.into_inner();
            checked.problems.is_empty().then_some(())
        })
        .await;
        let pledge = self.pledge(&probe).await;
        let draft = draft_id.clone();
        let submission =
            wire::SubmitApplicationRequest { request_id: request_id(), draft_id: draft, revision: 2, pledge };
        eventually("the window in memory", || async {
            let heard = reason(self.applications(&probe).submit_application(submission.clone()).await);
            ["AGREEMENT_MISSING", "WINDOW_NOT_OPEN", "WINDOW_CLOSED"].contains(&heard.as_str()).then_some(())
        })
        .await;
        self.drafts(&probe).drop_draft(wire::DropDraftRequest { draft_id }).await.unwrap();
    }

    async fn publish_directory(&self) {
        let scheduling = self.running.neighbour("scheduling");
        let agencies = [
            (PROVINCE, "320000", AgencyLevel::Province, None),
            (CITY, "320300", AgencyLevel::City, Some(PROVINCE)),
            (COUNTY, "320303", AgencyLevel::County, Some(CITY)),
        ];
        for (id, division, level, parent) in agencies {
            let agency = scheduling::Agency {
                agency_id: id.to_string(),
                division: division.to_owned(),
                name: format!("{division}教育局"),
                level: level.into(),
                parent_agency_id: parent.map(|parent: Uuid| parent.to_string()).unwrap_or_default(),
            };
            scheduling.publish(id, division, &scheduling::AgencyAdded { agency: Some(agency) }).await;
        }
        for point in [POINT, OTHER_POINT] {
            let point_id = point.to_string();
            let agency_id = COUNTY.to_string();
            let added =
                scheduling::Point { point_id, agency_id, name: "示范确认点".to_owned(), ..Default::default() };
            scheduling.publish(point, "320303", &scheduling::PointAdded { point: Some(added) }).await;
        }
        let school = scheduling::School {
            school_id: SCHOOL.to_string(),
            name: "示范中学".to_owned(),
            division: "320303".to_owned(),
            agency_id: COUNTY.to_string(),
            kind: "31".to_owned(),
        };
        scheduling.publish(SCHOOL, "320303", &scheduling::SchoolAdded { school: Some(school) }).await;
    }

    async fn publish_plan(&self, begin: i64, end: i64) {
        let scheduling = self.running.neighbour("scheduling");
        let (plan_id, agency_id) = (PLAN.to_string(), COUNTY.to_string());
        let published = scheduling::PlanPublished {
            plan_id: plan_id.clone(),
            province: "32".to_owned(),
            batch: "2026年秋季".to_owned(),
        };
        scheduling.publish(PLAN, "32", &published).await;
        let joined = scheduling::AgencyJoined {
            plan_id: plan_id.clone(),
            agency_id: agency_id.clone(),
            join_in: true,
            is_open: true,
        };
        scheduling.publish(PLAN, "32", &joined).await;
        let window = scheduling::Window {
            window_id: WINDOW.to_string(),
            begin_time: Some(at(begin)),
            end_time: Some(at(end)),
            grace_minutes: 30,
            revision: 1,
        };
        let (plan, agency) = (plan_id.clone(), agency_id.clone());
        let opened = scheduling::WindowOpened { plan_id: plan, agency_id: agency, window: Some(window) };
        scheduling.publish(PLAN, "32", &opened).await;
        for point in [POINT, OTHER_POINT] {
            let assignment = scheduling::PointAssignment {
                point_id: point.to_string(),
                confirm_begin_time: Some(at(-HOUR)),
                confirm_end_time: Some(at(48 * HOUR)),
                ..Default::default()
            };
            let assignment = Some(assignment);
            let (plan_id, agency_id) = (plan_id.clone(), agency_id.clone());
            scheduling.publish(PLAN, "32", &scheduling::PointAssigned { plan_id, agency_id, assignment }).await;
        }
    }

    /// Brings the end of the window forward to so many seconds from now.
    pub(crate) async fn close_in(&self, seconds: i64) -> time::OffsetDateTime {
        let end = at(seconds);
        let window = scheduling::Window {
            window_id: WINDOW.to_string(),
            begin_time: Some(at(-HOUR)),
            end_time: Some(end),
            grace_minutes: 30,
            revision: 2,
        };
        let (plan_id, agency_id) = (PLAN.to_string(), COUNTY.to_string());
        let closed = scheduling::WindowClosed { plan_id, agency_id, window: Some(window) };
        self.running.neighbour("scheduling").publish(PLAN, "32", &closed).await;
        rpc::parse_timestamp("end_time", Some(&end), &mut rpc::Violations::new()).unwrap()
    }

    /// Sets the dates of a point anew.
    pub(crate) async fn assign(&self, assignment: scheduling::PointAssignment) {
        let (plan_id, agency_id) = (PLAN.to_string(), COUNTY.to_string());
        let assigned = scheduling::PointAssigned { plan_id, agency_id, assignment: Some(assignment) };
        self.running.neighbour("scheduling").publish(PLAN, "32", &assigned).await;
    }

    /// The register matches the certificate to another person, and it is known.
    pub(crate) async fn rematch(&self, teacher: &Teacher, person: Uuid) {
        let (certificate_id, evidence) = (teacher.certificate.to_string(), "NUMBER_AND_NAME".to_owned());
        let matched = register::CertificateMatched { certificate_id, person_id: person.to_string(), evidence };
        self.running.neighbour("certificates").publish(teacher.certificate, "00", &matched).await;
        let pool = &self.running.service.ground.pool;
        eventually("the new match", || async {
            let sql = "SELECT count(*) FROM views.certificate WHERE certificate_id = $1 AND person_id = $2";
            let query = sqlx::query_scalar(sql).bind(teacher.certificate).bind(person);
            let found: i64 = query.fetch_one(pool).await.unwrap();
            (found == 1).then_some(())
        })
        .await;
    }

    /// Takes the window back.
    pub(crate) async fn cancel_window(&self) {
        let (plan_id, agency_id, window_id) = (PLAN.to_string(), COUNTY.to_string(), WINDOW.to_string());
        let cancelled = scheduling::WindowCancelled { plan_id, agency_id, window_id };
        self.running.neighbour("scheduling").publish(PLAN, "32", &cancelled).await;
    }

    /// Waits until a query over the views answers with a number, and the memory has caught up with it.
    pub(crate) async fn until_known(&self, what: &str, sql: &'static str, count: i64) {
        let pool = &self.running.service.ground.pool;
        eventually(what, || async {
            let found: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
            (found == count).then_some(())
        })
        .await;
    }

    /// A teacher whose certificate the register knows.
    pub(crate) async fn teacher(&self) -> Teacher {
        self.certified(lifecycle::ids::random()).await
    }

    /// A person with one more certificate that the register knows.
    pub(crate) async fn certified(&self, person: Uuid) -> Teacher {
        let teacher = Teacher { person, certificate: lifecycle::ids::random() };
        let register = self.running.neighbour("certificates");
        let certificate_id = teacher.certificate.to_string();
        let synced = register::CertificateSynced {
            certificate_id: certificate_id.clone(),
            kind: CertificateKind::Junior.into(),
            subject: "物理".to_owned(),
            issuing_agency: "示范教育局".to_owned(),
            issue_date: "2015-07-01".to_owned(),
            source: register::Source::Register.into(),
        };
        register.publish(teacher.certificate, "00", &synced).await;
        let person_id = teacher.person.to_string();
        let evidence = "NUMBER_AND_NAME".to_owned();
        let matched = register::CertificateMatched { certificate_id, person_id, evidence };
        register.publish(teacher.certificate, "00", &matched).await;
        let pool = &self.running.service.ground.pool;
        eventually("the certificate", || async {
            let sql = "SELECT person_id IS NOT NULL FROM views.certificate WHERE certificate_id = $1";
            let found: Option<bool> =
                sqlx::query_scalar(sql).bind(teacher.certificate).fetch_optional(pool).await.unwrap();
            found.filter(|found| *found)
        })
        .await;
        teacher
    }

    /// An officer of the register restricts the certificate, and it is known.
    pub(crate) async fn restrict(&self, teacher: &Teacher, kind: register::RestrictionKind) {
        let certificate_id = teacher.certificate.to_string();
        let restricted = register::CertificateRestricted {
            certificate_id,
            kind: kind.into(),
            ..register::CertificateRestricted::default()
        };
        self.running.neighbour("certificates").publish(teacher.certificate, "00", &restricted).await;
        self.until_known("the restriction", RESTRICTED, 1).await;
    }

    /// … and lifts it.
    pub(crate) async fn lift(&self, teacher: &Teacher) {
        let certificate_id = teacher.certificate.to_string();
        let lifted = register::RestrictionLifted { certificate_id, file_reference: String::new() };
        self.running.neighbour("certificates").publish(teacher.certificate, "00", &lifted).await;
        self.until_known("the lifting", RESTRICTED, 0).await;
    }

    /// Another source contradicts the register, and that is known.
    pub(crate) async fn contradict(&self, teacher: &Teacher, ordinal: i32) {
        let certificate_id = teacher.certificate.to_string();
        let found = register::ConflictFound { certificate_id, ordinal, ..register::ConflictFound::default() };
        let before = self.conflicts().await;
        self.running.neighbour("certificates").publish(teacher.certificate, "00", &found).await;
        self.until_known("the conflict", CONFLICTS, before + 1).await;
    }

    /// … and an officer settles it.
    pub(crate) async fn settle(&self, teacher: &Teacher, ordinal: i32) {
        let certificate_id = teacher.certificate.to_string();
        let settled = register::ConflictSettled { certificate_id, ordinal, ..register::ConflictSettled::default() };
        let before = self.conflicts().await;
        self.running.neighbour("certificates").publish(teacher.certificate, "00", &settled).await;
        self.until_known("its end", CONFLICTS, before - 1).await;
    }

    async fn conflicts(&self) -> i64 {
        sqlx::query_scalar(CONFLICTS).fetch_one(&self.running.service.ground.pool).await.unwrap()
    }

    /// The register tells of an earlier registration, and it has entered the record.
    pub(crate) async fn prior(&self, teacher: &Teacher, ordinal: i32, conclusion: Conclusion, date: &str) {
        let registration =
            register::PriorRegistration { ordinal, conclusion: conclusion.into(), conclude_date: date.to_owned() };
        let certificate_id = teacher.certificate.to_string();
        let imported = register::PriorRegistrationImported { certificate_id, registration: Some(registration) };
        self.running.neighbour("certificates").publish(teacher.certificate, "00", &imported).await;
        let log = &self.running.service.ground.log;
        eventually("the prior registration", || async {
            let events = log.load(teacher.certificate).await.unwrap();
            events.iter().any(|event| event.kind.ends_with("PriorRegistrationRecorded")).then_some(())
        })
        .await;
    }

    pub(crate) fn drafts(&self, teacher: &Teacher) -> DraftsClient<Channel> {
        DraftsClient::new(self.running.person(teacher.person))
    }

    pub(crate) fn applications(&self, teacher: &Teacher) -> ApplicationsClient<Channel> {
        ApplicationsClient::new(self.running.person(teacher.person))
    }

    pub(crate) fn rules(&self, teacher: &Teacher) -> RulesClient<Channel> {
        RulesClient::new(self.running.person(teacher.person))
    }

    pub(crate) async fn liaison(&self) -> Channel {
        self.running.staff(lifecycle::ids::random(), Role::Liaison, "320303", Some(SCHOOL)).await
    }

    pub(crate) async fn clerk(&self, point: Uuid) -> Channel {
        self.running.staff(lifecycle::ids::random(), Role::Clerk, "320303", Some(point)).await
    }

    pub(crate) async fn reviewer(&self, agency: Uuid) -> Channel {
        self.running.staff(lifecycle::ids::random(), Role::Reviewer, "320303", Some(agency)).await
    }

    /// A draft that can be submitted: its id and revision.
    pub(crate) async fn ready_draft(&self, teacher: &Teacher) -> (String, i32) {
        let mut drafts = self.drafts(teacher);
        let start =
            wire::StartDraftRequest { request_id: request_id(), certificate_id: teacher.certificate.to_string() };
        let started = drafts.start_draft(start).await.unwrap().into_inner();
        let draft_id = started.draft_id;
        let agreement = self.text(teacher, "agreement").await;
        let accept = wire::AcceptAgreementRequest {
            draft_id: draft_id.clone(),
            text_version: agreement.version,
            text_digest: agreement.digest,
        };
        drafts.accept_agreement(accept).await.unwrap();
        let save = wire::SaveDraftRequest {
            draft_id: draft_id.clone(),
            revision: started.revision,
            form: Some(form()),
            ..Default::default()
        };
        let saved = drafts.save_draft(save).await.unwrap().into_inner();
        assert_eq!(saved.problems, []);
        (draft_id, saved.revision)
    }

    pub(crate) async fn text(&self, teacher: &Teacher, name: &str) -> wire::Text {
        let texts =
            self.drafts(teacher).list_texts(wire::ListTextsRequest::default()).await.unwrap().into_inner().texts;
        texts.into_iter().find(|text| text.name == name).unwrap()
    }

    pub(crate) async fn pledge(&self, teacher: &Teacher) -> Option<wire::Pledge> {
        let text = self.text(teacher, "pledge").await;
        Some(wire::Pledge { accepted: true, text_version: text.version, text_digest: text.digest })
    }

    pub(crate) async fn submission(&self, teacher: &Teacher) -> wire::SubmitApplicationRequest {
        let (draft_id, revision) = self.ready_draft(teacher).await;
        let pledge = self.pledge(teacher).await;
        wire::SubmitApplicationRequest { request_id: request_id(), draft_id, revision, pledge }
    }

    /// An application that the teacher has just filed.
    pub(crate) async fn filed(&self, teacher: &Teacher) -> wire::ApplicationKey {
        let submission = self.submission(teacher).await;
        let filed = self.applications(teacher).submit_application(submission).await.unwrap().into_inner();
        wire::ApplicationKey { certificate_id: filed.certificate_id, enrolment_number: filed.enrolment_number }
    }

    /// … with its facts, confirmed by the clerk.
    pub(crate) async fn confirmed(&self, teacher: &Teacher) -> wire::ApplicationKey {
        let key = self.filed(teacher).await;
        let mut confirmation = ConfirmationClient::new(self.clerk(POINT).await);
        confirmation.record_facts(record_facts(&key, facts())).await.unwrap();
        confirmation.confirm_application(confirm(&key)).await.unwrap();
        key
    }

    pub(crate) async fn review(&self, agency: Uuid) -> ReviewClient<Channel> {
        ReviewClient::new(self.reviewer(agency).await)
    }
}

pub(crate) fn record_facts(key: &wire::ApplicationKey, facts: wire::Facts) -> wire::RecordFactsRequest {
    wire::RecordFactsRequest { request_id: request_id(), key: Some(key.clone()), facts: Some(facts), seen_version: 0 }
}

pub(crate) fn confirm(key: &wire::ApplicationKey) -> wire::ConfirmApplicationRequest {
    wire::ConfirmApplicationRequest { request_id: request_id(), key: Some(key.clone()), form_version: 0 }
}

/// A form without a fault.
pub(crate) fn form() -> wire::Form {
    let personal = wire::PersonalPart {
        putonghua_number: "3213012345678".into(),
        graduation_date: "2012-06-30".into(),
        birth_place: "徐州市".into(),
        household_place: "徐州市云龙区".into(),
        address: "徐州市云龙区示范路1号".into(),
        postcode: "221000".into(),
        ..Default::default()
    };
    let coded = wire::CodedPart {
        putonghua_level: "3".into(),
        education: "21".into(),
        degree: "407".into(),
        major_category: "1".into(),
        major: "物理学".into(),
        graduate_school: "示范大学".into(),
        study_form: "1".into(),
        school_id: SCHOOL.to_string(),
        school_nature: "1".into(),
        school_location: "1".into(),
        work_start_date: "2012-09-01".into(),
        employment_date: "2015-09-01".into(),
        title: "Z3".into(),
        post_nature: "1".into(),
        political_status: "13".into(),
        stage: TeachingStage::Junior.into(),
        subject: "物理".into(),
        agency_id: COUNTY.to_string(),
        point_id: POINT.to_string(),
    };
    wire::Form { personal: Some(personal), coded: Some(coded) }
}

/// Facts that qualify a first registration.
pub(crate) fn facts() -> wire::Facts {
    let passed = wire::Finding::Passed.into();
    wire::Facts {
        ethics: passed,
        health: passed,
        probation: passed,
        contract: passed,
        note: "表现良好".to_owned(),
        ..Default::default()
    }
}
