//! Mail over SMTP as deployments have it: TLS, login, refusals of all kinds, and several replicas at once.

use std::collections::HashMap;
use std::fs;

use cluster::wait;
use notifications::contacts::Contacts;
use notifications::delivery::Courier;
use notifications::handle::Handle;
use proto::notifications::v1::{Channel, Delivery, DeliveryState, ListDeliveriesRequest, NoticeFailed};
use tempfile::TempDir;

use crate::mail_server::{Answer, MailServer, Manners, PASSWORD, Security, USER};
use crate::stage::{DEADLINE, NUMBER, Stage, person, settings};

/// Tries quickly: what fails is tried again at once.
const QUICK: [&str; 4] = ["--delivery-first-pause-ms", "1", "--delivery-longest-pause-ms", "1"];

/// A stage whose mail goes to the server, with a login.
async fn stage_with_login(server: &MailServer, url: &str, certificate: &str) -> (Stage, TempDir) {
    let files = TempDir::new().unwrap();
    let (authority, password) = (files.path().join("ca.pem"), files.path().join("password"));
    fs::write(&authority, certificate).unwrap();
    fs::write(&password, format!("{PASSWORD}\n")).unwrap();
    let mut flags = server.flags(url);
    flags.extend(["--smtp-user", USER, "--smtp-password-file", password.to_str().unwrap()].map(str::to_owned));
    flags.extend(["--smtp-ca", authority.to_str().unwrap()].map(str::to_owned));
    flags.extend(QUICK.map(str::to_owned));
    (stage(&flags).await, files)
}

