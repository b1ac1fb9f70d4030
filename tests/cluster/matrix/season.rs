//! The objects of the matrix: a season with a draft, an application, a certificate, a notice, a grant, and places in scope and out of it.

use base64::Engine as _;
use cluster::actor::{Actor, Letters};
use cluster::journey::{Applicant, Place, ReadyDraft, request_id};
use cluster::register::Teacher;
use cluster::{Cluster, seed, wait};
use proto::applications::v1 as applications;
use proto::certificates::v1 as certificates;
use proto::identity::v1 as identity;
use proto::identity::v1::Role;
use proto::scheduling::v1 as scheduling;
use serde_json::Value;

use super::callers::{grant, newcomer, person_id, with_second_factor};

/// Teachers of the register.
const TEACHERS: u32 = 10;
const PASSWORD: &str = "matrix#2026";

/// Everything that requests name.
#[derive(Clone, Debug)]
pub struct Season {
    /// In scope: 鼓楼区 of Xuzhou.
    pub place: Place,
    /// Out of it: another county of Xuzhou.
    pub other_school: String,
    pub other_point: String,
    pub other_agency: String,
    /// The agency of Jiangsu.
    pub province_agency: String,
    /// The agency of Zhejiang.
    pub zhejiang_agency: String,
    /// Who has a draft.
    pub drafter: Actor,
    pub draft: ReadyDraft,
    /// Version and digest of the agreement.
    pub agreement: (i32, String),
    /// The draft's form, as it is read.
    pub form: Value,
    /// Who has an application, a certificate, a notice.
    pub filer: Actor,
    pub filer_id: String,
    pub certificate_id: String,
    pub enrolment_number: String,
    pub notice_id: String,
    pub plan_id: String,
    pub window_id: String,
    /// Somebody with a complete profile who has nothing of all this.
    pub stranger: Actor,
    /// Somebody with an incomplete profile.
    pub newcomer: Actor,
    /// Somebody with a role that may be taken back.
    pub spare: Teacher,
    pub spare_id: String,
    pub spare_grant: String,
    /// The same in a session in which the role counts.
    pub helper: Actor,
    /// The filer's open request for another phone.
    pub fix_id: String,
    /// The filer's open request for a correction.
    pub correction_id: String,
    /// The filer's session.
    pub session_id: String,
}

impl Season {
    /// Fills a new cluster.
    pub async fn begin(cluster: &Cluster) -> Self {
        let seeded = seed::fill(cluster, TEACHERS, &|_| {}).await.unwrap();
        let layout = cluster.layout();
        let (addresses, letters) = (layout.addresses(), Letters::at(layout));
        let arrive =
            async |index| Applicant::arrive(&addresses, &letters, Teacher::new(index), PASSWORD).await.unwrap();
        let (filer, drafter, stranger) = (arrive(0).await, arrive(1).await, arrive(2).await);

        let certificate = filer.certificate().await.unwrap();
        let ready = filer.fill_in(&certificate.certificate_id, &seeded.place).await.unwrap();
        let submitted = filer.submit(&ready, &request_id()).await.unwrap();
        let theirs = drafter.certificate().await.unwrap();
        let draft = drafter.fill_in(&theirs.certificate_id, &seeded.place).await.unwrap();
        // So that the stranger's list would be empty for no other reason than whose certificates are whose.
        stranger.certificate().await.unwrap();
        let notice_id = filer.notices_once(1).await.unwrap().remove(0).notice_id;

        let chief = super::callers::chief(cluster).await;
        let spare = Teacher::new(4);
        let helper = newcomer(cluster, spare).await;
        let spare_id = person_id(&helper).await;
        let spare_grant = grant(&chief, &spare_id, Role::Helpdesk, "320000", "").await;
        let helper = with_second_factor(&helper).await;
        ask_for_another_phone(&filer, &letters, &Teacher::new(7).phone()).await;
        let fix_id = first_fix(&helper).await;
        let correction_id = ask_for_a_correction(&filer.actor, &submitted.certificate_id).await;
        let elsewhere = Elsewhere::find(&filer.actor).await;
        let plan = plan(&filer.actor).await;
        let own = plan.agencies.iter().find(|agency| agency.agency_id == seeded.place.agency_id).unwrap();
        Self {
            place: seeded.place,
            other_school: elsewhere.school_id,
            other_point: elsewhere.point_id,
            other_agency: elsewhere.agency_id,
            province_agency: elsewhere.province_agency,
            zhejiang_agency: elsewhere.zhejiang_agency,
            agreement: agreement(&drafter.actor).await,
            form: form(&drafter.actor, &draft).await,
            drafter: drafter.actor,
            draft,
            filer_id: person_id(&filer.actor).await,
            session_id: session_id(&filer.actor),
            filer: filer.actor,
            certificate_id: submitted.certificate_id,
            enrolment_number: submitted.enrolment_number,
            notice_id,
            window_id: own.windows[0].window_id.clone(),
            plan_id: plan.plan_id,
            stranger: stranger.actor,
            newcomer: newcomer(cluster, Teacher::new(3)).await,
            spare,
            spare_id,
            spare_grant,
            helper,
            fix_id,
            correction_id,
        }
    }

    /// Whose object an RPC is called about.
    pub fn owner(&self, rpc: &str) -> &Actor {
        let of_draft = rpc.contains(".Drafts/") || rpc.ends_with("/SubmitApplication");
        match rpc {
            _ if of_draft => &self.drafter,
            // A service records what it shows to whoever holds the role.
            "dingzhu.identity.v1.AccessLog/RecordReveal" => &self.helper,
            _ => &self.filer,
        }
    }
}

