//! What people do with their accounts (identity), each way with its slips.

use cluster::journey::request_id;
use cluster::{Cluster, Service};
use serde_json::{Value, json};
use sqlx::PgPool;

use super::person::Canary;

impl Canary {
    /// Everything at the counter of the sign-in that does not lead in.
    pub async fn sign_in_wrongly(&mut self) {
        let wrong_password = self.say("canary#2026-wrong");
        let (document_type, number) = (self.papers.document_type, self.papers.number.clone());
        let wrong = json!({"documentType": document_type, "number": number, "password": wrong_password, "entry": 1});
        self.must_be_refused("Sessions/StartSignIn", wrong.clone()).await;
        let puzzle =
            self.tell("PuzzleSignIn/MakePuzzle", json!({"documentType": document_type, "number": number})).await;
        let mut answer = wrong;
        answer["puzzleId"] = puzzle["puzzleId"].clone();
        self.must_be_refused("PuzzleSignIn/SignIn", answer).await;
    }

    /// 登录 with the puzzle: where the piece belongs is read where no caller can.
    pub async fn sign_in_by_puzzle(&mut self, cluster: &Cluster) {
        let (document_type, number) = (self.papers.document_type, self.papers.number.clone());
        let puzzle =
            self.tell("PuzzleSignIn/MakePuzzle", json!({"documentType": document_type, "number": number})).await;
        let layout = cluster.layout();
        let database = layout.superuser_url(&layout.database(Service::Identity)).unwrap();
        let id: uuid::Uuid = puzzle["puzzleId"].as_str().unwrap().parse().unwrap();
        let gap: i16 = sqlx::query_scalar("SELECT gap FROM puzzle WHERE id = $1")
            .bind(id)
            .fetch_one(&PgPool::connect(&database).await.unwrap())
            .await
            .unwrap();
        let answer = json!({"documentType": document_type, "number": number, "password": self.password, "entry": 1,
            "puzzleId": puzzle["puzzleId"], "offset": gap});
        let done = self.tell("PuzzleSignIn/SignIn", answer).await;
        self.hold(&done["tokens"]);
    }

    /// 我的登录: each session but the one in hand is ended.
    pub async fn end_sessions(&mut self) {
        let listed = self.tell("MySessions/ListMySessions", json!({})).await;
        let other = listed["sessions"].as_array().unwrap().iter().find(|session| session["current"] != true).unwrap();
        self.tell("MySessions/EndMySession", json!({"sessionId": other["sessionId"]})).await;
        self.tell("MySessions/EndMyOtherSessions", json!({})).await;
        self.tell("Sessions/EndSession", json!({})).await;
        self.sign_in().await;
    }

    /// 实名核验 under the own name, and under one that is nobody's.
    pub async fn have_the_name_checked(&mut self) {
        let wrong = self.say("金丝雀无名");
        let checked = self.check_name(&wrong).await;
        assert_eq!(checked["passed"], Value::Null, "{checked}");
        let name = self.papers.name.clone();
        assert_eq!(self.check_name(&name).await["passed"], true);
    }

    /// The same under the name that the register has by now: the account is called so from here on.
    pub async fn change_name(&mut self, name: &str) {
        assert_eq!(self.check_name(name).await["passed"], true);
        self.papers.name = self.say(name);
    }

    async fn check_name(&self, name: &str) -> Value {
        self.tell("RealName/VerifyRealName", json!({"requestId": request_id(), "name": name})).await
    }

    /// 找回密码: number and name, as whoever is not signed in says them.
    pub fn recovery(&self) -> Value {
        json!({"documentType": self.papers.document_type, "number": self.papers.number, "name": self.papers.name})
    }

    /// 短信验证重置密码
    pub async fn recover_by_code(&mut self) {
        let started = self.tell("Recovery/StartRecovery", self.recovery()).await;
        let sent = self.tell("Recovery/SendRecoveryCode", json!({"recoveryId": started["recoveryId"]})).await;
        let code = self.api.letters.code(&self.phone, "recovery_code").await.unwrap();
        let password = self.say("canary#2026-by-code");
        let reset = json!({"requestId": request_id(), "challengeId": sent["challengeId"], "code": code, "newPassword": password});
        self.reset("Recovery/ResetPasswordByCode", reset, password).await;
    }

    /// 邮件重置密码
    pub async fn recover_by_link(&mut self) {
        let started = self.tell("Recovery/StartRecovery", self.recovery()).await;
        self.tell("Recovery/SendRecoveryLink", json!({"recoveryId": started["recoveryId"]})).await;
        let token = self.api.letters.mailed_token(&self.mail).await.unwrap();
        let (token, password) = (self.say(token), self.say("canary#2026-by-link"));
        let reset = json!({"requestId": request_id(), "token": token, "newPassword": password});
        self.reset("Recovery/ResetPasswordByLink", reset, password).await;
    }

