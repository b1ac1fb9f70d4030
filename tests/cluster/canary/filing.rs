//! Canaries apply: drafts, applications by every way to a conclusion and out of it, places at the point, notices (applications, scheduling,
//! notifications).

use cluster::actor::Actor;
use cluster::journey::{Place, request_id};
use cluster::layout::Layout;
use cluster::{call, wait};
use serde_json::{Value, json};
use time::UtcOffset;

use super::account::anew;
use super::api::{ARRIVAL, Api};
use super::desk::packed;
use super::person::Canary;

/// The staff that an application goes through.
pub struct Office {
    api: Api,
    place: Place,
    clerk: Actor,
    liaison: Actor,
    county: Actor,
    city: Actor,
    province: Actor,
}

/// An application of a canary.
struct Filed {
    key: Value,
    pledge: Value,
}

impl Filed {
    fn number(&self) -> &str {
        self.key["enrolmentNumber"].as_str().unwrap()
    }

    /// A change of the application with these further fields.
    fn change(&self, more: Value) -> Value {
        let mut request = json!({"requestId": request_id(), "key": self.key});
        let Value::Object(more) = more else { panic!("fields") };
        request.as_object_mut().unwrap().extend(more);
        request
    }
}

impl Office {
    pub async fn open(api: &Api, layout: &Layout, place: &Place) -> Self {
        let staff = async |name| call::sign_in(layout, name).await.unwrap();
        Self {
            api: api.clone(),
            place: place.clone(),
            clerk: staff("clerk").await,
            liaison: staff("liaison").await,
            county: staff("county").await,
            city: staff("city").await,
            province: staff("province").await,
        }
    }

    /// The form of a canary who lives at `address`.
    fn form(&self, canary: &mut Canary, address: &str) -> Value {
        let (address, home) = (canary.say(address), canary.say("徐州市鼓楼区金丝雀里"));
        let personal = json!({"putonghuaNumber": canary.say("3219077591234"), "graduationDate": "2005-06-30",
            "birthPlace": canary.say("金丝雀镇"), "householdPlace": home, "address": address, "postcode": "221000",
            "telephone": canary.say("0516-77591234"), "mobile": canary.phone, "email": canary.mail});
        let coded = json!({"putonghuaLevel": "3", "education": "21", "degree": "407", "majorCategory": "1",
            "major": "教育学", "graduateSchool": "江苏师范大学", "studyForm": "1", "schoolId": self.place.school_id,
            "schoolNature": "1", "schoolLocation": "1", "workStartDate": "2010-09-01", "employmentDate": "2012-09-01",
            "title": "Z3", "postNature": "1", "politicalStatus": "13", "stage": 2, "subject": "语文",
            "agencyId": self.place.agency_id, "pointId": self.place.point_id});
        json!({"personal": personal, "coded": coded})
    }

    /// A draft that could be submitted; gives its id, its revision, and the pledge.
    async fn draft(&self, canary: &mut Canary, certificate_id: &str) -> (Value, Value, Value) {
        let of = |rpc: &str| format!("applications.v1.Drafts/{rpc}");
        let texts = canary.tell(&of("ListTexts"), json!({"province": "32"})).await;
        let text = |name: &str, accepted: &str| {
            let text = texts["texts"].as_array().unwrap().iter().find(|text| text["name"] == name).unwrap();
            json!({"textVersion": text["version"], "textDigest": text["digest"], accepted: true})
        };
        let start = json!({"requestId": request_id(), "certificateId": certificate_id});
        let draft_id = self.api.once(canary.actor(), &of("StartDraft"), start).await["draftId"].clone();
        let mut agreement = text("agreement", "accepted");
        agreement.as_object_mut().unwrap().remove("accepted");
        agreement["draftId"] = draft_id.clone();
        let revision = canary.tell(&of("AcceptAgreement"), agreement).await["revision"].clone();
        let form = self.form(canary, "徐州市鼓楼区示例路77号");
        let mut slip = form.clone();
        slip["personal"]["postcode"] = canary.papers.number.clone().into();
        let slip = json!({"draftId": draft_id, "revision": revision, "form": slip});
        canary.must_be_refused(&of("SaveDraft"), slip).await;
        let save = json!({"draftId": draft_id, "revision": revision, "form": form});
        let saved = canary.tell(&of("SaveDraft"), save).await;
        assert_eq!(saved["problems"], Value::Null, "{saved}");
        let found = canary.tell(&of("GetDraft"), json!({"draftId": draft_id})).await;
        assert_eq!(found["form"]["personal"], form["personal"]);
        canary.tell(&of("TakeGraceTicket"), json!({"draftId": draft_id})).await;
        let check = json!({"draftId": draft_id});
        let free = wait::until("no obstacle", ARRIVAL, async || {
            let checked = canary.tell(&of("CheckDraft"), check.clone()).await;
            (checked["obstacles"].is_null() && checked["problems"].is_null()).then_some(())
        });
        free.await.unwrap();
        (draft_id, saved["revision"].clone(), text("pledge", "accepted"))
    }

