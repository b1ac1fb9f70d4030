//! An application's whole life: each step is told once, in order, where its template says so; and nothing personal is kept.

use cluster::wait;
use eventlog::Division;
use notifications::domain::step::Step;
use notifications::handle::{Handle, Told};
use proto::applications::v1::{
    ApplicationAmended, ApplicationConcluded, ApplicationConfirmed, ApplicationReturned, ApplicationSubmitted,
    ApplicationWithdrawn, ConclusionReversed, ConfirmationRefused, FactsRecorded, RegistrationRevoked, ReviewLevel,
    ReviewPassed, ReviewSentBack,
};
use proto::notifications::v1::{Channel, DeliveryState};
use proto::types::v1::Conclusion;
use uuid::Uuid;

use crate::stage::{DEADLINE, NUMBER, Stage, person, settings};

const PHONE: &str = "13800001111";
const EMAIL: &str = "teacher.one@school.example";

/// Publishes every step there is, and gives the templates that they must lead to, oldest first.
#[expect(clippy::needless_update, reason = "some of these messages have fields beyond the ones given, some have not")]
async fn whole_life(stage: &Stage, of: Uuid) -> Vec<&'static str> {
    let certificate = stage.submit(of, NUMBER).await;
    let (id, number) = (certificate.to_string(), NUMBER.to_owned());
    let applications = stage.applications();
    macro_rules! publish {
        ($message:ident { $($field:ident: $value:expr),* }) => {
            applications
                .publish(certificate, "320302", &$message {
                    certificate_id: id.clone(),
                    enrolment_number: number.clone(),
                    $($field: $value,)*
                    ..Default::default()
                })
                .await
        };
    }
    let level = |level: ReviewLevel| i32::from(level);
    publish!(ApplicationAmended { form_version: 2 });
    publish!(ConfirmationRefused {});
    publish!(FactsRecorded {});
    publish!(ApplicationConfirmed { level: level(ReviewLevel::County) });
    publish!(ApplicationReturned { by_role: "liaison".to_owned() });
    publish!(ReviewSentBack { level: level(ReviewLevel::County) });
    publish!(ReviewPassed { level: level(ReviewLevel::County), next_level: level(ReviewLevel::City) });
    publish!(ReviewSentBack { level: level(ReviewLevel::Province), to_level: level(ReviewLevel::City) });
    for conclusion in [Conclusion::Deferred, Conclusion::Failed, Conclusion::Qualified] {
        publish!(ApplicationConcluded { conclusion: conclusion.into(), conclude_date: "2026-11-23".to_owned() });
    }
    publish!(ConclusionReversed { level: level(ReviewLevel::Province) });
    publish!(RegistrationRevoked { revoke_date: "2026-11-24".to_owned() });
    publish!(ApplicationWithdrawn {});
    vec![
        "application_submitted",
        "application_amended",
        "confirmation_refused",
        "application_confirmed",
        "application_returned",
        "application_sent_back",
        "review_passed",
        "review_sent_back",
        "concluded_deferred",
        "concluded_failed",
        "concluded_qualified",
        "conclusion_reversed",
        "registration_revoked",
        "application_withdrawn",
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_told_once_by_every_channel_of_its_template() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), PHONE, EMAIL);
    let expected = whole_life(&stage, person(1)).await;

    let inbox = stage.inbox_of(person(1), expected.len()).await;
    let told: Vec<_> = inbox.notices.iter().rev().map(|notice| notice.template.as_str()).collect();
    assert_eq!(told, expected);
    assert_eq!(usize::try_from(inbox.unread).unwrap(), expected.len());
    let first = inbox.notices.last().unwrap();
    assert_eq!(first.title, format!("报名成功，您的报名号是 {NUMBER}"));
    assert_eq!(first.enrolment_number, NUMBER);
    assert!(first.body.contains("申报提醒") && first.body.contains("打印2份"), "{}", first.body);
    assert!(inbox.notices.iter().all(|notice| !notice.body.contains('{') && !notice.read));

    let deliveries = stage.settled().await;
    assert!(deliveries.iter().all(|delivery| delivery.state == i32::from(DeliveryState::Delivered)), "{deliveries:?}");
    let by = |channel: Channel| deliveries.iter().filter(|delivery| delivery.channel == i32::from(channel)).count();
    let short =
        ["submitted", "refused", "returned", "sent_back", "deferred", "failed", "qualified", "reversed", "revoked"];
    assert_eq!((by(Channel::Inbox), by(Channel::Mail), by(Channel::Sms)), (14, 14, short.len()));

    let (mail, sms) = (stage.files("mail"), stage.files("sms"));
    assert_eq!((mail.len(), sms.len()), (14, short.len()));
    assert!(mail.iter().all(|mail| mail.contains(&format!("To: {EMAIL}\r\n"))));
    let letters = stage.letters();
    assert!(letters.iter().all(|letter| letter.starts_with("示例老师，您好：") && letter.contains(NUMBER)));
    let sms: Vec<serde_json::Value> = sms.iter().map(|sms| serde_json::from_str(sms).unwrap()).collect();
    assert!(sms.iter().all(|sms| sms["to"] == PHONE));
    let first = sms.iter().find(|sms| sms["template"] == "application_submitted").unwrap();
    assert!(first["text"].as_str().unwrap().contains(NUMBER));
    assert!(first["time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_channel_of_every_notice_ends_once_in_the_log() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), PHONE, "");
    stage.submit(person(1), NUMBER).await;
    stage.inbox_of(person(1), 1).await;
    let deliveries = stage.settled().await;
    let mail = deliveries.iter().find(|delivery| delivery.channel == i32::from(Channel::Mail)).unwrap();
    assert_eq!(mail.state, i32::from(DeliveryState::NoAddress));

    let log = stage.log().await;
    let mut kinds: Vec<_> = log.iter().map(|event| event.kind.rsplit('.').next().unwrap()).collect();
    kinds[2..].sort_unstable();
    assert_eq!(kinds, ["NoticeQueued", "NoticeDelivered", "NoticeDelivered", "NoticeFailed"]);
    let submission = &stage.applications().log.read(0, 10).await.unwrap()[0];
    assert_eq!(log[0].metadata.cause, Some(submission.event_id));
    assert!(log.iter().all(|event| event.metadata.division == submission.metadata.division));
    assert!(log.iter().all(|event| event.metadata.actor == "service:notifications"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_address_is_kept_in_clear_and_nothing_personal_is_published() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), PHONE, EMAIL);
    stage.submit(person(1), NUMBER).await;
    stage.inbox_of(person(1), 1).await;
    let deliveries = stage.settled().await;
    let masked: Vec<_> = deliveries.iter().map(|delivery| delivery.masked_address.as_str()).collect();
    assert!(masked.contains(&"138****1111") && masked.contains(&"t***@school.example"), "{masked:?}");

    let stored = stage.everything_stored().await;
    assert!(stored.contains("138****1111"), "the search below looks at the right tables");
    for secret in [PHONE, EMAIL, "示例"] {
        assert!(!stored.contains(secret), "{secret} is stored");
        let hex = hex::encode(secret);
        assert!(!stored.contains(&hex), "{secret} is stored as bytes");
    }
    for event in stage.log().await {
        assert!(!String::from_utf8_lossy(&event.payload).contains(NUMBER), "{}", event.kind);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reaction_that_begins_anew_tells_nobody_twice() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), PHONE, EMAIL);
    stage.submit(person(1), NUMBER).await;
    stage.inbox_of(person(1), 1).await;
    stage.settled().await;

    let pool = &stage.running.service.ground.pool;
    let lost = "UPDATE feed_checkpoint SET epoch = 0, position = 0, hash = decode(repeat('00', 32), 'hex') \
                WHERE name = 'application-steps'";
    sqlx::query(lost).execute(pool).await.unwrap();
    stage.submit(person(2), "20263203020000025").await;
    let read = wait::until("both submissions to be read again", DEADLINE, async || {
        let reached = "SELECT position = 2 FROM feed_checkpoint WHERE name = 'application-steps'";
        sqlx::query_scalar::<_, bool>(reached).fetch_one(pool).await.unwrap().then_some(())
    });
    read.await.unwrap();
    stage.inbox_of(person(2), 1).await;
    stage.settled().await;
    assert_eq!(stage.inbox(person(1)).await.notices.len(), 1);
    assert_eq!((stage.files("mail").len(), stage.files("sms").len()), (1, 1));
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM delivery").fetch_one(pool).await.unwrap();
    assert_eq!(rows, 6, "three channels for each of the two");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replicas_that_tell_of_the_same_event_at_once_tell_it_once() {
    let stage = Stage::set(&[]).await;
    let folder = stage.folder.path().display().to_string();
    let settings = settings(&["--mail-dir", &folder, "--sms-dir", &folder]);
    let handle = Handle::new(stage.running.service.ground.log.clone(), settings).unwrap();
    let told = Told {
        step: Step::Submitted,
        enrolment_number: NUMBER.to_owned(),
        person: person(1),
        cause: lifecycle::ids::random(),
        at: lifecycle::clock::now(),
        division: Division::NONE,
    };
    let answers = futures::future::join_all((0..8).map(|_| handle.tell(&told))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    stage.inbox_of(person(1), 1).await;
    let queued = stage.log().await.into_iter().filter(|event| event.kind.ends_with(".NoticeQueued"));
    assert_eq!(queued.count(), 1);
    assert_eq!(stage.settled().await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_of_an_application_that_nobody_filed_is_parked_and_the_others_go_on() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), PHONE, EMAIL);
    let stray = ApplicationWithdrawn {
        certificate_id: person(9).to_string(),
        enrolment_number: "20263203029999994".to_owned(),
    };
    stage.applications().publish(person(9), "320302", &stray).await;
    stage.submit(person(1), NUMBER).await;
    stage.inbox_of(person(1), 1).await;
    let status = stage.running.service.bus.status().await.unwrap();
    let feed = status.feeds.iter().find(|feed| feed.name == "application-steps").unwrap();
    assert_eq!(feed.parked, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_views_rebuild_to_the_same_bytes() {
    let stage = Stage::set(&[]).await;
    stage.contacts.set(person(1), PHONE, EMAIL);
    let steps = whole_life(&stage, person(1)).await;
    stage.inbox_of(person(1), steps.len()).await;
    stage.settled().await;
    for view in ["inbox", "applicants"] {
        let rebuilt = stage.running.service.bus.rebuild(view, |_| {}).await.unwrap();
        assert_eq!(rebuilt.live_digest, rebuilt.rebuilt_digest, "{view}");
    }
    assert_eq!(stage.inbox(person(1)).await.notices.len(), steps.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_with_the_same_certificate_are_told_of_their_own_applications() {
    let stage = Stage::set(&[]).await;
    let certificate = lifecycle::ids::random();
    let submitted = |of: Uuid, number: &str| ApplicationSubmitted {
        certificate_id: certificate.to_string(),
        enrolment_number: number.to_owned(),
        person_id: of.to_string(),
        ..Default::default()
    };
    let withdrawn =
        ApplicationWithdrawn { certificate_id: certificate.to_string(), enrolment_number: NUMBER.to_owned() };
    let applications = stage.applications();
    applications.publish(certificate, "320302", &submitted(person(1), NUMBER)).await;
    applications.publish(certificate, "320302", &submitted(person(2), "20263203020000025")).await;
    applications.publish(certificate, "320302", &withdrawn).await;
    stage.inbox_of(person(1), 2).await;
    stage.inbox_of(person(2), 1).await;
}
