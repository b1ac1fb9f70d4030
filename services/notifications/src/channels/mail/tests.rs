//! Which settings make a way for mail, what a mail looks like, and what a server's refusal means.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;
use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::domain::address::MailAddress;

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

fn settings(flags: &[&str]) -> Settings {
    let flags = <Flags as clap::Parser>::try_parse_from(std::iter::once(&"notifications").chain(flags));
    flags.unwrap_or_else(|problem| panic!("{problem}")).settings
}

fn letter() -> Letter {
    Letter {
        id: Uuid::from_u128(1),
        to: MailAddress::parse("teacher@school.example").unwrap(),
        subject: "报名成功，您的报名号是 20263203020000017".to_owned(),
        text: "示例老师，您好：\n\n正文\n".to_owned(),
        at: datetime!(2026-11-23 08:00:00.5 UTC),
    }
}

#[tokio::test]
async fn a_mail_in_the_folder_is_complete_and_a_repetition_is_the_same_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().display().to_string();
    let mail = Mail::open(&settings(&["--mail-dir", &path])).unwrap();
    mail.send(&letter()).await.unwrap();
    mail.send(&letter()).await.unwrap();

    let files: Vec<_> = folder.path().read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "a repetition is the same file");
    let text = std::fs::read_to_string(&files[0]).unwrap();
    let (_, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!(STANDARD.decode(body.replace("\r\n", "")).unwrap(), "示例老师，您好：\r\n\r\n正文\r\n".as_bytes());
    for line in [
        "To: teacher@school.example\r\n",
        "Message-ID: <00000000-0000-0000-0000-000000000001@dingzhu.invalid>\r\n",
        "Date: Mon, 23 Nov 2026 08:00:00 +0000\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Content-Type: text/plain; charset=utf-8\r\n",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
}

#[test]
fn a_server_is_reached_by_tls_unless_it_is_on_this_machine() {
    let mail = |url: &str| Mail::open(&settings(&["--smtp-url", url, "--mail-from", "定注 <a@b.cn>"])).map(drop);
    for right in [
        "smtps://mail.example",
        "smtps://mail.example:4465",
        "smtp://mail.example?tls=required",
        "smtp://mail.example:2587?tls=required",
        "smtp://127.0.0.1",
        "smtp://127.0.0.1:2525",
        "smtp://[::1]:2525",
    ] {
        assert_eq!(mail(right), Ok(()), "{right}");
    }
    for wrong in [
        "mail.example",
        "smtp://mail.example",
        "smtp://mail.example:25",
        "smtp://mail.example?tls=opportunistic",
        "smtps://user:password@mail.example",
        "http://127.0.0.1",
        "smtps:///",
        "",
    ] {
        assert!(mail(wrong).is_err_and(|problem| problem.starts_with("DINGZHU_SMTP_URL")), "{wrong}");
    }
}

#[test]
fn what_is_missing_is_said() {
    let problem = |flags: &[&str]| Mail::open(&settings(flags)).map(drop).unwrap_err();
    assert!(problem(&[]).contains("neither DINGZHU_SMTP_URL nor DINGZHU_MAIL_DIR"));
    assert!(problem(&["--smtp-url", "smtps://mail.example"]).starts_with("DINGZHU_MAIL_FROM is not set"));
    assert!(problem(&["--mail-dir", "/tmp", "--mail-from", "nobody"]).starts_with("DINGZHU_MAIL_FROM is no address"));
    let flags =
        ["--smtp-url", "smtps://a.cn", "--mail-from", "a@b.cn", "--smtp-user", "a", "--smtp-password-file", "/no"];
    assert!(problem(&flags).starts_with("the password file /no cannot be read"));
    let flags = ["--smtp-url", "smtps://a.cn", "--mail-from", "a@b.cn", "--smtp-ca", "/no"];
    assert!(problem(&flags).starts_with("/no cannot be read"));
}

#[test]
fn all_problems_of_all_channels_are_said_at_once() {
    let unusable = super::super::Channels::open(&settings(&[])).unwrap_err();
    assert_eq!(unusable.0.len(), 2, "{unusable}");
}

#[test]
fn only_refusals_of_the_address_itself_are_final() {
    use Category::{MailSystem, Unspecified3};
    use Severity::{PermanentNegativeCompletion as Never, TransientNegativeCompletion as NotNow};
    for (code, refused) in [
        (Code::new(Never, MailSystem, Detail::Zero), true),
        (Code::new(Never, MailSystem, Detail::Three), true),
        (Code::new(Never, MailSystem, Detail::Four), false),
        (Code::new(Never, MailSystem, Detail::Two), false),
        (Code::new(Never, Unspecified3, Detail::Five), false),
        (Code::new(NotNow, MailSystem, Detail::Zero), false),
    ] {
        assert_eq!(is_refusal_of_address(code), refused, "{code}");
    }
}
