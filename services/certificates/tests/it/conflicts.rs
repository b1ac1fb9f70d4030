//! Sources contradict each other: both stay, the person is told, an officer settles; and two records turn out to be one certificate.

use certificates::Certificates;
use certificates::config::Settings;
use prost::Message as _;
use proto::certificates::v1 as wire;
use proto::certificates::v1::certificates_client::CertificatesClient;
use proto::certificates::v1::conflicts_client::ConflictsClient;
use proto::certificates::v1::restrictions_client::RestrictionsClient;
use proto::identity::v1::{AccountRegistered, Role};
use service::testing::{Channel, Running, start};
use uuid::Uuid;
use wire::{ConflictSide, NextStep};

use crate::api::{entry, reason};
use crate::identity::{self, People, Somebody};
use crate::sync::{TEACHER, eventually, import, listed};

const HEADER: &str = "证件号码,姓名,证书号码,资格种类,任教学科,认定机构,签发日期,注册次数,注册结论,注册日期,状态\n";
const OTHER: Somebody = Somebody { id: Uuid::from_u128(0x7002), number: "320399199001010026", name: "示例二" };
/// Issued before 2008: the register may hold it, a registration and a person, too.
const NUMBER: &str = "20053203221000001";

/// A row of 认定历史库.
fn held(somebody: &Somebody, number: &str, standing: &str) -> String {
    format!("{},{},{number},小学教师资格,语文,徐州市教育局,2005-06-15,,,,{standing}\n", somebody.number, somebody.name)
}

/// A row of the registration.
fn registered(somebody: &Somebody, number: &str, date: &str) -> String {
    format!(
        "{},{},{number},小学教师资格,小学语文,徐州市教育局,{date},1,注册合格,2021-11-30,\n",
        somebody.number, somebody.name
    )
}

async fn running() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    people.add(&OTHER);
    start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await
}

async fn officer(running: &Running<Certificates>, province: &str) -> ConflictsClient<Channel> {
    ConflictsClient::new(running.staff(lifecycle::ids::random(), Role::RegisterOfficer, province, None).await)
}

/// The open conflicts that an officer sees, as soon as there are so many.
async fn open(officer: &mut ConflictsClient<Channel>, count: usize) -> Vec<wire::Conflict> {
    eventually("the conflicts", async || {
        let answer = officer.list_conflicts(wire::ListConflictsRequest::default()).await.unwrap().into_inner();
        (answer.conflicts.len() == count).then_some(answer.conflicts)
    })
    .await
}

fn settle(conflict: &wire::Conflict, side: ConflictSide) -> wire::SettleConflictRequest {
    wire::SettleConflictRequest {
        request_id: lifecycle::ids::random().to_string(),
        certificate_id: conflict.certificate_id.clone(),
        ordinal: conflict.ordinal,
        side: side.into(),
        reason: "经查阅认定档案原件核实。".to_owned(),
        file_reference: "苏教〔2026〕3号".to_owned(),
    }
}

fn missed(number: &str) -> wire::ExplainMissingRequest {
    wire::ExplainMissingRequest {
        number: number.to_owned(),
        kind: 2,
        issue_date: "2005-06-15".to_owned(),
        issuing_agency: String::new(),
    }
}

async fn explained_as(
    running: &Running<Certificates>,
    person: Uuid,
    number: &str,
    reason: &str,
) -> wire::ExplainMissingResponse {
    let mut client = CertificatesClient::new(running.person(person));
    eventually(reason, async || {
        let answer = client.explain_missing(missed(number)).await.unwrap().into_inner();
        (answer.reason == reason).then_some(answer)
    })
    .await
}

