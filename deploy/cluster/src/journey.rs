//! The way of one teacher through the system, step by step as the people concerned take it, each step by gRPC.

use std::time::Duration;

use proto::applications::v1 as applications;
use proto::certificates::v1 as certificates;
use proto::notifications::v1 as notifications;
use proto::scheduling::v1 as scheduling;
use time::UtcOffset;
use tonic::Code;

use crate::actor::{Actor, Addresses, Credentials, Letters};
use crate::failure::Doing as _;
use crate::register::Teacher;
use crate::{Failure, Result, wait};

/// How long what travels by events may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(60);

/// Places of a half-day that the point offers.
const PLACES: i32 = 20;

/// Where a teacher applies: ids of the Directory.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// 现任教学校
    pub school_id: String,
    /// 注册机构
    pub agency_id: String,
    /// 确认点
    pub point_id: String,
}

/// A teacher with an account, signed in with a complete profile.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// Who in the register.
    pub teacher: Teacher,
    /// What the account is opened with.
    pub credentials: Credentials,
    /// Signed in.
    pub actor: Actor,
}

/// A draft that is ready to be submitted.
#[derive(Clone, Debug)]
pub struct ReadyDraft {
    /// The draft and the revision that was confirmed.
    pub draft_id: String,
    /// As above.
    pub revision: i32,
    /// The certificate that it is for.
    pub certificate_id: String,
    /// 承诺书 as it was shown.
    pub pledge: applications::Pledge,
}

impl Applicant {
    /// 账号注册, 登录, 首次登录完善个人信息 (manual 2.1, 2.2).
    pub async fn arrive(addresses: &Addresses, letters: &Letters, teacher: Teacher, password: &str) -> Result<Self> {
        let credentials =
            Credentials { number: teacher.number(), phone: teacher.phone(), password: password.to_owned(), totp: None };
        Actor::register(addresses, letters, &credentials, &teacher.name()).await?;
        Actor::sign_in(addresses, letters, &credentials).await?.complete_profile().await?;
        let actor = Actor::sign_in(addresses, letters, &credentials).await?;
        Ok(Self { teacher, credentials, actor })
    }

    /// 教师资格证书信息: waits until the certificate was matched to the account.
    pub async fn certificate(&self) -> Result<certificates::Certificate> {
        let client = certificates::certificates_client::CertificatesClient::new(self.to(|at| &at.certificates)?);
        wait::until("the certificate to be matched", ARRIVAL, async || {
            let request = certificates::ListMyCertificatesRequest::default();
            let listed = client.clone().list_my_certificates(request).await.ok()?;
            listed.into_inner().certificates.into_iter().next()
        })
        .await
    }

    /// 查询工作开展情况 (manual 3.1).
    pub async fn availability(&self, place: &Place) -> Result<scheduling::CheckAvailabilityResponse> {
        let mut client = scheduling::availability_client::AvailabilityClient::new(self.to(|at| &at.scheduling)?);
        let request = scheduling::CheckAvailabilityRequest {
            province: "32".to_owned(),
            city: "3203".to_owned(),
            stage: self.teacher.stage(),
            agency_id: place.agency_id.clone(),
            point_id: place.point_id.clone(),
            time: None,
        };
        Ok(client.check_availability(request).await.doing(|| "ask whether filing is open".into())?.into_inner())
    }

    /// 申报协议 and 填写注册信息 (manual 3.2 (1) to (4)): a draft without problems.
    pub async fn fill_in(&self, certificate_id: &str, place: &Place) -> Result<ReadyDraft> {
        let mut drafts = applications::drafts_client::DraftsClient::new(self.to(|at| &at.applications)?);
        let texts = drafts.list_texts(applications::ListTextsRequest { province: "32".to_owned() }).await;
        let texts = texts.doing(|| "read the texts".into())?.into_inner().texts;
        let text = |name: &str| {
            let found = texts.iter().find(|text| text.name == name);
            found.ok_or_else(|| Failure::new(format!("there is no text {name}")))
        };
        let request =
            applications::StartDraftRequest { request_id: request_id(), certificate_id: certificate_id.to_owned() };
        // The certificate may not have reached the service applications yet.
        let draft_id =
            wait::until("a draft", ARRIVAL, async || match drafts.clone().start_draft(request.clone()).await {
                Ok(started) => Some(Ok(started.into_inner().draft_id)),
                Err(status) if may_come_true(&status) => None,
                Err(status) => Some(Err(status)),
            })
            .await?
            .doing(|| "start a draft".into())?;
        let agreement = text("agreement")?;
        let request = applications::AcceptAgreementRequest {
            draft_id: draft_id.clone(),
            text_version: agreement.version,
            text_digest: agreement.digest.clone(),
        };
        let accepted = drafts.accept_agreement(request).await.doing(|| "accept the agreement".into())?.into_inner();
        let request = applications::SaveDraftRequest {
            draft_id: draft_id.clone(),
            revision: accepted.revision,
            form: Some(self.form(place)),
            ..applications::SaveDraftRequest::default()
        };
        let saved = drafts.save_draft(request).await.doing(|| "save the draft".into())?.into_inner();
        if let Some(problem) = saved.problems.first() {
            return Err(Failure::new(format!("the form has a problem: {} {}", problem.field, problem.message)));
        }
        let pledge = text("pledge")?;
        let pledge =
            applications::Pledge { accepted: true, text_version: pledge.version, text_digest: pledge.digest.clone() };
        Ok(ReadyDraft { draft_id, revision: saved.revision, certificate_id: certificate_id.to_owned(), pledge })
    }

