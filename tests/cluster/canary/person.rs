//! A canary: somebody with a document of one of the four types, whose every word is remembered so that it can be looked for.

use std::time::Duration;

use cluster::actor::Actor;
use cluster::journey::request_id;
use cluster::register::Teacher;
use cluster::wait;
use proto::identity::v1 as identity;
use proto::identity::v1::erasure_client::ErasureClient;
use serde_json::{Value, json};
use time::OffsetDateTime;
use tonic::transport::Endpoint;
use tonic::{Code, Status};

use super::api::{Api, shown};

/// A wrong code; codes are drawn, so that it is right once in a million runs.
const WRONG_CODE: &str = "000000";

/// Who a canary is before it has an account.
pub struct Papers {
    /// 证件类型
    pub document_type: i32,
    pub number: String,
    pub name: String,
    /// What 首次登录完善个人信息 asks for.
    pub profile: Value,
}

/// The person, and what they know.
pub struct Canary {
    pub api: Api,
    pub papers: Papers,
    pub phone: String,
    pub mail: String,
    pub password: String,
    pub person_id: String,
    pub actor: Option<Actor>,
    pub refresh_token: String,
    /// What is looked for afterwards.
    pub secrets: Vec<String>,
    /// Every refusal as it was sent.
    pub refused: Vec<String>,
}

impl Papers {
    /// 居民身份证 of a teacher who is not in the register of the seed: a number that is not all zeros, so that nothing else looks like it.
    pub fn resident() -> Self {
        let teacher = Teacher::new(759);
        Self { document_type: 1, number: teacher.number(), name: teacher.name(), profile: json!({"ethnicity": "01"}) }
    }

    /// 港澳台居民居住证 of somebody from Macau.
    pub fn residence_permit() -> Self {
        let profile = json!({"ethnicity": "01", "sex": "1", "birthDate": "1990-07-07", "localIdNumber": "7759123(4)",
            "permitNumber": "M77591234"});
        Self { document_type: 2, number: "820000199007077590".to_owned(), name: "金丝雀乙".to_owned(), profile }
    }

    /// 港澳居民来往内地通行证 of somebody from Hong Kong.
    pub fn hong_kong_permit() -> Self {
        let profile = json!({"ethnicity": "01", "sex": "2", "birthDate": "1991-07-07", "localIdNumber": "P775913(8)"});
        Self { document_type: 3, number: "H77591235".to_owned(), name: "金丝雀丙".to_owned(), profile }
    }

    /// 五年有效期台湾居民来往大陆通行证
    pub fn taiwan_permit() -> Self {
        let profile = json!({"ethnicity": "01", "sex": "1", "birthDate": "1992-07-07", "localIdNumber": "A177591239"});
        Self { document_type: 4, number: "77591236".to_owned(), name: "金丝雀丁".to_owned(), profile }
    }
}

impl Canary {
    /// Somebody without an account; `nth` tells phones and addresses apart.
    pub fn new(api: &Api, papers: Papers, nth: u32) -> Self {
        let mut canary = Self {
            api: api.clone(),
            phone: format!("100777000{nth:02}"),
            mail: format!("canary{nth:02}@mail.example"),
            password: format!("canary#2026-{nth:02}"),
            person_id: String::new(),
            actor: None,
            refresh_token: String::new(),
            secrets: Vec::new(),
            refused: Vec::new(),
            papers,
        };
        let (number, name) = (canary.papers.number.clone(), canary.papers.name.clone());
        let (phone, mail, password) = (canary.phone.clone(), canary.mail.clone(), canary.password.clone());
        canary.secrets.extend([number, name, phone, mail, password]);
        for field in ["localIdNumber", "permitNumber"] {
            canary.secrets.extend(canary.papers.profile[field].as_str().map(str::to_owned));
        }
        canary
    }

    /// Remembers a text that is about to be said by the canary or about them.
    pub fn say(&mut self, text: impl Into<String>) -> String {
        let text = text.into();
        self.secrets.push(text.clone());
        text
    }