    /// A draft that is thrown away, and one that stays as it is.
    pub async fn leave_a_draft(&self, canary: &mut Canary, certificate_id: &str) {
        let (draft_id, ..) = self.draft(canary, certificate_id).await;
        canary.tell("applications.v1.Drafts/DropDraft", json!({"draftId": draft_id})).await;
        self.draft(canary, certificate_id).await;
    }

    async fn file(&self, canary: &mut Canary, certificate_id: &str) -> Filed {
        let (draft_id, revision, pledge) = self.draft(canary, certificate_id).await;
        let submit = json!({"requestId": request_id(), "draftId": draft_id, "revision": revision, "pledge": pledge});
        let filed = canary.tell("applications.v1.Applications/SubmitApplication", submit.clone()).await;
        canary.must_be_refused("applications.v1.Applications/SubmitApplication", anew(submit)).await;
        let key = json!({"certificateId": filed["certificateId"], "enrolmentNumber": filed["enrolmentNumber"]});
        Filed { key, pledge }
    }

    /// 撤回
    pub async fn file_and_withdraw(&self, canary: &mut Canary, certificate_id: &str) {
        let filed = self.file(canary, certificate_id).await;
        canary.tell("applications.v1.Applications/WithdrawApplication", filed.change(json!({}))).await;
    }

    /// One application with every detour; `second` approves its reversal. Gives why somebody looked.
    pub async fn go_every_way(&self, canary: &mut Canary, certificate_id: &str, second: &Actor) -> String {
        let filed = self.file(canary, certificate_id).await;
        let looked = self.look(canary, &filed).await;
        self.take_places(canary, &filed).await;
        self.amend_until_confirmed(canary, &filed).await;
        self.review(canary, &filed).await;
        self.conclude_and_reverse(canary, &filed, second).await;
        self.read(canary, &filed, second).await;
        looked
    }

    /// Staff look at the sheet in clear.
    async fn look(&self, canary: &mut Canary, filed: &Filed) -> String {
        let purpose = canary.say("核对金丝雀二号的申请表");
        let look = json!({"key": filed.key, "revealPurpose": purpose});
        let seen = self.api.once(&self.clerk, "applications.v1.Applications/GetApplication", look).await;
        assert_eq!(seen["application"]["applicant"]["number"], Value::String(canary.papers.number.clone()));
        assert_eq!(seen["application"]["form"]["personal"]["address"], "徐州市鼓楼区示例路77号");
        purpose
    }

    /// 现场确认预约 by the canary and by the school.
    async fn take_places(&self, canary: &Canary, filed: &Filed) {
        let of = |rpc: &str| format!("scheduling.v1.Slots/{rpc}");
        let shanghai = UtcOffset::from_hms(8, 0, 0).unwrap();
        let date = rpc::render_date(lifecycle::clock::now().to_offset(shanghai).date() + time::Duration::DAY);
        let point = &self.place.point_id;
        let slot = |half: i32| json!({"pointId": point, "date": date, "halfDay": half});
        for half in [1, 2] {
            let publish = json!({"requestId": request_id(), "slot": slot(half), "capacity": 5});
            self.api.once(&self.clerk, &of("PublishCapacity"), publish).await;
        }
        canary.tell(&of("ListSlots"), json!({"pointId": point})).await;
        let number = filed.number();
        let asked = |half: i32| json!({"requestId": request_id(), "enrolmentNumber": number, "slot": slot(half)});
        self.api.once(canary.actor(), &of("BookSlot"), asked(1)).await;
        canary.tell(&of("MoveSlot"), asked(2)).await;
        let booked = canary.tell(&of("GetMyBooking"), json!({"enrolmentNumber": number})).await;
        assert_eq!(booked["booking"]["slot"]["halfDay"], "HALF_DAY_AFTERNOON");
        canary.tell(&of("ReleaseSlot"), json!({"requestId": request_id(), "enrolmentNumber": number})).await;
        let block = json!({"requestId": request_id(), "enrolmentNumbers": [number], "slot": slot(1)});
        self.api.once(&self.liaison, &of("BookBlock"), block).await;
        self.api
            .until(&self.clerk, &of("ListBookings"), json!({"slot": slot(1)}), |listed| {
                listed.to_string().contains(number).then_some(())
            })
            .await;
        self.api.must(&self.clerk, &of("ExportBookings"), json!({"pointId": point, "date": date})).await;
    }

