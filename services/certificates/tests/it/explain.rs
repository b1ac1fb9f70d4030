//! Why a certificate is not listed: every reason, every message of the old system, and nothing of what others hold.

use certificates::Certificates;
use certificates::config::Settings;
use proto::certificates::v1 as wire;
use proto::certificates::v1::certificates_client::CertificatesClient;
use rpc::Refusal;
use service::testing::{Running, start};
use uuid::Uuid;
use wire::NextStep;

use crate::identity::{self, People, Somebody};
use crate::sync::{TEACHER, import, import_with, listed, options, restrict, row};

const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期\n";
pub const STRANGER: Somebody =
    Somebody { id: Uuid::from_u128(0x7002), number: "320399199001010026", name: "示例二" };
/// What whoever misses a certificate is told first where a part of the register was brought.
pub const NOT_ALL: &str = "江苏省的证书数据尚未全部同步到系统";
/// Of [`TEACHER`], by [`row`].
const LISTED: &str = "20103203221000001";

pub async fn running() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    people.add(&STRANGER);
    start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await
}

pub fn missed(number: &str, issue_date: &str) -> wire::ExplainMissingRequest {
    wire::ExplainMissingRequest {
        number: number.to_owned(),
        kind: 2,
        issue_date: issue_date.to_owned(),
        issuing_agency: "徐州市教育局".to_owned(),
    }
}

pub async fn explained(
    running: &Running<Certificates>,
    request: wire::ExplainMissingRequest,
) -> wire::ExplainMissingResponse {
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    teacher.explain_missing(request).await.unwrap().into_inner()
}