/// Units of 云龙区, another county of the same city, and the agencies of two provinces.
struct Elsewhere {
    school_id: String,
    point_id: String,
    agency_id: String,
    province_agency: String,
    zhejiang_agency: String,
}

impl Elsewhere {
    async fn find(person: &Actor) -> Self {
        let channel = person.channel(&person.addresses.scheduling).unwrap();
        let mut directory = scheduling::directory_client::DirectoryClient::new(channel);
        let mut agencies = Vec::new();
        for (province, city) in [("32", "3203"), ("33", "3301")] {
            let (province, city) = (province.to_owned(), city.to_owned());
            let request = scheduling::ListAgenciesRequest { province, city, ..Default::default() };
            agencies.extend(directory.list_agencies(request).await.unwrap().into_inner().agencies);
        }
        let agency = |division: &str| {
            agencies.iter().find(|agency| agency.division == division).expect("an agency").agency_id.clone()
        };
        let request = scheduling::ListSchoolsRequest { division: "320303".to_owned(), ..Default::default() };
        let school_id = directory.list_schools(request).await.unwrap().into_inner().schools.remove(0).school_id;
        let request = scheduling::ListPointsRequest { agency_id: agency("320303"), ..Default::default() };
        let point_id = directory.list_points(request).await.unwrap().into_inner().points.remove(0).point_id;
        Self {
            school_id,
            point_id,
            agency_id: agency("320303"),
            province_agency: agency("320000"),
            zhejiang_agency: agency("330000"),
        }
    }
}

/// Asks the helpdesk to put this phone in.
async fn ask_for_another_phone(filer: &Applicant, letters: &Letters, phone: &str) {
    let channel = filer.actor.channel(&filer.actor.addresses.identity).unwrap();
    let mut fixes = identity::phone_fixes_client::PhoneFixesClient::new(channel);
    let phone = phone.to_owned();
    let send = identity::SendPhoneFixCodeRequest { phone: phone.clone() };
    let sent = fixes.send_phone_fix_code(send).await.unwrap().into_inner();
    let request = identity::RequestPhoneFixRequest {
        request_id: request_id(),
        document_type: identity::DocumentType::ResidentId.into(),
        number: filer.teacher.number(),
        name: filer.teacher.name(),
        code: letters.code(&phone, "new_phone_code").await.unwrap(),
        phone,
        challenge_id: sent.challenge_id,
        province: "32".to_owned(),
        evidence: "手机已停机，请联系本校核实。".to_owned(),
    };
    fixes.request_phone_fix(request).await.unwrap();
}

/// The one request that waits for the helpdesk, once it is listed.
async fn first_fix(helper: &Actor) -> String {
    let channel = helper.channel(&helper.addresses.identity).unwrap();
    let fixes = identity::phone_fixes_client::PhoneFixesClient::new(channel);
    let listed = wait::until("the request to be listed", std::time::Duration::from_secs(30), async || {
        let listed = fixes.clone().list_phone_fixes(identity::ListPhoneFixesRequest::default()).await.ok()?;
        Some(listed.into_inner().fixes.first()?.fix_id.clone())
    });
    listed.await.unwrap()
}

async fn ask_for_a_correction(filer: &Actor, certificate_id: &str) -> String {
    let channel = filer.channel(&filer.addresses.certificates).unwrap();
    let mut corrections = certificates::corrections_client::CorrectionsClient::new(channel);
    let request = certificates::RequestCorrectionRequest {
        request_id: request_id(),
        certificate: Some(certificates::request_correction_request::Certificate::CertificateId(
            certificate_id.to_owned(),
        )),
        statement: "任教学科有误，应为数学。".to_owned(),
    };
    corrections.request_correction(request).await.unwrap().into_inner().correction_id
}

/// As the access token says.
fn session_id(actor: &Actor) -> String {
    let bearer = actor.bearer();
    let claims = bearer.split('.').nth(1).expect("a token has three parts");
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["sid"].as_str().unwrap().to_owned()
}

async fn plan(person: &Actor) -> scheduling::Plan {
    let mut plans = scheduling::plans_client::PlansClient::new(person.channel(&person.addresses.scheduling).unwrap());
    let request = scheduling::GetPlanRequest { province: "32".to_owned(), ..Default::default() };
    plans.get_plan(request).await.unwrap().into_inner().plan.unwrap()
}

async fn agreement(person: &Actor) -> (i32, String) {
    let channel = person.channel(&person.addresses.applications).unwrap();
    let request = applications::ListTextsRequest { province: "32".to_owned() };
    let texts =
        applications::drafts_client::DraftsClient::new(channel).list_texts(request).await.unwrap().into_inner().texts;
    let text = texts.into_iter().find(|text| text.name == "agreement").unwrap();
    (text.version, text.digest)
}

async fn form(drafter: &Actor, draft: &ReadyDraft) -> Value {
    let mut drafts =
        applications::drafts_client::DraftsClient::new(drafter.channel(&drafter.addresses.applications).unwrap());
    let request = applications::GetDraftRequest { draft_id: draft.draft_id.clone() };
    let form = drafts.get_draft(request).await.unwrap().into_inner().form.unwrap();
    cluster::call::json(&form, "dingzhu.applications.v1.Form").unwrap()
}
