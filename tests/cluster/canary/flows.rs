//! The way of the canary: every flow in which a number, a name, a phone, an address or free text of a person is said to the system.

use std::sync::Mutex;

use cluster::actor::{Actor, Letters};
use cluster::journey::{self, Applicant, Place, request_id};
use cluster::register::Teacher;
use cluster::{Cluster, Service, call, wait};
use prost_reflect::MethodDescriptor;
use proto::applications::v1::ApplicationKey;
use proto::identity::v1 as identity;
use proto::identity::v1::Role;
use proto::identity::v1::erasure_client::ErasureClient;
use serde_json::{Value, json};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::matrix::callers;

const PASSWORD: &str = "canary#2026a";
const NEXT_PASSWORD: &str = "canary#2026b";
/// Phones under a prefix that no operator uses: the second one, and the one that the helpdesk puts in.
const NEXT_PHONE: &str = "10077700001";
const LAST_PHONE: &str = "10077700002";
const MAIL: &str = "canary77@mail.example";
const NEXT_MAIL: &str = "canary77@school.example";
const OPENID: &str = "oCanaryBird_7759";
const EVIDENCE: &str = "旧号码已停机，附身份证照片编号金丝雀一号。";
const WHY_REVEALED: &str = "核对金丝雀二号的申请表";
const WHY_RETURNED: &str = "金丝雀三号请补充材料。";
const STATEMENT: &str = "金丝雀四号的证书上任教学科有误，应为数学。";

/// The person, and where their data goes.
pub struct Canary {
    addresses: cluster::actor::Addresses,
    letters: Letters,
    applicant: Applicant,
    password: &'static str,
    refused: Vec<String>,
    pub person_id: String,
}

impl Canary {
    /// 账号注册, 登录, 完善个人信息, after a few mistakes.
    pub async fn arrive(cluster: &Cluster, teacher: Teacher) -> Self {
        let layout = cluster.layout();
        let (addresses, letters) = (layout.addresses(), Letters::at(layout));
        let mut refused = Vec::new();
        let registration = |number: String, code: &str| {
            json!({"requestId": request_id(), "documentType": 1, "number": number, "name": teacher.name(),
                "phone": teacher.phone(), "phoneChallengeId": request_id(), "phoneCode": code, "password": PASSWORD,
                "email": MAIL, "emailChallengeId": request_id(), "emailCode": code})
        };
        for request in
            [registration(format!("{}7", teacher.number()), "123456"), registration(teacher.number(), "000000")]
        {
            refused.extend(ask(&addresses, None, "Accounts/RegisterAccount", request).await.err().as_ref().map(shown));
        }
        let applicant = Applicant::arrive(&addresses, &letters, teacher, PASSWORD).await.unwrap();
        let person_id = callers::person_id(&applicant.actor).await;
        Self { addresses, letters, applicant, password: PASSWORD, refused, person_id }
    }

    /// What is looked for.
    pub fn secrets(&self) -> Vec<String> {
        let teacher = self.applicant.teacher;
        let form = ["3219012345678", "徐州市鼓楼区示例路1号"].map(str::to_owned);
        let said = [
            PASSWORD,
            NEXT_PASSWORD,
            NEXT_PHONE,
            LAST_PHONE,
            MAIL,
            NEXT_MAIL,
            OPENID,
            EVIDENCE,
            WHY_REVEALED,
            WHY_RETURNED,
            STATEMENT,
        ];
        let mail = format!("{}@mail.example", teacher.phone());
        let own = [teacher.number(), teacher.name(), teacher.phone(), mail];
        own.into_iter().chain(form).chain(said.map(str::to_owned)).collect()
    }

    /// Everything but the end; gives every refusal as it was sent.
    pub async fn go_through_everything(&mut self, cluster: &Cluster, place: &Place) -> Vec<String> {
        self.sign_in_wrongly().await;
        self.recover().await;
        self.bind_a_wechat(cluster).await;
        self.change_contacts().await;
        let helpdesk = helpdesk(cluster).await;
        self.have_the_phone_put_right(&helpdesk).await;
        self.be_listed(cluster).await;
        self.register_the_certificate(cluster, place).await;
        let find = json!({"documentType": 1, "number": self.applicant.teacher.number(), "purpose": WHY_REVEALED});
        let found = ask(&self.addresses, Some(&helpdesk), "AccessLog/FindPerson", find).await.unwrap();
        assert_eq!(found["personId"], self.person_id);
        let reveal = json!({"personId": self.person_id, "fields": [1, 2, 3, 4, 5], "purpose": WHY_REVEALED});
        let revealed = ask(&self.addresses, Some(&helpdesk), "AccessLog/Reveal", reveal).await.unwrap();
        assert_eq!(revealed["name"], self.applicant.teacher.name());
        for package in ["identity", "certificates", "applications", "notifications"] {
            let exported = self.call(&format!("{package}.v1.Export/ExportMyData"), json!({})).await.unwrap();
            assert!(exported["json"].as_str().unwrap().len() > 20, "{package}");
        }
        let seen = self.call("AccessLog/ListMyAccess", json!({"pageSize": 100})).await.unwrap();
        assert!(seen.to_string().contains(WHY_REVEALED), "the canary reads why somebody looked");
        std::mem::take(&mut self.refused)
    }

