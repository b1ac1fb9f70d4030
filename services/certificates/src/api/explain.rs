//! `ExplainMissing`: why a certificate is not in the caller's list, as reason, sentence and next step.

use access::Person;
use proto::certificates::v1 as wire;
use rpc::Violations;
use time::Date;
use tonic::Status;
use uuid::Uuid;
use wire::NextStep;

use super::certificates::{self, CertificatesApi, LONGEST_AGENCY};
use super::is_plain;
use crate::domain::agency::Agencies;
use crate::domain::kind::Kind;
use crate::domain::missing::{Brought, Explanation, Missed, Own, explain};
use crate::domain::name;
use crate::domain::number::Number;
use crate::domain::number::warning::{Said, Warning, province_name};
use crate::error::Error;
use crate::views::conflicts;
use crate::views::register::{self, Row};
use crate::views::synced;

/// Written into the person's own access log.
const PURPOSE: &str = "查询证书未列出的原因";
/// What whoever has such a certificate is told (DOMAIN 4.3), and what to do.
pub(super) const RECORDS_DISAGREE: &str = "证书数据存在异常：不同来源的数据对该证书的持证人、资格种类或签发日期记载不一致，正由证书所属省份核实。请携带证书原件联系证书的发证机关核实处理，处理完成后再进行定期注册。";
/// 实名核验 and matching go by these.
const SAME_PERSON: &str = "姓名、证件号码";

/// What whoever misses such a certificate, or enters it, is told.
pub(super) const NAME_DIFFERS: &str = "该证书登记的证件号码与您一致，但姓名与您的个人身份信息不一致，因此没有列出。如您改过姓名，请在个人信息中心的实名核验页面中修改，核验通过后证书会自动列出；如证书登记的姓名有误，请联系证书的发证机关处理。";

/// The same of one that is about to be listed.
pub(super) fn match_pending() -> String {
    format!("该证书已同步，登记的{SAME_PERSON}与您一致，正在列入您的证书列表，请稍后刷新页面查看。")
}

/// What a person entered of the certificate that they miss.
struct Entry {
    number: Number,
    kind: Kind,
    issued: Date,
    agency: String,
}

impl CertificatesApi {
    /// Looks at what the caller has, and at what the register holds under their document number, and at nothing else.
    pub(super) async fn explain(
        &self,
        person: &Person,
        body: &wire::ExplainMissingRequest,
    ) -> Result<wire::ExplainMissingResponse, Status> {
        let mut violations = Violations::new();
        let Some(entry) = entry(body, &mut violations) else { return Err(violations.into()) };
        let details = self.person(person, PURPOSE).await?;
        let pool = self.handle.log().pool();
        let listed = register::of_person(pool, person.id).await.map_err(Error::from)?;
        let holder = self.handle.holder_hash(&details.number);
        let held = register::of_holder(pool, &holder).await.map_err(Error::from)?;
        let held = held.into_iter().filter(|row| row.person != Some(person.id));
        let rows: Vec<Row> = listed.into_iter().chain(held).collect();
        let ids: Vec<Uuid> = rows.iter().map(|row| row.certificate_id).collect();
        let contradicted = conflicts::among(pool, &ids).await.map_err(Error::from)?;
        let (mut meant, mut own) = (Vec::new(), Vec::new());
        for row in rows {
            let opened =
                self.handle.open(row.sealed_under(), &row.sealed, row.sealed_event, row.sealed_version).await?;
            let kind = u8::try_from(row.kind).ok().and_then(Kind::of_digit);
            // Of one whose key was destroyed nothing is known any more.
            let (Some(personal), Some(kind)) = (opened, kind) else { continue };
            own.push(Own {
                number: personal.number,
                kind,
                issued: row.issue_date,
                is_listed: row.person == Some(person.id),
                is_same_name: name::is_same(&personal.holder_name, &details.name),
                is_restricted: row.restriction.is_some(),
                is_contradicted: contradicted.contains(&row.certificate_id),
                is_deleted: row.deleted,
            });
            meant.push((row.certificate_id, row.issuing_agency));
        }
        // Another source says that a certificate is theirs, of which the record says that it is somebody else's.
        let claimed = conflicts::of_holder(pool, &holder).await.map_err(Error::from)?;
        for row in claimed.into_iter().filter(|row| !ids.contains(&row.certificate_id)) {
            let sealed_under = (row.certificate_id, row.generation);
            let opened = self.handle.open(sealed_under, &row.sealed, row.sealed_event, row.sealed_version).await?;
            let kind = u8::try_from(row.kind).ok().and_then(Kind::of_digit);
            let (Some(personal), Some(kind)) = (opened, kind) else { continue };
            own.push(Own {
                number: personal.number,
                kind,
                issued: row.issue_date,
                is_listed: false,
                is_same_name: name::is_same(&personal.holder_name, &details.name),
                is_restricted: false,
                is_contradicted: true,
                is_deleted: false,
            });
            meant.push((row.certificate_id, row.issuing_agency));
        }
        let brought = match entry.number.province() {
            Some(province) => synced::last(pool, province).await.map_err(Error::from)?,
            None => None,
        };
        let missed = Missed { number: &entry.number, kind: entry.kind, issued: entry.issued };
        let explanation = explain(&missed, &own, brought);
        let agencies = self.handle.agencies();
        let warnings = entry.warnings(agencies.as_deref(), &details.number);
        Ok(answer(explanation, entry, &meant, &own, &warnings))
    }
}