    /// 变更, 确认不通过, 退回, and at last 确认: every step with its words.
    async fn amend_until_confirmed(&self, canary: &mut Canary, filed: &Filed) {
        let of = |rpc: &str| format!("applications.v1.{rpc}");
        for address in ["徐州市鼓楼区示例路78号", "徐州市鼓楼区示例路79号"] {
            let form = self.form(canary, address);
            let amend = filed.change(json!({"form": form, "pledge": filed.pledge}));
            canary.tell(&of("Applications/AmendApplication"), amend).await;
            let reason = canary.say(format!("金丝雀的通讯地址{address}与户口簿不符。"));
            let refuse = filed.change(json!({"reason": reason}));
            self.api.must(&self.clerk, &of("Confirmation/RefuseConfirmation"), refuse).await;
        }
        let form = self.form(canary, "徐州市鼓楼区示例路80号");
        let amend = filed.change(json!({"form": form, "pledge": filed.pledge}));
        canary.tell(&of("Applications/AmendApplication"), amend).await;
        self.record_facts(canary, filed).await;
        let back = [("金丝雀三号请补充材料。", &self.liaison), ("金丝雀三号请再补充材料。", &self.clerk)];
        for (reason, who) in back {
            self.api.must(&self.clerk, &of("Confirmation/ConfirmApplication"), filed.change(json!({}))).await;
            let reason = canary.say(reason);
            let request = filed.change(json!({"reason": reason}));
            self.api.must(who, &of("Confirmation/ReturnApplication"), request).await;
        }
        self.api.must(&self.clerk, &of("Confirmation/ConfirmApplication"), filed.change(json!({}))).await;
    }

    /// 注册条件 with notes: one by one and by file.
    async fn record_facts(&self, canary: &mut Canary, filed: &Filed) {
        let last = lifecycle::clock::now().year();
        let grades: Vec<Value> = (last - 5..=last).map(|year| json!({"year": year, "grade": "2"})).collect();
        let note = canary.say("金丝雀曾因病休养一学期。");
        let facts = json!({"ethics": 1, "yearGrades": grades, "trainingTotal": 360.0, "health": 1, "probation": 1,
            "contract": 1, "note": note});
        let record = filed.change(json!({"facts": facts}));
        self.api.must(&self.clerk, "applications.v1.Confirmation/RecordFacts", record).await;
        let note = canary.say("金丝雀的培训证明已核对。");
        let (number, name) = (filed.number(), canary.papers.name.clone());
        let file = packed(&format!("报名号,姓名,备注\n{number},{name},{note}\n{name},{name},{note}\n"));
        let parts = json!([{"options": {"requestId": request_id()}}, {"chunk": file}]);
        let last = self.api.must(&self.liaison, "applications.v1.Bulk/ImportFacts", parts).await;
        assert!(last["problems"][0]["column"] == "报名号", "{last}");
        canary.refused.push(last.to_string());
        let listed = self.api.until(&self.liaison, "applications.v1.Bulk/ExportFacts", json!({}), |part| {
            part["text"].as_str().filter(|text| text.contains(number)).map(str::to_owned)
        });
        let listed = listed.await;
        assert!(!listed.contains(&name), "names are masked there: {listed}");
    }

    /// 初审, 复核, with two ways back.
    async fn review(&self, canary: &mut Canary, filed: &Filed) {
        let of = |rpc: &str| format!("applications.v1.{rpc}");
        let back = canary.say("金丝雀的聘用合同复印件不清。");
        self.api.must(&self.county, &of("Review/SendBack"), filed.change(json!({"reason": back}))).await;
        self.api.must(&self.clerk, &of("Confirmation/ConfirmApplication"), filed.change(json!({}))).await;
        let opinion = canary.say("金丝雀材料齐全，同意。");
        self.api.must(&self.county, &of("Review/PassReview"), filed.change(json!({"opinion": opinion}))).await;
        let back = canary.say("金丝雀的年度考核请复核。");
        self.api.must(&self.city, &of("Review/SendBack"), filed.change(json!({"reason": back}))).await;
        for who in [&self.county, &self.city] {
            self.api.must(who, &of("Review/PassReview"), filed.change(json!({"opinion": opinion}))).await;
        }
    }