    /// Once, and too late.
    async fn reset(&mut self, rpc: &str, reset: Value, password: String) {
        self.tell(rpc, reset.clone()).await;
        self.password = password;
        let mut late = reset;
        late["requestId"] = request_id().into();
        self.must_be_refused(rpc, late).await;
        self.sign_in().await;
    }

    /// 微信绑定, a code to it, 解除绑定, and another WeChat that stays.
    pub async fn bind_wechats(&mut self, cluster: &Cluster) {
        let openid = self.bind_a_wechat(cluster, "oCanaryBird_7759").await;
        let started = self.tell("Recovery/StartRecovery", self.recovery()).await;
        self.tell("WechatBindings/SendRecoveryWechatCode", json!({"recoveryId": started["recoveryId"]})).await;
        let bound = self.tell("WechatBindings/GetWechatBinding", json!({})).await;
        assert_eq!(bound["bound"], true);
        let exported = self.tell("Export/ExportMyData", json!({})).await;
        assert!(exported["json"].as_str().unwrap().contains(&openid), "the canary is told what is kept");
        let unbind = json!({"requestId": request_id(), "password": self.password});
        self.tell("WechatBindings/UnbindWechat", unbind).await;
        self.bind_a_wechat(cluster, "oCanaryBird_7760").await;
    }

    async fn bind_a_wechat(&mut self, cluster: &Cluster, openid: &str) -> String {
        let openid = self.say(openid);
        let begun = self.tell("WechatBindings/BeginWechatBinding", json!({"password": self.password})).await;
        let ticket = begun["ticketId"].as_str().unwrap();
        std::fs::create_dir_all(cluster.layout().wechat()).unwrap();
        std::fs::write(cluster.layout().wechat().join("scans.csv"), format!("{ticket},{openid}\n")).unwrap();
        let complete = json!({"requestId": request_id(), "ticketId": ticket});
        self.tell("WechatBindings/CompleteWechatBinding", complete).await;
        openid
    }

    /// 修改密码, 修改手机号码, 修改电子邮箱.
    pub async fn change_credentials(&mut self) {
        let (phone, mail) = (self.say("10077700091"), self.say("canary91@school.example"));
        let sent = self.tell("Credentials/SendNewPhoneCode", json!({"phone": phone})).await;
        let code = self.api.letters.code(&phone, "new_phone_code").await.unwrap();
        let change = json!({"requestId": request_id(), "password": self.password, "phone": phone,
            "challengeId": sent["challengeId"], "code": code});
        self.tell("Credentials/ChangePhone", change.clone()).await;
        self.must_be_refused("Credentials/ChangePhone", anew(change)).await;
        self.phone = phone;

        let sent = self.tell("Credentials/SendEmailCode", json!({"email": mail})).await;
        let change = json!({"requestId": request_id(), "password": self.password, "email": mail,
            "challengeId": sent["challengeId"], "code": self.api.letters.mailed_code(&mail).await.unwrap()});
        self.tell("Credentials/ChangeEmail", change.clone()).await;
        self.must_be_refused("Credentials/ChangeEmail", anew(change)).await;
        self.mail = mail;

        let password = self.say("canary#2026-changed");
        let change = json!({"requestId": request_id(), "password": self.password, "newPassword": password});
        self.tell("Credentials/ChangePassword", change.clone()).await;
        self.must_be_refused("Credentials/ChangePassword", anew(change)).await;
        self.password = password;
    }

    /// 手机号码不正确: asked for as a stranger would; gives the evidence, which somebody has to settle.
    pub async fn ask_for_another_phone(&mut self) -> String {
        let (phone, evidence) = (self.say("10077700092"), self.say("旧号码已停机，附身份证照片编号金丝雀一号。"));
        let sent = self.tell("PhoneFixes/SendPhoneFixCode", json!({"phone": phone})).await;
        let code = self.api.letters.code(&phone, "new_phone_code").await.unwrap();
        let request = json!({"requestId": request_id(), "documentType": self.papers.document_type,
            "number": self.papers.number, "name": self.papers.name, "phone": phone, "challengeId": sent["challengeId"],
            "code": code, "province": "32", "evidence": evidence});
        self.tell("PhoneFixes/RequestPhoneFix", request.clone()).await;
        self.must_be_refused("PhoneFixes/RequestPhoneFix", anew(request)).await;
        self.phone = phone;
        evidence
    }

    /// 导出本人信息 of every service, and who looked.
    pub async fn read_everything(&self, looked: &[String]) {
        for package in ["identity", "certificates", "applications", "notifications"] {
            let exported = self.tell(&format!("{package}.v1.Export/ExportMyData"), json!({})).await;
            assert!(exported["json"].as_str().unwrap().len() > 20, "{package}");
        }
        let seen = self.tell("AccessLog/ListMyAccess", json!({"pageSize": 100})).await.to_string();
        for purpose in looked {
            assert!(seen.contains(purpose), "{purpose} is not among why somebody looked: {seen}");
        }
    }
}

/// The same body as another request.
pub fn anew(mut request: Value) -> Value {
    request["requestId"] = request_id().into();
    request
}