async fn rebuilds_alike(running: &Running<Certificates>) {
    for view in ["register", "conflicts"] {
        let rebuilt = running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
}

#[tokio::test]
async fn what_the_registration_says_against_the_register_is_settled_by_an_officer() {
    let running = running().await;
    import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "正常")), false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await[0].certificate_id.clone();
    let id: Uuid = certificate_id.parse().unwrap();
    let contradicting = format!("{HEADER}{}", registered(&OTHER, NUMBER, "2005-06-15"));
    let reports = import(&running, &contradicting, false).await;
    assert_eq!(reports.last().map(|report| (report.changed, report.rejected)), Some((1, 0)));
    let reports = import(&running, &contradicting, false).await;
    assert_eq!(reports.last().map(|report| (report.changed, report.unchanged)), Some((0, 1)), "found once");

    // Both are told, and nobody loses or gets anything.
    let own = eventually("the warning", async || {
        let own = listed(&running, TEACHER.id, 1).await.remove(0);
        own.warning_reasons.contains(&"RECORDS_DISAGREE".to_owned()).then_some(own)
    })
    .await;
    assert!(own.warnings.last().unwrap().starts_with("证书数据存在异常"), "{:?}", own.warnings);
    for person in [TEACHER.id, OTHER.id] {
        let answer = explained_as(&running, person, NUMBER, "RECORDS_DISAGREE").await;
        assert!(answer.message.starts_with("证书数据存在异常"), "{}", answer.message);
        assert_eq!((answer.next_step(), answer.issuing_agency.as_str()), (NextStep::AskIssuingAgency, "徐州市教育局"));
    }

    let (mut elsewhere, mut officer) = (officer(&running, "33").await, officer(&running, "32").await);
    assert_eq!(open(&mut elsewhere, 0).await, []);
    let conflict = open(&mut officer, 1).await.remove(0);
    let (recorded, against) = (conflict.recorded.clone().unwrap(), conflict.contradicting.clone().unwrap());
    assert_eq!((recorded.source(), against.source()), (wire::Source::Register, wire::Source::PriorRegistration));
    assert_eq!(
        (recorded.masked_holder_name.as_str(), against.masked_holder_number.as_str()),
        ("示例*", "320*************26")
    );
    assert_eq!((conflict.masked_number.as_str(), against.subject.as_str()), ("2005***********01", "小学语文"));
    rebuilds_alike(&running).await;

    let keep = settle(&conflict, ConflictSide::Recorded);
    assert_eq!(reason(elsewhere.settle_conflict(keep.clone()).await), "NOT_FOUND");
    assert_eq!(running.opens_with_any_key(&[id]).await, 2);
    let done = officer.settle_conflict(keep.clone()).await.unwrap().into_inner();
    assert_eq!(officer.settle_conflict(keep.clone()).await.unwrap().into_inner(), done, "once");
    let other_body = wire::SettleConflictRequest { side: ConflictSide::Contradicting.into(), ..keep };
    assert_eq!(reason(officer.settle_conflict(other_body).await), "REQUEST_ID_REUSED");
    let again = settle(&conflict, ConflictSide::Contradicting);
    assert_eq!(reason(officer.settle_conflict(again).await), "NO_SUCH_CONFLICT");
    assert_eq!(open(&mut officer, 0).await, []);
    explained_as(&running, TEACHER.id, NUMBER, "ALREADY_LISTED").await;
    // What the other side said of its holder is gone; the officer's reason lies under the record's key.
    eventually("the key of the conflict to be destroyed", async || {
        (running.opens_with_any_key(&[id]).await == 2).then_some(())
    })
    .await;
    let mut client = CertificatesClient::new(running.person(OTHER.id));
    let answer = client.explain_missing(missed(NUMBER)).await.unwrap().into_inner();
    assert_ne!(answer.reason, "RECORDS_DISAGREE");
    let reports = import(&running, &contradicting, false).await;
    assert_eq!(reports.last().map(|report| (report.changed, report.unchanged)), Some((0, 1)), "it is settled");
    rebuilds_alike(&running).await;
}

#[tokio::test]
async fn what_the_register_says_against_an_entry_by_hand_is_taken_and_finds_its_holder() {
    let running = running().await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    teacher.add_certificate(entry(NUMBER, "2005-06-15")).await.unwrap();
    listed(&running, TEACHER.id, 1).await;
    import(&running, &format!("{HEADER}{}", held(&OTHER, NUMBER, "")), false).await;
    let mut officer = officer(&running, "32").await;
    let conflict = open(&mut officer, 1).await.remove(0);
    assert_eq!(conflict.recorded.as_ref().unwrap().source(), wire::Source::ByHand);
    assert_eq!(listed(&running, TEACHER.id, 1).await.len(), 1, "until it is settled");

    officer.settle_conflict(settle(&conflict, ConflictSide::Contradicting)).await.unwrap();
    assert_eq!(listed(&running, OTHER.id, 1).await[0].certificate_id, conflict.certificate_id);
    eventually("the entry to be gone", async || listed(&running, TEACHER.id, 0).await.is_empty().then_some(())).await;
    rebuilds_alike(&running).await;

    // The erasure of either leaves what is said of the other.
    let id: Uuid = conflict.certificate_id.parse().unwrap();
    running.erase(TEACHER.id).await;
    assert_eq!(listed(&running, OTHER.id, 1).await.len(), 1);
    eventually("all but what is said of the present holder to be unreadable", async || {
        (running.opens_with_any_key(&[id]).await == 1).then_some(())
    })
    .await;
    running.erase(OTHER.id).await;
    assert_eq!(running.opens_with_any_key(&[id]).await, 0);
}