async fn stage(flags: &[String]) -> Stage {
    let stage = Stage::set(&flags.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.contacts.set(person(1), "", "teacher@school.example");
    stage
}

/// A stage that speaks to the server in clear, as with a relay on the same machine.
async fn plain_stage(server: &MailServer, more: &[&str]) -> Stage {
    let mut flags = server.flags("smtp://{address}");
    flags.extend(QUICK.iter().chain(more).map(|flag| (*flag).to_owned()));
    stage(&flags).await
}

async fn mail_delivery(stage: &Stage) -> Delivery {
    let deliveries = stage.settled().await;
    deliveries.into_iter().find(|delivery| delivery.channel == i32::from(Channel::Mail)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_goes_encrypted_and_with_a_login() {
    for (security, url) in [(Security::StartTls, "smtp://{address}?tls=required"), (Security::Tls, "smtps://{address}")]
    {
        let server = MailServer::start(Manners::good(security)).await;
        let (stage, _files) = stage_with_login(&server, url, &server.certificate).await;
        stage.submit(person(1), NUMBER).await;
        let delivery = mail_delivery(&stage).await;
        assert_eq!(delivery.state, i32::from(DeliveryState::Delivered));
        let mails = server.mails();
        assert_eq!(mails.len(), 1);
        assert!(mails[0].encrypted && mails[0].user.as_deref() == Some(USER) && mails[0].to.contains("teacher@school"));
        assert_eq!(mails[0].header("Message-ID"), format!("<{}@dingzhu.example>", delivery.notice_id));
        assert_eq!(mails[0].header("Auto-Submitted"), "auto-generated");
        assert!(!stage.folder.path().join("mail").exists(), "a server takes the folder's place");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_to_a_server_that_cannot_be_trusted() {
    let stranger = MailServer::start(Manners::good(Security::Tls)).await;
    for (security, url) in [
        (Security::Nothing, "smtp://{address}?tls=required"),
        (Security::StartTls, "smtp://{address}?tls=required"),
        (Security::Tls, "smtps://{address}"),
    ] {
        let server = MailServer::start(Manners::good(security)).await;
        // The certificate that is trusted is another server's.
        let (stage, _files) = stage_with_login(&server, url, &stranger.certificate).await;
        stage.submit(person(1), NUMBER).await;
        let mut operator = stage.operator().await;
        let tried = wait::until("a second try", DEADLINE, async || {
            let request = ListDeliveriesRequest { state: DeliveryState::Queued.into(), ..Default::default() };
            let deliveries = operator.list_deliveries(request).await.unwrap().into_inner().deliveries;
            deliveries.into_iter().find(|delivery| delivery.attempts > 1 && !delivery.problem.is_empty())
        });
        let delivery = tried.await.unwrap();
        assert!(delivery.problem.starts_with("SMTP_"), "{}", delivery.problem);
        assert!(server.mails().is_empty());
        let commands = server.commands();
        assert!(commands.iter().all(|command| !["AUTH", "MAIL", "RCPT"].contains(&command.as_str())), "{commands:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_address_is_given_up_at_once() {
    let mut manners = Manners::good(Security::Nothing);
    manners.recipients.push_back("550 5.1.1 <teacher@school.example> unknown");
    let server = MailServer::start(manners).await;
    let stage = plain_stage(&server, &[]).await;
    stage.submit(person(1), NUMBER).await;
    let delivery = mail_delivery(&stage).await;
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Failed.into(), 1));
    assert_eq!(delivery.problem, "ADDRESS_REFUSED");
    assert!(!stage.everything_stored().await.contains("teacher@school.example"), "nothing the server said is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passing_problem_is_waited_out_under_the_same_message_id() {
    let mut manners = Manners::good(Security::Nothing);
    manners.recipients.push_back("451 4.7.1 try later");
    manners.mails.push_back(Answer::Say("452 full"));
    manners.mails.push_back(Answer::Say("554 5.7.1 looks like spam"));
    let server = MailServer::start(manners).await;
    let stage = plain_stage(&server, &[]).await;
    stage.submit(person(1), NUMBER).await;
    let delivery = mail_delivery(&stage).await;
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Delivered.into(), 4));
    assert_eq!(delivery.problem, "");
    let ids: Vec<_> = server.mails().iter().map(|mail| mail.header("Message-ID").to_owned()).collect();
    assert_eq!(ids, vec![format!("<{}@dingzhu.example>", delivery.notice_id); 3]);
    assert_eq!(stage.inbox(person(1)).await.notices.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_gets_better_is_given_up_and_said_so() {
    let mut manners = Manners::good(Security::Nothing);
    manners.mails.extend((0..9).map(|_| Answer::Say("451 later")));
    let server = MailServer::start(manners).await;
    let stage = plain_stage(&server, &["--delivery-attempts", "3"]).await;
    stage.submit(person(1), NUMBER).await;
    let delivery = mail_delivery(&stage).await;
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Failed.into(), 3));
    assert_eq!(delivery.problem, "GAVE_UP");
    assert_eq!(server.mails().len(), 3);

    let log = stage.log().await;
    let failures = log.iter().filter(|event| event.kind.ends_with(".NoticeFailed"));
    let failures: Vec<NoticeFailed> =
        failures.map(|event| prost::Message::decode(event.payload.as_slice()).unwrap()).collect();
    let of_mail: Vec<_> = failures.iter().filter(|failed| failed.channel == i32::from(Channel::Mail)).collect();
    assert_eq!(of_mail.len(), 1);
    assert_eq!(of_mail[0].reason, "GAVE_UP");
}

#[tokio::test(flavor = "multi_thread")]
async fn several_replicas_send_each_mail_once() {
    const NOTICES: usize = 60;
    let server = MailServer::start(Manners::good(Security::Nothing)).await;
    let stage = plain_stage(&server, &[]).await;
    // Two more replicas of the delivery, on the same database.
    let ground = &stage.running.service.ground;
    let folder = stage.folder.path().join("sms").display().to_string();
    let mut flags = server.flags("smtp://{address}");
    flags.extend(["--sms-dir".to_owned(), folder]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let lifecycle = lifecycle::Lifecycle::new(DEADLINE);
    for _ in 0..2 {
        let handle = Handle::new(ground.log.clone(), settings(&flags)).unwrap();
        let courier = Courier::new(handle, Contacts::new(ground.peers.channel("identity")));
        let stopping = lifecycle.stopping(lifecycle::Stage::Work);
        lifecycle.spawn("another replica", lifecycle::OnDeath::IsItsEnd, courier.run(stopping));
    }
    for serial in 0..NOTICES {
        stage.submit(person(1), &format!("20263203020{serial:06}")).await;
    }
    let sent = wait::until("all mails", DEADLINE, async || (server.mails().len() >= NOTICES).then_some(()));
    sent.await.unwrap();
    stage.settled().await;

    let mut times = HashMap::new();
    for mail in server.mails() {
        *times.entry(mail.header("Message-ID").to_owned()).or_insert(0) += 1;
    }
    assert_eq!(times.len(), NOTICES);
    assert!(times.values().all(|count| *count == 1), "{times:?}");
    lifecycle.stop();
}