    /// 注销: gives the id of the erasure.
    pub async fn erase(&self) -> String {
        let request = json!({"requestId": request_id(), "password": self.password});
        let erased =
            wait::until("what applications said to be known", std::time::Duration::from_secs(30), async || match self
                .call("Erasure/RequestErasure", request.clone())
                .await
            {
                Err(status) if status.code() == Code::Unavailable => None,
                answered => Some(answered),
            });
        let erased = erased.await.unwrap().unwrap();
        erased["erasureId"].as_str().unwrap_or_else(|| panic!("not erased: {erased}")).to_owned()
    }

    /// The receipt, once every service has confirmed.
    pub async fn receipt(&self, erasure: &str) -> identity::GetReceiptResponse {
        let endpoint = tonic::transport::Endpoint::new(self.addresses.identity.clone()).unwrap();
        let client = ErasureClient::new(endpoint.connect_lazy());
        let request = identity::GetReceiptRequest { erasure_id: erasure.to_owned() };
        let whole = wait::until("every service to confirm", std::time::Duration::from_secs(60), async || {
            let receipt = client.clone().get_receipt(request.clone()).await.ok()?.into_inner();
            receipt.complete.then_some(receipt)
        });
        whole.await.unwrap()
    }

    async fn call(&self, rpc: &str, request: Value) -> Result<Value, Status> {
        ask(&self.addresses, Some(&self.applicant.actor), rpc, request).await
    }

    async fn must_be_refused(&mut self, rpc: &str, request: Value) {
        let refused = self.call(rpc, request).await.expect_err(rpc);
        self.refused.push(shown(&refused));
    }

    async fn sign_in_wrongly(&mut self) {
        let number = self.applicant.teacher.number();
        let wrong = json!({"documentType": 1, "number": number, "password": "canary#2026x", "entry": 1});
        self.must_be_refused("Sessions/StartSignIn", wrong.clone()).await;
        let puzzle = self.call("PuzzleSignIn/MakePuzzle", json!({"documentType": 1, "number": number})).await.unwrap();
        let mut answer = wrong;
        answer["puzzleId"] = puzzle["puzzleId"].clone();
        self.must_be_refused("PuzzleSignIn/SignIn", answer).await;
        let name = self.applicant.teacher.name();
        let check = |name: &str| json!({"requestId": request_id(), "name": name});
        let checked = self.call("RealName/VerifyRealName", check(&name)).await.unwrap();
        assert_eq!(checked["passed"], true);
        let again = json!({"requestId": request_id(), "ethnicity": "01"});
        self.must_be_refused("Profiles/CompleteProfile", again).await;
    }

    /// 找回密码 by SMS, and by mail as far as the link's way.
    async fn recover(&mut self) {
        let teacher = self.applicant.teacher;
        let start = json!({"documentType": 1, "number": teacher.number(), "name": teacher.name()});
        let started = self.call("Recovery/StartRecovery", start).await.unwrap();
        let begun = json!({"recoveryId": started["recoveryId"]});
        let sent = self.call("Recovery/SendRecoveryCode", begun.clone()).await.unwrap();
        let code = self.letters.code(&teacher.phone(), "recovery_code").await.unwrap();
        let reset = json!({"requestId": request_id(), "challengeId": sent["challengeId"], "code": code,
            "newPassword": NEXT_PASSWORD});
        self.call("Recovery/ResetPasswordByCode", reset.clone()).await.unwrap();
        self.password = NEXT_PASSWORD;
        let mut late = reset;
        late["requestId"] = request_id().into();
        self.must_be_refused("Recovery/ResetPasswordByCode", late).await;
        self.sign_in_again().await;
    }