fn entry(body: &wire::ExplainMissingRequest, violations: &mut Violations) -> Option<Entry> {
    let number = certificates::number(&body.number, violations);
    let kind = certificates::kind(body.kind, violations);
    let issued = certificates::issue_date(&body.issue_date, violations);
    let agency = body.issuing_agency.trim().to_owned();
    let fits = agency.chars().count() <= LONGEST_AGENCY;
    violations.check("issuing_agency", fits, "WRONG_LENGTH", format!("不超过{LONGEST_AGENCY}个字。"));
    is_plain("issuing_agency", &agency, violations);
    let (number, kind, issued) = (number?, kind?, issued?);
    violations.is_empty().then_some(Entry { number, kind, issued, agency })
}

impl Entry {
    /// Where it does not fit together; the agency may have been left out.
    fn warnings(&self, agencies: Option<&Agencies>, holder_number: &str) -> Vec<Warning> {
        let Self { number, kind, issued, agency } = self;
        let agencies = agencies.filter(|_| !agency.is_empty());
        let issuer = agencies.map(|agencies| agencies.issuer(agency, *issued, number.province()));
        number.warnings(&Said { kind: *kind, issued: *issued, agency, issuer, holder_number })
    }
}

fn answer(
    explanation: Explanation,
    entry: Entry,
    certificates: &[(Uuid, String)],
    own: &[Own],
    warnings: &[Warning],
) -> wire::ExplainMissingResponse {
    let (warnings, warning_reasons) = certificates::told(warnings);
    let meant = place(explanation);
    let (reason, message, next_step) = told(explanation, &entry, meant.map(|place| &own[place]));
    let listed = meant.filter(|place| own[*place].is_listed);
    wire::ExplainMissingResponse {
        reason: reason.to_owned(),
        message,
        next_step: next_step.into(),
        issuing_agency: meant.map_or(entry.agency, |place| certificates[place].1.clone()),
        certificate_id: listed.map(|place| certificates[place].0.to_string()).unwrap_or_default(),
        warnings,
        warning_reasons,
    }
}

/// Which of the person's own certificates is meant.
fn place(explanation: Explanation) -> Option<usize> {
    match explanation {
        Explanation::Listed(place)
        | Explanation::Restricted(place)
        | Explanation::RecordsDisagree(place)
        | Explanation::MatchPending(place)
        | Explanation::NumberTypedDifferently(place) => Some(place),
        Explanation::NameDiffers
        | Explanation::DeletedFromRegister
        | Explanation::RecordedTwice
        | Explanation::HigherEducation
        | Explanation::Before1996
        | Explanation::NumberAndDateDisagree
        | Explanation::MayBeAdded { .. }
        | Explanation::NumberImpossible
        | Explanation::NotSyncedYet { .. }
        | Explanation::NotInRegister { .. } => None,
    }
}