#[tokio::test]
async fn what_is_said_of_somebody_without_a_certificate_is_unreadable_once_they_are_erased() {
    let people = People::default();
    let later = Somebody { id: Uuid::from_u128(0x7011), number: "320399199001010042", name: "示例四" };
    for somebody in [&TEACHER, &OTHER, &later] {
        people.add(somebody);
    }
    let running = start::<Certificates>(Settings::default(), vec![identity::start(&people).await]).await;
    let register = async |somebody: &Somebody| {
        let account = AccountRegistered { person_id: somebody.id.to_string(), document_type: 1, document_table: 1 };
        running.neighbour("identity").publish(somebody.id, "00", &account).await;
    };
    let pool = &running.service.ground.pool;
    let known = async |somebody: &Somebody, count: i64| {
        eventually("whose number is known", async || {
            let sql = "SELECT count(*) FROM public.holder WHERE person_id = $1";
            let found: i64 = sqlx::query_scalar(sql).bind(somebody.id).fetch_one(pool).await.unwrap();
            (found == count).then_some(())
        })
        .await;
    };
    register(&OTHER).await;
    known(&OTHER, 1).await;
    import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "正常")), false).await;
    let id: Uuid = listed(&running, TEACHER.id, 1).await[0].certificate_id.parse().unwrap();
    import(&running, &format!("{HEADER}{}", registered(&OTHER, NUMBER, "2005-06-15")), false).await;
    let mut officer = officer(&running, "32").await;
    open(&mut officer, 1).await;
    assert_eq!(running.opens_with_any_key(&[id]).await, 2);

    let confirmed = running.erase(OTHER.id).await;
    let counts: Vec<_> = confirmed.erased.iter().map(|erased| (erased.kind.as_str(), erased.count)).collect();
    assert_eq!(counts, [("certificate", 1), ("sealed_event", 1), ("correction", 0)]);
    assert_eq!(running.opens_with_any_key(&[id]).await, 1, "what is said of the holder");
    assert_eq!(open(&mut officer, 0).await, []);
    eventually("nobody to contradict", async || {
        listed(&running, TEACHER.id, 1).await[0].warning_reasons.is_empty().then_some(())
    })
    .await;
    rebuilds_alike(&running).await;

    // Identity's answer from before the erasure arrives late.
    known(&OTHER, 0).await;
    register(&OTHER).await;
    register(&later).await;
    known(&later, 1).await;
    known(&OTHER, 0).await;
}

#[tokio::test]
async fn an_account_that_was_erased_before_it_was_known_here_is_forgotten_when_it_is() {
    let running = running().await;
    import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "正常")), false).await;
    let id: Uuid = listed(&running, TEACHER.id, 1).await[0].certificate_id.parse().unwrap();
    import(&running, &format!("{HEADER}{}", registered(&OTHER, NUMBER, "2005-06-15")), false).await;
    let mut officer = officer(&running, "32").await;
    open(&mut officer, 1).await;
    running.erase(OTHER.id).await;
    assert_eq!(open(&mut officer, 1).await.len(), 1, "nobody has told whose number it is");

    // Identity has answered before the erasure.
    let account = AccountRegistered { person_id: OTHER.id.to_string(), document_type: 1, document_table: 1 };
    running.neighbour("identity").publish(OTHER.id, "00", &account).await;
    assert_eq!(open(&mut officer, 0).await, []);
    eventually("the key of the conflict to be destroyed", async || {
        (running.opens_with_any_key(&[id]).await == 1).then_some(())
    })
    .await;
    rebuilds_alike(&running).await;
}