    /// 微信绑定, and a code to it.
    async fn bind_a_wechat(&mut self, cluster: &Cluster) {
        let begin = json!({"password": self.password});
        let begun = self.call("WechatBindings/BeginWechatBinding", begin).await.unwrap();
        let ticket = begun["ticketId"].as_str().unwrap();
        std::fs::create_dir_all(cluster.layout().wechat()).unwrap();
        let scan = format!("{ticket},{OPENID}\n");
        std::fs::write(cluster.layout().wechat().join("scans.csv"), scan).unwrap();
        let complete = json!({"requestId": request_id(), "ticketId": ticket});
        self.call("WechatBindings/CompleteWechatBinding", complete).await.unwrap();
        let teacher = self.applicant.teacher;
        let start = json!({"documentType": 1, "number": teacher.number(), "name": teacher.name()});
        let started = self.call("Recovery/StartRecovery", start).await.unwrap();
        let send = json!({"recoveryId": started["recoveryId"]});
        self.call("WechatBindings/SendRecoveryWechatCode", send).await.unwrap();
        let exported = self.call("Export/ExportMyData", json!({})).await.unwrap();
        assert!(exported["json"].as_str().unwrap().contains(OPENID), "the canary is told what is kept");
    }

    async fn sign_in_again(&mut self) {
        self.password.clone_into(&mut self.applicant.credentials.password);
        let credentials = &self.applicant.credentials;
        self.applicant.actor = Actor::sign_in(&self.addresses, &self.letters, credentials).await.unwrap();
    }

    /// 修改手机号码; a code to another mail address.
    async fn change_contacts(&mut self) {
        let sent = self.call("Credentials/SendNewPhoneCode", json!({"phone": NEXT_PHONE})).await.unwrap();
        let code = self.letters.code(NEXT_PHONE, "new_phone_code").await.unwrap();
        let change = json!({"requestId": request_id(), "password": self.password, "phone": NEXT_PHONE,
            "challengeId": sent["challengeId"], "code": code});
        self.call("Credentials/ChangePhone", change).await.unwrap();
        NEXT_PHONE.clone_into(&mut self.applicant.credentials.phone);
        self.call("Credentials/SendEmailCode", json!({"email": NEXT_MAIL})).await.unwrap();
        let wrong = json!({"requestId": request_id(), "password": self.password, "email": NEXT_MAIL,
            "challengeId": request_id(), "code": "000000"});
        self.must_be_refused("Credentials/ChangeEmail", wrong).await;
    }

    /// 手机号码已停用: asked for by a stranger, settled by the helpdesk.
    async fn have_the_phone_put_right(&mut self, helpdesk: &Actor) {
        let teacher = self.applicant.teacher;
        let sent = self.call("PhoneFixes/SendPhoneFixCode", json!({"phone": LAST_PHONE})).await.unwrap();
        let code = self.letters.code(LAST_PHONE, "new_phone_code").await.unwrap();
        let request = json!({"requestId": request_id(), "documentType": 1, "number": teacher.number(),
            "name": teacher.name(), "phone": LAST_PHONE, "challengeId": sent["challengeId"], "code": code,
            "province": "32", "evidence": EVIDENCE});
        self.call("PhoneFixes/RequestPhoneFix", request).await.unwrap();
        let listed = wait::until("the request to be listed", std::time::Duration::from_secs(30), async || {
            let listed = ask(&self.addresses, Some(helpdesk), "PhoneFixes/ListPhoneFixes", json!({})).await.ok()?;
            listed["fixes"].as_array()?.first().cloned()
        });
        let fix = listed.await.unwrap();
        assert_eq!(fix["evidence"], EVIDENCE, "the helpdesk reads the evidence");
        let settle =
            json!({"requestId": request_id(), "personId": fix["personId"], "fixId": fix["fixId"], "outcome": 1});
        ask(&self.addresses, Some(helpdesk), "PhoneFixes/SettlePhoneFix", settle).await.unwrap();
        LAST_PHONE.clone_into(&mut self.applicant.credentials.phone);
        self.sign_in_again().await;
    }