/// Asks until the views have caught up.
pub async fn explained_as(
    running: &Running<Certificates>,
    request: wire::ExplainMissingRequest,
    reason: &str,
) -> wire::ExplainMissingResponse {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let answer = explained(running, request.clone()).await;
        if answer.reason == reason {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} instead of {reason}", answer.reason);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

fn says(answer: &wire::ExplainMissingResponse, beginning: &str, next_step: NextStep) {
    assert!(answer.message.starts_with(beginning), "{}: {}", answer.reason, answer.message);
    assert_eq!(answer.next_step(), next_step, "{}", answer.reason);
}

#[tokio::test]
async fn what_others_hold_is_answered_as_what_nobody_holds() {
    let running = running().await;
    let others = [
        row(&STRANGER, "20103203221000011", "语文"),
        "320399199001010026,示例二,20053203221000011,小学教师资格,语文,徐州市教育局,2005-06-15,1,注册合格,2021-11-30\n"
            .to_owned(),
    ];
    let whole = wire::ImportOptions { complete: true, ..options() };
    import_with(&running, whole, &format!("{HEADER}{}{}", others[0], others[1])).await;
    listed(&running, STRANGER.id, 2).await;
    explained_as(&running, missed("20103203221999999", "2010-06-15"), "NOT_IN_REGISTER").await;
    let mut stranger = CertificatesClient::new(running.person(STRANGER.id));
    for (held, by_nobody, date) in [
        ("20103203221000011", "20103203221999999", "2010-06-15"),
        ("20053203221000011", "20053203221999999", "2005-06-15"),
    ] {
        let answer = explained(&running, missed(held, date)).await;
        assert_eq!(answer, explained(&running, missed(by_nobody, date)).await);
        assert_eq!(answer.issuing_agency, "徐州市教育局", "as it was entered");
        let theirs = stranger.explain_missing(missed(held, date)).await.unwrap().into_inner();
        assert_eq!(theirs.reason, "ALREADY_LISTED");
    }
}

#[tokio::test]
async fn ones_own_certificate_is_named_with_what_to_do() {
    let running = running().await;
    let renamed = Somebody { name: "示例改名", ..TEACHER };
    let file = format!("{HEADER}{}{}", row(&TEACHER, LISTED, "语文"), row(&renamed, "20103203221555555", "语文"));
    import(&running, &file, false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await[0].certificate_id.clone();

    let request = wire::ExplainMissingRequest { issuing_agency: String::new(), ..missed(LISTED, "2010-06-15") };
    let answer = explained(&running, request).await;
    assert_eq!((answer.reason.as_str(), answer.certificate_id.as_str()), ("ALREADY_LISTED", certificate_id.as_str()));
    assert_eq!(answer.issuing_agency, "徐州市教育局", "as the register says");
    says(&answer, "该证书已在您的证书列表中", NextStep::ChooseFromList);

    let answer = explained(&running, missed("20103203221000010", "2010-06-15")).await;
    assert_eq!(answer.reason, "NUMBER_TYPED_DIFFERENTLY");
    assert_eq!(answer.certificate_id, certificate_id);
    assert!(answer.message.contains("2010***********01"), "{}", answer.message);
    says(&answer, "未找到所填号码的证书", NextStep::CheckEntry);

    // The register has it under the same document number; no more of it is told than that.
    let request =
        wire::ExplainMissingRequest { issuing_agency: String::new(), ..missed("20103203221555555", "2010-06-15") };
    let answer = explained_as(&running, request, "NAME_DIFFERS").await;
    says(&answer, "该证书登记的证件号码与您一致，但姓名", NextStep::VerifyName);
    assert!(!answer.message.contains(renamed.name));
    assert_eq!((answer.issuing_agency.as_str(), answer.certificate_id.as_str()), ("", ""));

    import(&running, &format!("{HEADER}{}", row(&TEACHER, "20103203221000777", "数学")), false).await;
    listed(&running, TEACHER.id, 2).await;
    let answer = explained(&running, missed("20103203221888888", "2010-06-15")).await;
    assert_eq!(answer.reason, "RECORDED_TWICE");
    says(&answer, "您名下有多本", NextStep::AskIssuingAgency);

    restrict(&running, certificate_id).await;
    let answer = explained_as(&running, missed(LISTED, "2010-06-15"), "CERTIFICATE_RESTRICTED").await;
    says(&answer, "该数据已受限，不能进行定期注册报名!", NextStep::AskIssuingAgency);
}

#[tokio::test]
async fn what_is_unknown_is_explained_with_the_messages_of_the_old_system() {
    let running = running().await;
    let higher = wire::ExplainMissingRequest { kind: 7, ..missed("20103203271000001", "2010-06-15") };
    assert_eq!(explained(&running, higher).await.reason, "HIGHER_EDUCATION");
    for (number, date, reason, beginning, next_step) in [
        ("19953203221000001", "1995-06-15", "BEFORE_1996", "无此教师资格,请与发证机关确认", NextStep::AskIssuingAgency),
        (
            "20103203221000001",
            "2011-06-15",
            "NUMBER_AND_DATE_DISAGREE",
            "请仔细检查证书号码或证书签发日期是否有误",
            NextStep::CheckEntry,
        ),
        ("20103203201000001", "2010-06-15", "NUMBER_IMPOSSIBLE", "没有号码如此的该种类证书", NextStep::CheckEntry),
        ("20053203221000001", "2005-06-15", "MAY_BE_ADDED", "该证书核发于2008年以前", NextStep::AddByHand),
        ("20114503221000001", "2011-06-15", "MAY_BE_ADDED", "该证书核发于2012年以前", NextStep::AddByHand),
        ("20103203221000001", "2010-06-15", "NOT_SYNCED_YET", "江苏省的证书数据尚未同步到系统", NextStep::Wait),
    ] {
        let answer = explained(&running, missed(number, date)).await;
        assert_eq!(answer.reason, reason, "{number}");
        says(&answer, beginning, next_step);
        assert_eq!((answer.issuing_agency.as_str(), answer.certificate_id.as_str()), ("徐州市教育局", ""));
    }
    let impossible = explained(&running, missed("20103203201000001", "2010-06-15")).await;
    assert_eq!(impossible.warning_reasons, ["NUMBER_KIND_DIFFERS"]);

    import(&running, &format!("{HEADER}{}", row(&STRANGER, "20103203221000011", "语文")), true).await;
    assert_eq!(explained(&running, missed("20103203221000001", "2010-06-15")).await.reason, "NOT_SYNCED_YET");
    let file = format!("{HEADER}{}", row(&STRANGER, "20103203221000011", "语文"));
    import(&running, &file, false).await;
    // Nobody has said that this is all of it.
    let answer = crate::sync::eventually("the view", async || {
        let answer = explained(&running, missed("20103203221000001", "2010-06-15")).await;
        answer.message.starts_with(NOT_ALL).then_some(answer)
    })
    .await;
    assert_eq!((answer.reason.as_str(), answer.next_step()), ("NOT_SYNCED_YET", NextStep::Wait));
    let whole = wire::ImportOptions { complete: true, ..options() };
    import_with(&running, whole, &file).await;
    let answer = explained_as(&running, missed("20103203221000001", "2010-06-15"), "NOT_IN_REGISTER").await;
    says(&answer, "无此教师资格,请与发证机关确认", NextStep::AskIssuingAgency);
    // What comes later in part takes nothing of that back.
    import(&running, &file, false).await;
    let head = *running.service.ground.log.head().borrow();
    crate::sync::eventually("the view", async || running.service.bus.wait_for("synced", head).await.ok()).await;
    assert_eq!(explained(&running, missed("20103203221000001", "2010-06-15")).await.reason, "NOT_IN_REGISTER");
    let elsewhere = explained(&running, missed("20103303221000001", "2010-06-15")).await;
    assert_eq!(elsewhere.reason, "NOT_SYNCED_YET");
    says(&elsewhere, "浙江省", NextStep::Wait);
    let rebuilt = running.service.bus.rebuild("synced", |_| {}).await.unwrap();
    assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_with_every_field() {
    let running = running().await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let request = wire::ExplainMissingRequest { issuing_agency: "机".repeat(101), ..Default::default() };
    let refused = Refusal::from_status(&teacher.explain_missing(request).await.unwrap_err());
    let fields: Vec<_> = refused.violations.iter().map(|violation| violation.field.as_str()).collect();
    assert_eq!(
        (refused.reason.as_str(), fields),
        ("INVALID_FIELDS", vec!["number", "kind", "issue_date", "issuing_agency"])
    );
}