#[tokio::test]
async fn an_entry_that_the_register_brings_later_becomes_its_record_and_keeps_its_history() {
    let running = running().await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let added = teacher.add_certificate(entry(NUMBER, "2005-06-15")).await.unwrap().into_inner();
    import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "0")), false).await;
    let own = eventually("the register's record", async || {
        let own = listed(&running, TEACHER.id, 1).await.remove(0);
        (own.source() == wire::Source::Register).then_some(own)
    })
    .await;
    assert_eq!((own.certificate_id.as_str(), own.warnings.len()), (added.certificate_id.as_str(), 0));
    let history = running.service.ground.log.load(added.certificate_id.parse().unwrap()).await.unwrap();
    let kinds: Vec<_> = history.iter().map(|event| event.kind.rsplit('.').next().unwrap()).collect();
    assert_eq!(kinds, ["CertificateAddedByHand", "CertificateMatched", "CertificateChanged"]);
}

#[tokio::test]
async fn a_mistyped_entry_is_merged_into_the_right_record_and_both_keep_their_histories() {
    let running = running().await;
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    let mistyped = teacher.add_certificate(entry("20053203221000010", "2005-06-15")).await.unwrap().into_inner();
    import(
        &running,
        &format!("{HEADER}{}{}", held(&TEACHER, NUMBER, ""), held(&OTHER, "20053203221000022", "")),
        false,
    )
    .await;
    let own = listed(&running, TEACHER.id, 2).await;
    let right = own.iter().find(|one| one.certificate_id != mistyped.certificate_id).unwrap().certificate_id.clone();
    let others = listed(&running, OTHER.id, 1).await[0].certificate_id.clone();
    let staff = running.staff(lifecycle::ids::random(), Role::RegisterOfficer, "32", None).await;
    let restrict = wire::RestrictCertificateRequest {
        request_id: lifecycle::ids::random().to_string(),
        certificate_id: mistyped.certificate_id.clone(),
        kind: wire::RestrictionKind::RevokedFraud.into(),
        end_date: "2031-06-30".to_owned(),
        file_reference: "苏教〔2026〕1号".to_owned(),
    };
    RestrictionsClient::new(staff).restrict_certificate(restrict).await.unwrap();

    let merge = |from: &str, into: &str| wire::MergeCertificatesRequest {
        request_id: lifecycle::ids::random().to_string(),
        certificate_id: from.to_owned(),
        into_certificate_id: into.to_owned(),
        reason: "申请人录入号码有误。".to_owned(),
        file_reference: "苏教〔2026〕4号".to_owned(),
    };
    let (mut elsewhere, mut officer) = (officer(&running, "33").await, officer(&running, "32").await);
    let request = merge(&mistyped.certificate_id, &right);
    assert_eq!(reason(elsewhere.merge_certificates(request.clone()).await), "NOT_FOUND");
    assert_eq!(reason(officer.merge_certificates(merge(&right, &others)).await), "NOT_ENTERED_BY_HAND");
    let others = merge(&mistyped.certificate_id, &others);
    assert_eq!(reason(officer.merge_certificates(others).await), "HOLDERS_DIFFER");
    assert_eq!(reason(officer.merge_certificates(merge(&right, &right)).await), "INVALID_FIELDS");
    let done = officer.merge_certificates(request.clone()).await.unwrap().into_inner();
    assert_eq!(officer.merge_certificates(request).await.unwrap().into_inner(), done, "once");

    // Nobody escapes a bar by a slip of the pen.
    let own = eventually("one certificate with the restriction", async || {
        let own = listed(&running, TEACHER.id, 1).await;
        (own.len() == 1 && own[0].restricted).then_some(own)
    })
    .await;
    assert_eq!(
        (own[0].certificate_id.as_str(), own[0].restriction()),
        (right.as_str(), wire::RestrictionKind::RevokedFraud)
    );
    let history = running.service.ground.log.load(right.parse().unwrap()).await.unwrap();
    let restricted = history.iter().rfind(|event| event.kind.ends_with("CertificateRestricted")).unwrap();
    let restricted = wire::CertificateRestricted::decode(restricted.payload.as_slice()).unwrap();
    // By its own decision, not by the one that the records are one certificate.
    assert_eq!((restricted.file_reference.as_str(), restricted.end_date.as_str()), ("苏教〔2026〕1号", "2031-06-30"));
    let again = teacher.add_certificate(entry("20053203221000010", "2005-06-15")).await;
    assert_eq!(reason(again), "NUMBER_MISTYPED");
    rebuilds_alike(&running).await;
    let records = [mistyped.certificate_id.parse().unwrap(), right.parse().unwrap()];
    assert_eq!(
        running.opens_with_any_key(&records).await,
        3,
        "what was entered, why it is closed, what the register says"
    );

    running.erase(TEACHER.id).await;
    assert_eq!(running.opens_with_any_key(&records).await, 0);
}