    /// In a list of staff that is only tried, and in a file of accounts of the old system.
    async fn be_listed(&self, cluster: &Cluster) {
        let teacher = self.applicant.teacher;
        let (number, name) = (teacher.number(), teacher.name());
        let list = format!("证件类型,证件号码,姓名,角色,行政区划,单位\n居民身份证,{number},{name},管理员,320000,\n");
        let chunk = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, list);
        let parts = json!([{"options": {"requestId": request_id(), "dryRun": true}}, {"chunk": chunk}]);
        ask(&self.addresses, Some(&callers::chief(cluster).await), "StaffLists/ImportStaff", parts).await.unwrap();
        let folder = &cluster.layout().folder;
        let (file, report) = (folder.join("legacy.csv"), folder.join("legacy-report.csv"));
        std::fs::write(
            &file,
            format!("number,name,created_at\n{number},{name},2018-05-01T08:00:00+08:00\n1,{name},x\n"),
        )
        .unwrap();
        let arguments = ["import-legacy", "--file", &file.to_string_lossy(), "--report", &report.to_string_lossy()];
        let printed = cluster.run(Service::Identity, &arguments).await.unwrap();
        assert!(!printed.contains(&name) && !printed.contains(&number), "{printed}");
    }

    /// From the certificate to its conclusion, with a return on the way.
    async fn register_the_certificate(&mut self, cluster: &Cluster, place: &Place) {
        let certificate = self.applicant.certificate().await.unwrap();
        let by_hand = json!({"requestId": request_id(), "number": self.applicant.teacher.number()});
        self.must_be_refused("certificates.v1.Certificates/AddCertificate", by_hand).await;
        let correction =
            json!({"requestId": request_id(), "certificateId": certificate.certificate_id, "statement": STATEMENT});
        self.call("certificates.v1.Corrections/RequestCorrection", correction).await.unwrap();
        let draft = self.applicant.fill_in(&certificate.certificate_id, place).await.unwrap();
        let submitted = self.applicant.submit(&draft, &request_id()).await.unwrap();
        let key = ApplicationKey {
            certificate_id: submitted.certificate_id,
            enrolment_number: submitted.enrolment_number.clone(),
        };
        let named = json!({"certificateId": key.certificate_id, "enrolmentNumber": key.enrolment_number});
        let clerk = call::sign_in(cluster.layout(), "clerk").await.unwrap();
        let look = json!({"key": named, "revealPurpose": WHY_REVEALED});
        let seen =
            ask(&self.addresses, Some(&clerk), "applications.v1.Applications/GetApplication", look).await.unwrap();
        assert_eq!(seen["application"]["applicant"]["name"], self.applicant.teacher.name());
        journey::confirm(&clerk, &key, lifecycle::clock::now().year()).await.unwrap();
        let back = json!({"requestId": request_id(), "key": named, "reason": WHY_RETURNED});
        ask(&self.addresses, Some(&clerk), "applications.v1.Confirmation/ReturnApplication", back).await.unwrap();
        journey::confirm(&clerk, &key, lifecycle::clock::now().year()).await.unwrap();
        for who in ["county", "city"] {
            journey::pass(&call::sign_in(cluster.layout(), who).await.unwrap(), &key).await.unwrap();
        }
        journey::conclude(&call::sign_in(cluster.layout(), "province").await.unwrap(), &key).await.unwrap();
        self.applicant.notices_once(6).await.unwrap();
    }
}

/// A helpdesk of Jiangsu.
async fn helpdesk(cluster: &Cluster) -> Actor {
    let somebody = callers::newcomer(cluster, Teacher::new(500_077)).await;
    let chief = callers::chief(cluster).await;
    callers::grant(&chief, &callers::person_id(&somebody).await, Role::Helpdesk, "320000", "").await;
    callers::with_second_factor(&somebody).await
}

fn shown(status: &Status) -> String {
    format!("{status:?} {}", hex::encode(status.details()))
}

fn method(name: &str) -> MethodDescriptor {
    let full = |method: &MethodDescriptor| format!("{}/{}", method.parent_service().full_name(), method.name());
    call::methods().unwrap().into_iter().find(|method| full(method) == name).unwrap_or_else(|| panic!("no RPC {name}"))
}

/// Calls an RPC by its name, of identity where no package is named, and gives the answer as JSON.
async fn ask(
    addresses: &cluster::actor::Addresses,
    who: Option<&Actor>,
    rpc: &str,
    request: Value,
) -> Result<Value, Status> {
    let name = if rpc.contains('.') { rpc.to_owned() } else { format!("identity.v1.{rpc}") };
    let url = match name.split('.').next().unwrap() {
        "identity" => &addresses.identity,
        "certificates" => &addresses.certificates,
        "applications" => &addresses.applications,
        _ => &addresses.notifications,
    };
    let method = method(&format!("dingzhu.{name}"));
    let requests = call::parse(&method.input(), &request.to_string()).unwrap();
    let mut metadata = MetadataMap::new();
    if let Some(actor) = who {
        metadata.insert("authorization", actor.bearer().parse().unwrap());
    }
    let channel = tonic::transport::Endpoint::new(url.clone()).unwrap().connect().await.unwrap();
    let said = Mutex::new("null".to_owned());
    call::send(channel, metadata, &method, requests, &|line| line.clone_into(&mut said.lock().unwrap())).await?;
    Ok(serde_json::from_str(&said.into_inner().unwrap()).unwrap())
}