    /// 同意承诺书: the answer has the 报名号. Repeating it with the same `request_id` repeats the answer.
    pub async fn submit(
        &self,
        draft: &ReadyDraft,
        request_id: &str,
    ) -> std::result::Result<applications::SubmitApplicationResponse, tonic::Status> {
        let channel = self.to(|at| &at.applications).map_err(|failure| tonic::Status::internal(failure.to_string()))?;
        let mut client = applications::applications_client::ApplicationsClient::new(channel);
        let request = applications::SubmitApplicationRequest {
            request_id: request_id.to_owned(),
            draft_id: draft.draft_id.clone(),
            revision: draft.revision,
            pledge: Some(draft.pledge.clone()),
        };
        client.submit_application(request).await.map(tonic::Response::into_inner)
    }

    /// 现场确认预约: a place in a half-day of the point, once the application is known there.
    pub async fn book(&self, enrolment_number: &str, slot: &scheduling::Slot) -> Result<scheduling::Booking> {
        let client = scheduling::slots_client::SlotsClient::new(self.to(|at| &at.scheduling)?);
        let request = scheduling::BookSlotRequest {
            request_id: request_id(),
            enrolment_number: enrolment_number.to_owned(),
            slot: Some(slot.clone()),
        };
        let booked = wait::until("a place", ARRIVAL, async || match client.clone().book_slot(request.clone()).await {
            Err(status) if may_come_true(&status) => None,
            booked => Some(booked),
        });
        let booking = booked.await?.doing(|| "book a place".into())?.into_inner().booking;
        booking.ok_or_else(|| Failure::new("the answer holds no booking"))
    }

    /// The application as the applicant sees it.
    pub async fn application(&self, key: &applications::ApplicationKey) -> Result<applications::Application> {
        read(&self.actor, key).await
    }

    /// 站内消息, newest first.
    pub async fn notices(&self) -> Result<Vec<notifications::Notice>> {
        let mut client = notifications::notices_client::NoticesClient::new(self.to(|at| &at.notifications)?);
        let request = notifications::ListNoticesRequest::default();
        Ok(client.list_notices(request).await.doing(|| "read the inbox".into())?.into_inner().notices)
    }

    /// Waits until the inbox holds this many notices.
    pub async fn notices_once(&self, count: usize) -> Result<Vec<notifications::Notice>> {
        wait::until("the notices", ARRIVAL, async || self.notices().await.ok().filter(|notices| notices.len() >= count))
            .await
    }

    /// A complete form for a place.
    pub fn form(&self, place: &Place) -> applications::Form {
        let personal = applications::PersonalPart {
            putonghua_number: "3219012345678".to_owned(),
            graduation_date: "2005-06-30".to_owned(),
            household_place: "徐州市鼓楼区".to_owned(),
            address: "徐州市鼓楼区示例路1号".to_owned(),
            postcode: "221000".to_owned(),
            mobile: self.credentials.phone.clone(),
            email: self.credentials.email(),
            ..Default::default()
        };
        let coded = applications::CodedPart {
            putonghua_level: "3".to_owned(),
            education: "21".to_owned(),
            degree: "407".to_owned(),
            major_category: "1".to_owned(),
            major: "教育学".to_owned(),
            graduate_school: "江苏师范大学".to_owned(),
            study_form: "1".to_owned(),
            school_id: place.school_id.clone(),
            school_nature: "1".to_owned(),
            school_location: "1".to_owned(),
            work_start_date: "2010-09-01".to_owned(),
            employment_date: "2012-09-01".to_owned(),
            title: "Z3".to_owned(),
            post_nature: "1".to_owned(),
            political_status: "13".to_owned(),
            stage: self.teacher.stage(),
            subject: self.teacher.subject().to_owned(),
            agency_id: place.agency_id.clone(),
            point_id: place.point_id.clone(),
        };
        applications::Form { personal: Some(personal), coded: Some(coded) }
    }

    fn to(&self, address: impl FnOnce(&Addresses) -> &str) -> Result<crate::actor::Channel> {
        self.actor.channel(address(&self.actor.addresses))
    }
}