#[tokio::test]
async fn what_the_register_has_deleted_or_restricted_is_told_in_the_words_of_the_old_system() {
    let running = running().await;
    import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "正常")), false).await;
    let certificate_id = listed(&running, TEACHER.id, 1).await[0].certificate_id.clone();
    import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "删除")), false).await;
    let answer = explained_as(&running, TEACHER.id, NUMBER, "DELETED_FROM_REGISTER").await;
    assert!(answer.message.starts_with("该证书不存在，请您仔细核对信息!"), "{}", answer.message);
    assert_eq!(answer.next_step(), NextStep::AskIssuingAgency);
    assert_eq!(listed(&running, TEACHER.id, 0).await, []);
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    assert_eq!(reason(teacher.add_certificate(entry(NUMBER, "2005-06-15")).await), "DELETED_FROM_REGISTER");
    rebuilds_alike(&running).await;

    let reports = import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "挂失")), false).await;
    let rejected: Vec<_> = reports.iter().flat_map(|report| &report.rejected_rows).collect();
    assert_eq!(
        rejected.iter().map(|row| (row.field.as_str(), row.reason.as_str())).collect::<Vec<_>>(),
        [("状态", "UNKNOWN_STATUS")]
    );
    import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "受限")), false).await;
    let own = eventually("the restriction", async || {
        listed(&running, TEACHER.id, 1).await.into_iter().find(|one| one.restricted)
    })
    .await;
    assert_eq!(own.certificate_id, certificate_id);
    let answer = explained_as(&running, TEACHER.id, NUMBER, "CERTIFICATE_RESTRICTED").await;
    assert!(answer.message.starts_with("该数据已受限，不能进行定期注册报名!"), "{}", answer.message);
    rebuilds_alike(&running).await;
}

#[tokio::test]
async fn two_sources_contradict_each_other_also_from_2008_on() {
    let running = running().await;
    // 广西 is synced from 2012 on, and brought by its own officers: the year makes no difference.
    for (year, count) in [(2010, 1), (2015, 2)] {
        let number = format!("{year}3203221000001");
        let held = format!("320399199001010018,示例一,{number},小学教师资格,语文,徐州市教育局,{year}-06-15,,,,正常\n");
        let registered = format!(
            "320399199001010026,示例二,{number},小学教师资格,语文,徐州市教育局,{year}-06-15,1,注册合格,2021-11-30,\n"
        );
        import(&running, &format!("{HEADER}{held}"), false).await;
        listed(&running, TEACHER.id, count).await;
        let reports = import(&running, &format!("{HEADER}{registered}"), false).await;
        assert_eq!(reports.last().map(|report| (report.changed, report.rejected)), Some((1, 0)));
        let conflict = open(&mut officer(&running, "32").await, count).await.pop().unwrap();
        let sides = (conflict.recorded.unwrap().source(), conflict.contradicting.unwrap().source());
        assert_eq!(sides, (wire::Source::Register, wire::Source::PriorRegistration));
        assert_eq!(listed(&running, TEACHER.id, count).await.len(), count, "until it is settled");
        assert_eq!(listed(&running, OTHER.id, 0).await, []);
    }
}

#[tokio::test]
async fn what_the_register_deletes_before_anybody_knew_of_it_is_not_entered_by_hand() {
    let running = running().await;
    let reports = import(&running, &format!("{HEADER}{}", held(&TEACHER, NUMBER, "删除")), false).await;
    assert_eq!(reports.last().map(|report| (report.added, report.rejected)), Some((1, 0)));
    let mut teacher = CertificatesClient::new(running.person(TEACHER.id));
    assert_eq!(reason(teacher.add_certificate(entry(NUMBER, "2005-06-15")).await), "DELETED_FROM_REGISTER");
    explained_as(&running, TEACHER.id, NUMBER, "DELETED_FROM_REGISTER").await;
    assert_eq!(listed(&running, TEACHER.id, 0).await, []);
    rebuilds_alike(&running).await;
}