    /// 账号注册 with phone and mail verified, 登录, 完善个人信息, after a few mistakes.
    pub async fn arrive(&mut self) {
        let sent = self.call("Accounts/SendPhoneCode", json!({"phone": self.phone})).await.unwrap();
        let mailed = self.call("Credentials/SendEmailCode", json!({"email": self.mail})).await.unwrap();
        let registration = json!({"requestId": request_id(), "documentType": self.papers.document_type,
            "number": self.papers.number, "name": self.papers.name, "password": self.password,
            "phone": self.phone, "phoneChallengeId": sent["challengeId"],
            "phoneCode": self.api.letters.code(&self.phone, "register_code").await.unwrap(),
            "email": self.mail, "emailChallengeId": mailed["challengeId"],
            "emailCode": self.api.letters.mailed_code(&self.mail).await.unwrap()});
        for (field, wrong) in [("number", format!("{}7", self.papers.number)), ("phoneCode", WRONG_CODE.to_owned())] {
            let mut mistaken = registration.clone();
            mistaken["requestId"] = request_id().into();
            mistaken["phoneChallengeId"] = request_id().into();
            mistaken["emailChallengeId"] = request_id().into();
            mistaken[field] = wrong.into();
            self.must_be_refused("Accounts/RegisterAccount", mistaken).await;
        }
        self.tell("Accounts/RegisterAccount", registration).await;
        self.sign_in().await;
        let mut profile = self.papers.profile.clone();
        profile["requestId"] = request_id().into();
        let mut mistaken = profile.clone();
        mistaken["requestId"] = request_id().into();
        mistaken["localIdNumber"] = "A775912(X)".into();
        self.must_be_refused("Profiles/CompleteProfile", mistaken).await;
        self.tell("Profiles/CompleteProfile", profile.clone()).await;
        profile["requestId"] = request_id().into();
        self.must_be_refused("Profiles/CompleteProfile", profile.clone()).await;
        profile["ethnicity"] = "02".into();
        self.tell("Profiles/ChangeProfile", profile.clone()).await;
        profile["localIdNumber"] = "A775912(X)".into();
        self.must_be_refused("Profiles/ChangeProfile", profile).await;
        self.refresh().await;
        let seen = self.tell("Profiles/GetProfile", json!({})).await;
        assert_eq!((&seen["complete"], &seen["emailVerified"]), (&json!(true), &json!(true)), "{seen}");
        seen["personId"].as_str().unwrap().clone_into(&mut self.person_id);
    }

    /// 登录 with a code by SMS; gives the answer.
    pub async fn sign_in(&mut self) -> Value {
        let start = json!({"documentType": self.papers.document_type, "number": self.papers.number,
            "password": self.password, "entry": 1});
        let started = self.tell("Sessions/StartSignIn", start).await;
        let code = self.api.letters.code(&self.phone, "sign_in_code").await.unwrap();
        let done = self.tell("Sessions/CompleteSignIn", json!({"attemptId": started["attemptId"], "code": code})).await;
        self.hold(&done["tokens"]);
        done
    }

    /// A new pair of tokens for the session.
    pub async fn refresh(&mut self) {
        let renewed = self.tell("Sessions/RefreshSession", json!({"refreshToken": self.refresh_token})).await;
        self.hold(&renewed["tokens"]);
    }

    /// Goes on with these tokens.
    pub fn hold(&mut self, tokens: &Value) {
        let access = self.say(tokens["accessToken"].as_str().unwrap());
        self.refresh_token = self.say(tokens["refreshToken"].as_str().unwrap());
        let tomorrow = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(1 << 33);
        self.actor = Some(Actor::with_bearer(&self.api.addresses, &format!("Bearer {access}"), tomorrow));
    }

    /// Signed in.
    pub fn actor(&self) -> &Actor {
        self.actor.as_ref().expect("the canary signed in")
    }

    /// Calls as the canary, signed in or not.
    pub async fn call(&self, rpc: &str, request: Value) -> Result<Value, Status> {
        self.api.ask(self.actor.as_ref(), rpc, request).await
    }

    /// The same of a call that must be answered.
    pub async fn tell(&self, rpc: &str, request: Value) -> Value {
        self.call(rpc, request).await.unwrap_or_else(|status| panic!("{rpc}: {}", shown(&status)))
    }

    /// The same of a call that must be refused: what it says is searched as well.
    pub async fn must_be_refused(&mut self, rpc: &str, request: Value) {
        let refused = self.call(rpc, request).await.expect_err(rpc);
        self.refused.push(shown(&refused));
    }

    /// 注销: gives the id of the erasure.
    pub async fn erase(&mut self) -> String {
        let wrong = json!({"requestId": request_id(), "password": "canary#2026-xx"});
        self.must_be_refused("Erasure/RequestErasure", wrong.clone()).await;
        self.must_be_refused("Erasure/WithdrawErasure", wrong).await;
        let request = json!({"requestId": request_id(), "password": self.password});
        let erased = wait::until("what applications said to be known", Duration::from_secs(30), async || {
            match self.call("Erasure/RequestErasure", request.clone()).await {
                Err(status) if status.code() == Code::Unavailable => None,
                answered => Some(answered),
            }
        });
        let erased = erased.await.unwrap().unwrap();
        erased["erasureId"].as_str().unwrap_or_else(|| panic!("not erased: {erased}")).to_owned()
    }

    /// The receipt, once every service has confirmed.
    pub async fn receipt(&self, erasure: &str) -> identity::GetReceiptResponse {
        let client = ErasureClient::new(Endpoint::new(self.api.addresses.identity.clone()).unwrap().connect_lazy());
        let request = identity::GetReceiptRequest { erasure_id: erasure.to_owned() };
        let whole = wait::until("every service to confirm", Duration::from_secs(60), async || {
            let receipt = client.clone().get_receipt(request.clone()).await.ok()?.into_inner();
            receipt.complete.then_some(receipt)
        });
        whole.await.unwrap()
    }
}