    /// 终审, 公示, 异议, 更正: concluded, reversed by two officers, concluded again from a file.
    async fn conclude_and_reverse(&self, canary: &mut Canary, filed: &Filed, second: &Actor) {
        let of = |rpc: &str| format!("applications.v1.{rpc}");
        self.api.must(&self.province, &of("Review/AssessApplication"), json!({"key": filed.key})).await;
        let reason = canary.say("金丝雀符合条件。");
        let conclude = filed.change(json!({"conclusion": 1, "reason": reason}));
        self.api.must(&self.province, &of("Review/ConcludeApplication"), conclude).await;
        let (objection, settled) = (canary.say("有人称金丝雀未满课时。"), canary.say("经核实金丝雀课时已满。"));
        for (fact, text) in [(1, ""), (3, &objection), (4, &settled), (2, ""), (5, "")] {
            let record = filed.change(json!({"fact": fact, "text": text}));
            self.api.must(&self.province, &of("Review/RecordConclusionFact"), record).await;
        }
        let reason = canary.say("金丝雀的结论经复核有误。");
        let propose = filed.change(json!({"reason": reason, "fileReference": "苏教〔2026〕77号"}));
        let proposed = self.api.must(&self.province, &of("Review/ProposeReversal"), propose).await;
        let approve = filed.change(json!({"proposalVersion": proposed["outcome"]["version"]}));
        let approved = self.api.once(second, &of("Review/ApproveReversal"), approve).await;
        assert_eq!(approved["outcome"]["status"], "STATUS_CONFIRMED", "{approved}");
        let (number, reason) = (filed.number(), canary.say("金丝雀经复核仍符合条件。"));
        let file = packed(&format!("报名号,注册结论,理由\n{number},注册合格,{reason}\n"));
        let parts = json!([{"options": {"requestId": request_id()}}, {"chunk": file}]);
        let last = self.api.must(&self.province, &of("Bulk/ImportConclusions"), parts).await;
        assert_eq!(last["outcome"]["status"], "STATUS_CONCLUDED", "{last}");
    }

    /// What can be read of it by whom.
    async fn read(&self, canary: &Canary, filed: &Filed, second: &Actor) {
        let key = json!({"key": filed.key});
        for who in [canary.actor(), &self.clerk, second] {
            for rpc in ["Applications/GetApplication", "Applications/GetHistory", "Explanations/ExplainApplication"] {
                self.api.must(who, &format!("applications.v1.{rpc}"), key.clone()).await;
            }
            for rpc in ["Applications/ListApplications", "Statistics/CountApplications", "DueDates/ListDueCertificates"]
            {
                self.api.once(who, &format!("applications.v1.{rpc}"), json!({})).await;
            }
        }
    }

    /// One application among many: confirmed, returned, passed and concluded by calls on lists.
    pub async fn go_in_bulk(&self, canary: &mut Canary, certificate_id: &str) {
        let filed = self.file(canary, certificate_id).await;
        self.record_facts(canary, &filed).await;
        let (back, opinion) = (canary.say("金丝雀乙请补充材料。"), canary.say("金丝雀乙材料齐全。"));
        let reason = canary.say("金丝雀乙符合条件。");
        let keys = |more: Value| {
            let mut request = json!({"requestId": request_id(), "keys": [filed.key]});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            request
        };
        let items =
            json!({"requestId": request_id(), "items": [{"key": filed.key, "conclusion": 1, "reason": reason}]});
        for (who, rpc, request) in [
            (&self.clerk, "ConfirmApplications", keys(json!({}))),
            (&self.liaison, "ReturnApplications", keys(json!({"reason": back}))),
            (&self.clerk, "ConfirmApplications", keys(json!({}))),
            (&self.county, "PassReviews", keys(json!({"opinion": opinion}))),
            (&self.city, "PassReviews", keys(json!({"opinion": opinion}))),
            (&self.province, "ConcludeApplications", items),
        ] {
            let done = self.api.must(who, &format!("applications.v1.Bulk/{rpc}"), request).await;
            assert!(done["result"]["outcome"].is_object(), "{rpc}: {done}");
        }
    }

    /// 站内消息: as many as there are to come, one of them read; and the deliveries as an operator sees them.
    pub async fn read_notices(&self, canary: &mut Canary, count: usize, operator: &Actor) {
        let of = |rpc: &str| format!("notifications.v1.Notices/{rpc}");
        let first = self
            .api
            .until(canary.actor(), &of("ListNotices"), json!({}), |listed| {
                let notices = listed["notices"].as_array().filter(|notices| notices.len() >= count)?;
                Some(notices[0]["noticeId"].clone())
            })
            .await;
        canary.tell(&of("MarkNoticeRead"), json!({"noticeId": first})).await;
        let deliveries = self.api.must(operator, &of("ListDeliveries"), json!({"pageSize": 200})).await;
        canary.refused.push(deliveries.to_string());
    }
}