/// One application, as `actor` may see it.
pub async fn read(actor: &Actor, key: &applications::ApplicationKey) -> Result<applications::Application> {
    let channel = actor.channel(&actor.addresses.applications)?;
    let mut client = applications::applications_client::ApplicationsClient::new(channel);
    let request = applications::GetApplicationRequest { key: Some(key.clone()), ..Default::default() };
    let got = client.get_application(request).await.doing(|| "read the application".into())?.into_inner();
    got.application.ok_or_else(|| Failure::new("the answer holds no application"))
}

/// What a point offers: some places tomorrow morning.
pub async fn offer_places(clerk: &Actor, point_id: &str) -> Result<scheduling::Slot> {
    let client = scheduling::slots_client::SlotsClient::new(clerk.channel(&clerk.addresses.scheduling)?);
    let shanghai = UtcOffset::from_hms(8, 0, 0).expect("Shanghai's offset");
    let tomorrow = lifecycle::clock::now().to_offset(shanghai).date() + time::Duration::DAY;
    let slot = scheduling::Slot {
        point_id: point_id.to_owned(),
        date: rpc::render_date(tomorrow),
        half_day: scheduling::HalfDay::Morning.into(),
    };
    let (slots, capacity) = (Some(slot.clone()), PLACES);
    let request = scheduling::PublishCapacityRequest { request_id: request_id(), slot: slots, capacity };
    let published =
        wait::until("places", ARRIVAL, async || match client.clone().publish_capacity(request.clone()).await {
            Err(status) if may_come_true(&status) => None,
            published => Some(published),
        });
    published.await?.doing(|| "offer places".into())?;
    Ok(slot)
}

/// What school and point do: facts for the conclusion, then the confirmation.
pub async fn confirm(
    clerk: &Actor,
    key: &applications::ApplicationKey,
    last_year: i32,
) -> Result<applications::Outcome> {
    let channel = clerk.channel(&clerk.addresses.applications)?;
    let mut client = applications::confirmation_client::ConfirmationClient::new(channel);
    let request = applications::RecordFactsRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        facts: Some(good_facts(last_year)),
        ..Default::default()
    };
    client.record_facts(request).await.doing(|| "record the facts".into())?;
    let (request_id, key) = (request_id(), Some(key.clone()));
    let request = applications::ConfirmApplicationRequest { request_id, key, ..Default::default() };
    let confirmed = client.confirm_application(request).await.doing(|| "confirm".into())?.into_inner();
    outcome(confirmed.outcome)
}

/// 初审 or 复核: to the next level.
pub async fn pass(reviewer: &Actor, key: &applications::ApplicationKey) -> Result<applications::Outcome> {
    let mut client = review(reviewer)?;
    let request = applications::PassReviewRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        opinion: "材料齐全，同意。".to_owned(),
    };
    outcome(client.pass_review(request).await.doing(|| "pass the review".into())?.into_inner().outcome)
}

/// 终审: 注册合格.
pub async fn conclude(reviewer: &Actor, key: &applications::ApplicationKey) -> Result<applications::Outcome> {
    let mut client = review(reviewer)?;
    let request = applications::ConcludeApplicationRequest {
        request_id: request_id(),
        key: Some(key.clone()),
        conclusion: proto::types::v1::Conclusion::Qualified.into(),
        reason: String::new(),
    };
    outcome(client.conclude_application(request).await.doing(|| "conclude".into())?.into_inner().outcome)
}

/// Facts of a teacher for whom everything is in order, first registration or later one: five years up to `last_year`.
fn good_facts(last_year: i32) -> applications::Facts {
    let years = last_year - 5..=last_year;
    let passed = applications::Finding::Passed.into();
    applications::Facts {
        ethics: passed,
        year_grades: years.map(|year| applications::YearGrade { year, grade: "2".to_owned() }).collect(),
        training_total: Some(360.0),
        health: passed,
        probation: passed,
        contract: passed,
        ..Default::default()
    }
}

/// A fresh id for a request.
pub fn request_id() -> String {
    lifecycle::ids::in_time().to_string()
}

fn review(reviewer: &Actor) -> Result<applications::review_client::ReviewClient<crate::actor::Channel>> {
    Ok(applications::review_client::ReviewClient::new(reviewer.channel(&reviewer.addresses.applications)?))
}

fn outcome(outcome: Option<applications::Outcome>) -> Result<applications::Outcome> {
    outcome.ok_or_else(|| Failure::new("the answer holds no outcome"))
}

/// Refusals that end by themselves once the events have arrived.
fn may_come_true(status: &tonic::Status) -> bool {
    status.code() == Code::Unavailable
        || status.code() == Code::NotFound
        || rpc::Refusal::from_status(status).reason == "CERTIFICATE_UNKNOWN"
}