/// Reason, sentences and next step. The beginnings are the old system's, where DOMAIN 4.3 knows them.
fn told(
    explanation: Explanation,
    Entry { number, issued, .. }: &Entry,
    meant: Option<&Own>,
) -> (&'static str, String, NextStep) {
    match explanation {
        Explanation::Listed(_) => (
            "ALREADY_LISTED",
            "该证书已在您的证书列表中，请直接选择。".to_owned(),
            NextStep::ChooseFromList,
        ),
        Explanation::Restricted(_) => (
            "CERTIFICATE_RESTRICTED",
            "该数据已受限，不能进行定期注册报名!请携带证书原件联系证书的发证机关，了解受限原因和解除办法。".to_owned(),
            NextStep::AskIssuingAgency,
        ),
        Explanation::RecordsDisagree(_) => ("RECORDS_DISAGREE", RECORDS_DISAGREE.to_owned(), NextStep::AskIssuingAgency),
        Explanation::DeletedFromRegister => (
            "DELETED_FROM_REGISTER",
            "该证书不存在，请您仔细核对信息!认定历史库中该证书的数据已删除；如您持有该证书原件，请携带原件联系证书的发证机关处理。".to_owned(),
            NextStep::AskIssuingAgency,
        ),
        Explanation::NameDiffers => (
            "NAME_DIFFERS",
            NAME_DIFFERS.to_owned(),
            NextStep::VerifyName,
        ),
        Explanation::MatchPending(_) => ("MATCH_PENDING", match_pending(), NextStep::Wait),
        Explanation::NumberTypedDifferently(_) => (
            "NUMBER_TYPED_DIFFERENTLY",
            format!(
                "未找到所填号码的证书，但您名下有一本与之相近的证书（号码 {}）。请对照证书核对所填号码；如就是这一本，请在证书列表中选择。",
                meant.map(|own| vault::mask::certificate(&own.number)).unwrap_or_default()
            ),
            NextStep::CheckEntry,
        ),
        Explanation::RecordedTwice => (
            "RECORDED_TWICE",
            "您名下有多本资格种类和签发日期相同、号码不同的证书。请先对照证书核对所填号码，仍不能确定的，请携带证书原件联系证书的发证机关处理后再进行定期注册。".to_owned(),
            NextStep::AskIssuingAgency,
        ),
        Explanation::HigherEducation => (
            "HIGHER_EDUCATION",
            "高等学校教师资格不参加中小学教师资格定期注册，请选择其他证书。".to_owned(),
            NextStep::ChooseFromList,
        ),
        Explanation::Before1996 => {
            ("BEFORE_1996", "无此教师资格,请与发证机关确认".to_owned(), NextStep::AskIssuingAgency)
        }
        Explanation::NumberAndDateDisagree => (
            "NUMBER_AND_DATE_DISAGREE",
            "请仔细检查证书号码或证书签发日期是否有误。如所填内容与证书一致，请联系证书的发证机关处理。".to_owned(),
            NextStep::CheckEntry,
        ),
        Explanation::MayBeAdded { synced_since } => (
            "MAY_BE_ADDED",
            format!(
                "该证书核发于{synced_since}年以前，没有同步到您的证书列表。未参加过首次注册的，请按所持证书上的信息添加证书；参加过首次注册的，系统可以同步到首次注册信息，不允许添加证书，请核对首次注册时登记的{SAME_PERSON}，并联系当时的注册机构或证书的发证机关处理。"
            ),
            NextStep::AddByHand,
        ),
        Explanation::NumberImpossible => (
            "NUMBER_IMPOSSIBLE",
            "没有号码如此的该种类证书，请对照证书核对号码和资格种类；如所填内容与证书一致，请联系证书的发证机关处理。".to_owned(),
            NextStep::CheckEntry,
        ),
        Explanation::NotSyncedYet { brought, synced_since } => {
            let province = number.province().and_then(province_name).unwrap_or("该省");
            let last = match brought {
                None => format!("{province}的证书数据尚未同步到系统"),
                Some(Brought { last, .. }) if last <= *issued => {
                    let day = rpc::render_date(last);
                    format!("{province}的证书数据最近一次同步于{day}，您的证书签发于当日或此后")
                }
                Some(Brought { last, .. }) => {
                    let day = rpc::render_date(last);
                    format!("{province}的证书数据尚未全部同步到系统，已同步的部分（最近一次于{day}）中没有您的这本证书")
                }
            };
            let message = format!(
                "{last}，因此没有列出。{synced_since}年及以后取得的证书由系统同步，不允许添加证书，请在数据同步后再查看；急需办理的，请联系证书的发证机关。"
            );
            ("NOT_SYNCED_YET", message, NextStep::Wait)
        }
        Explanation::NotInRegister { synced_since } => (
            "NOT_IN_REGISTER",
            format!(
                "无此教师资格,请与发证机关确认。请先核对所填号码、签发日期，以及认定时登记的{SAME_PERSON}是否与您的个人身份信息一致；{synced_since}年及以后取得的证书由系统同步，不允许添加证书，确认无误的请携带证书原件联系证书的发证机关处理。"
            ),
            NextStep::AskIssuingAgency,
        ),
    }
}
