//! What the register knows of canaries: files and a source, entries by hand, conflicts, corrections, restrictions (certificates).

use cluster::actor::Actor;
use cluster::journey::request_id;
use serde_json::{Value, json};

use super::account::anew;
use super::api::Api;
use super::desk::packed;
use super::person::Canary;

const COLUMNS: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";
const RESTRICTIONS: &str = "证件号码,证书号码,限制类型,文件编号,截止日期,状态\n";

/// Those with certificates, by what happens to theirs.
pub struct Register<'c> {
    pub api: &'c Api,
    pub officer: &'c Actor,
}

/// A row of 认定历史库.
fn held(canary: &Canary, number: &str, date: &str) -> String {
    format!("{},{},{number},小学教师资格,语文,徐州市教育局,{date},,,\n", canary.papers.number, canary.papers.name)
}

/// The number of a certificate, whose end is `running`.
fn numbered(year: u16, running: u32) -> String {
    format!("{year}3200321{running:06}")
}

impl Register<'_> {
    /// A register's file; gives its last report.
    async fn import(&self, register: i32, rows: String) -> Value {
        let file = packed(&rows);
        let parts = json!([{"options": {"requestId": request_id(), "register": register}}, {"chunk": file}]);
        self.api.once(self.officer, "certificates.v1.Sync/ImportRegister", parts).await
    }

    /// A certificate of each canary; gives their ids, once they are listed.
    pub async fn bring(&self, canaries: &mut [Canary]) -> Vec<String> {
        let mut rows = COLUMNS.to_owned();
        for (canary, running) in canaries.iter_mut().zip(775_911..) {
            let number = canary.say(numbered(2010, running));
            rows += &held(canary, &number, "2010-06-15");
        }
        // Two rows that are not taken.
        for wrong in [&canaries[0].papers.name, &canaries[0].papers.number] {
            let row = format!("{wrong},{wrong},{wrong},小学教师资格,语文,徐州市教育局,2010-06-15,,,\n");
            rows += &row;
        }
        let report = self.import(1, rows).await;
        assert_eq!(report["added"], canaries.len().to_string(), "{report}");
        canaries[0].refused.push(report.to_string());
        let mut ids = Vec::new();
        for canary in canaries.iter() {
            ids.push(self.listed(canary, 1).await.remove(0));
        }
        ids
    }

    /// The ids of a canary's certificates, once there are so many.
    async fn listed(&self, canary: &Canary, count: usize) -> Vec<String> {
        let list = "certificates.v1.Certificates/ListMyCertificates";
        self.api
            .until(canary.actor(), list, json!({}), |answer| {
                let listed = answer["certificates"].as_array()?;
                let ids = listed.iter().map(|one| one["certificateId"].as_str().unwrap().to_owned());
                (listed.len() == count).then(|| ids.collect())
            })
            .await
    }

    /// What the registration says against the register about two certificates of one person, as if they were another's: of one an officer
    /// decides, the other stays open.
    pub async fn contradict(&self, one: &mut Canary, other: &Canary) {
        let numbers = [one.say(numbered(2005, 775_921)), one.say(numbered(2005, 775_922))];
        let rows = numbers.iter().map(|number| held(one, number, "2005-06-15"));
        self.import(1, rows.fold(COLUMNS.to_owned(), |rows, row| rows + &row)).await;
        self.listed(one, 3).await;
        let (holder, name) = (&other.papers.number, &other.papers.name);
        let rows = numbers.iter().map(|number| {
            format!("{holder},{name},{number},小学教师资格,语文,徐州市教育局,2005-06-15,1,注册合格,2021-11-30\n")
        });
        self.import(1, rows.fold(COLUMNS.to_owned(), |rows, row| rows + &row)).await;
        let conflict = self
            .api
            .until(self.officer, "certificates.v1.Conflicts/ListConflicts", json!({}), |answer| {
                answer["conflicts"].as_array().filter(|open| open.len() == 2).map(|open| open[0].clone())
            })
            .await;
        let reason = one.say("经查金丝雀的认定档案原件核实。");
        let settle = json!({"requestId": request_id(), "certificateId": conflict["certificateId"],
            "ordinal": conflict["ordinal"], "side": 1, "reason": reason, "fileReference": "苏教〔2026〕71号"});
        self.api.must(self.officer, "certificates.v1.Conflicts/SettleConflict", settle).await;
    }

    /// 添加证书 and 证书不在列表中: an entry that stays, one with a mistyped number that an officer merges into the right one, and slips.
    pub async fn enter_by_hand(&self, canary: &mut Canary) {
        let add = |number: &str, date: &str| {
            json!({"requestId": request_id(), "number": number, "kind": 2, "subject": "语文",
                "issuingAgency": "徐州市教育局", "issueDate": date})
        };
        let before = self.listed(canary, 1).await;
        let short = canary.say("970320775941001");
        let entry = add(&short, "1997-06-15");
        self.api.once(canary.actor(), "certificates.v1.Certificates/AddCertificate", entry.clone()).await;
        canary.must_be_refused("certificates.v1.Certificates/AddCertificate", anew(entry)).await;
        let (mistyped, right) = (canary.say(numbered(2006, 775_931)), canary.say(numbered(2006, 775_932)));
        let entered = add(&mistyped, "2006-06-15");
        let entered = canary.tell("certificates.v1.Certificates/AddCertificate", entered).await;
        let late = canary.say(numbered(2013, 775_971));
        canary.must_be_refused("certificates.v1.Certificates/AddCertificate", add(&late, "2013-06-15")).await;
        let missing = json!({"number": late, "kind": 2, "issueDate": "2013-06-15", "issuingAgency": "徐州市教育局"});
        canary.tell("certificates.v1.Certificates/ExplainMissing", missing).await;

        let known = self.listed(canary, before.len() + 2).await;
        self.import(1, format!("{COLUMNS}{}", held(canary, &right, "2006-06-15"))).await;
        let all = self.listed(canary, known.len() + 1).await;
        let right = all.iter().find(|id| !known.contains(id)).unwrap();
        let reason = canary.say("金丝雀丁录入号码有误。");
        let merge = json!({"requestId": request_id(), "certificateId": entered["certificateId"],
            "intoCertificateId": right, "reason": reason, "fileReference": "苏教〔2026〕72号"});
        self.api.must(self.officer, "certificates.v1.Conflicts/MergeCertificates", merge).await;
        self.listed(canary, known.len()).await;
    }

    /// Restrictions by file, one of them of a certificate of which nothing is known, and by an officer; all that hold are lifted.
    pub async fn restrict_and_lift(&self, canary: &mut Canary, certificate_id: &str) {
        let holder = canary.papers.number.clone();
        let (known, unknown) = (numbered(2010, 775_912), canary.say(numbered(2011, 775_951)));
        let rows = format!(
            "{RESTRICTIONS}{holder},{known},考试作弊,苏教〔2026〕73号,2029-01-31,已审核\n\
             {holder},{unknown},丧失,苏教〔2026〕74号,,已审核\n{holder},{known},丧失,苏教{holder}号,,已审核\n"
        );
        let report = self.import(2, rows).await;
        assert_eq!((&report["rejected"], &report["warned"]), (&json!("1"), &json!("1")), "{report}");
        canary.refused.push(report.to_string());
        let lifted = format!("{RESTRICTIONS}{holder},{known},考试作弊,苏教〔2026〕73号,2029-01-31,已解除\n");
        self.import(2, lifted).await;
        let restrict = json!({"requestId": request_id(), "certificateId": certificate_id, "kind": 4,
            "fileReference": "苏教〔2026〕75号"});
        self.api.must(self.officer, "certificates.v1.Restrictions/RestrictCertificate", restrict).await;
        let lift = json!({"requestId": request_id(), "certificateId": certificate_id,
            "fileReference": "苏教〔2026〕76号"});
        self.api.must(self.officer, "certificates.v1.Restrictions/LiftRestriction", lift).await;
        let look = json!({"certificateId": certificate_id});
        let seen = self
            .api
            .until(self.officer, "certificates.v1.Certificates/GetCertificate", look, |answer| {
                answer["certificate"].as_object().cloned()
            })
            .await;
        canary.refused.push(Value::Object(seen).to_string());
    }

    /// 更正申请 of a certificate that is listed and of one that is not, answered.
    pub async fn correct(&self, canary: &mut Canary, certificate_id: &str) {
        let (wrong, missing) =
            (canary.say("金丝雀四号的证书上任教学科有误，应为数学。"), canary.say("金丝雀五号的证书不在列表中。"));
        let number = canary.say(numbered(2014, 775_981));
        let request = "certificates.v1.Corrections/RequestCorrection";
        let by_id = json!({"requestId": request_id(), "certificateId": certificate_id, "statement": wrong});
        canary.tell(request, by_id).await;
        let by_number = json!({"requestId": request_id(), "number": number, "statement": missing});
        canary.tell(request, by_number).await;
        let unknown = json!({"requestId": request_id(), "number": canary.papers.name, "statement": "短"});
        canary.must_be_refused(request, unknown).await;
        let open = self
            .api
            .until(self.officer, "certificates.v1.Corrections/ListCorrections", json!({}), |answer| {
                answer["corrections"].as_array().filter(|open| open.len() == 2).cloned()
            })
            .await;
        let answer = canary.say("已为金丝雀转原发证机关核实。");
        for correction in open {
            let request = json!({"requestId": request_id(), "correctionId": correction["correctionId"],
                "state": 3, "answer": answer});
            self.api.must(self.officer, "certificates.v1.Corrections/AnswerCorrection", request).await;
        }
        self.api
            .until(canary.actor(), "certificates.v1.Corrections/ListMyCorrections", json!({}), |listed| {
                listed.to_string().contains(&answer).then_some(())
            })
            .await;
    }

    /// Whatever the source of the deployment has.
    pub async fn read_the_source(&self, canary: &mut Canary, count: usize) {
        let sync = json!({"requestId": request_id()});
        let report = self.api.once(self.officer, "certificates.v1.Sync/SyncFromSource", sync).await;
        assert_eq!(report["added"], "1", "{report}");
        self.listed(canary, count).await;
    }
}
