//! Decisions about what a person signs in with and is reached by: given, when, then.

use decider::Decider as _;
use decider::testing::given;

use super::{Account, Command, Event, Rejection, register, registered};

#[test]
fn a_password_is_replaced_by_another_one() {
    let password_hash = "$argon2id$y".to_owned();
    let changed = Event::PasswordChanged { password_hash: password_hash.clone() };
    given::<Account>([registered()])
        .when(Command::ChangePassword { password_hash: password_hash.clone() })
        .then([changed.clone()]);
    let account = Account::fold(&[registered(), changed]);
    assert_eq!(account.registered().unwrap().password_hash, password_hash);
}

#[test]
fn only_an_account_has_a_password_a_phone_and_a_mail_address() {
    for command in [
        Command::ChangePassword { password_hash: "$argon2id$y".to_owned() },
        Command::ChangePhone,
        Command::VerifyEmail,
    ] {
        given::<Account>([]).when(command).then_refused(&Rejection::UnknownPerson);
    }
}

#[test]
fn a_phone_changes_as_often_as_its_person_wants() {
    given::<Account>([registered(), Event::PhoneChanged]).when(Command::ChangePhone).then([Event::PhoneChanged]);
}

#[test]
fn a_mail_address_is_verified_at_the_registration_or_later() {
    let mut registering = register();
    if let Command::Register { email_verified, .. } = &mut registering {
        *email_verified = true;
    }
    given::<Account>([]).when(registering).then([registered(), Event::EmailVerified]);
    given::<Account>([registered()]).when(Command::VerifyEmail).then([Event::EmailVerified]);
    let verified = |history: &[Event]| Account::fold(history).registered().unwrap().email_verified;
    assert!(!verified(&[registered(), Event::ProfileCompleted]));
    assert!(verified(&[registered(), Event::EmailVerified, Event::ProfileCompleted]));
}
