//! Decisions about accounts of the old system: given, when, then.

use decider::Decider as _;
use decider::testing::given;
use time::macros::datetime;

use super::*;

pub fn imported() -> Imported {
    Imported {
        document_type: DocumentType::ResidentId,
        number_hash: [7; 32],
        created_at: datetime!(2018-05-01 08:00 +8),
    }
}

#[test]
fn an_old_account_is_imported_once_and_never_over_another_one() {
    given::<Account>([]).when(Command::Import(imported())).then([Event::Imported(imported())]);
    given::<Account>([Event::Imported(imported())]).when(Command::Import(imported())).then_nothing();
    given::<Account>([registered()]).when(Command::Import(imported())).then_nothing();
}

#[test]
fn whoever_registers_again_replaces_the_old_account() {
    given::<Account>([Event::Imported(imported())]).when(register()).then([registered()]);
    let again = Account::fold(&[Event::Imported(imported()), registered()]);
    assert_eq!(again, Account::fold(&[registered()]));
}

#[test]
fn an_old_account_can_do_nothing_and_holds_nothing() {
    let old = [Event::Imported(imported())];
    assert_eq!(Account::fold(&old).registered(), None);
    for command in [
        Command::CompleteProfile,
        Command::ChangeProfile { differs: true },
        Command::ChangePassword { password_hash: "$argon2id$y".to_owned() },
        Command::ChangePhone,
        Command::VerifyEmail,
        to_grant(grant(1, Role::Clerk, "320302", Some(9)), Authority::Bootstrap),
    ] {
        given::<Account>(old.clone()).when(command).then_refused(&Rejection::UnknownPerson);
    }
    given::<Account>(old)
        .when(Command::RevokeRole { grant_id: Uuid::from_u128(1), by: Authority::Bootstrap })
        .then_refused(&Rejection::UnknownGrant);
}
