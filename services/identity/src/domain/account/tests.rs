//! Decisions about accounts: given, when, then.

use decider::Decider as _;
use decider::testing::given;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::role::Division;

mod credentials;
mod legacy;
mod phone_fix;
mod real_name;
mod wechat;

fn registered() -> Event {
    Event::Registered {
        document_type: DocumentType::ResidentId,
        number_hash: [7; 32],
        password_hash: "$argon2id$x".to_owned(),
        document_table: 1,
    }
}

fn register() -> Command {
    Command::Register {
        document_type: DocumentType::ResidentId,
        number_hash: [7; 32],
        password_hash: "$argon2id$x".to_owned(),
        document_table: 1,
        email_verified: false,
    }
}

fn grant(id: u128, role: Role, division: &str, unit: Option<u128>) -> Grant {
    let division = Division::parse(division).unwrap();
    Grant { id: Uuid::from_u128(id), role, scope: Scope { division, unit: unit.map(Uuid::from_u128) } }
}

fn administrator(division: &str) -> Authority {
    Authority::Administrator { is_self: false, divisions: vec![Division::parse(division).unwrap()] }
}

fn to_grant(grant: Grant, by: Authority) -> Command {
    Command::GrantRole { grant, by }
}

#[test]
fn a_number_without_account_gets_one() {
    given::<Account>([]).when(register()).then([registered()]);
}

#[test]
fn a_number_with_an_account_keeps_it_as_it_is() {
    given::<Account>([registered()]).when(register()).then_nothing();
}

#[test]
fn a_profile_is_completed_once() {
    given::<Account>([registered()]).when(Command::CompleteProfile).then([Event::ProfileCompleted]);
    given::<Account>([registered(), Event::ProfileCompleted])
        .when(Command::CompleteProfile)
        .then_refused(&Rejection::ProfileAlreadyComplete);
    given::<Account>([]).when(Command::CompleteProfile).then_refused(&Rejection::UnknownPerson);
}

#[test]
fn a_complete_profile_is_changed_where_it_says_something_else() {
    let change = |differs| Command::ChangeProfile { differs };
    let complete = [registered(), Event::ProfileCompleted];
    given::<Account>(complete.clone()).when(change(true)).then([Event::ProfileChanged]);
    given::<Account>(complete).when(change(false)).then_nothing();
    given::<Account>([registered()]).when(change(true)).then_refused(&Rejection::ProfileIncomplete);
    given::<Account>([]).when(change(true)).then_refused(&Rejection::UnknownPerson);
}

#[test]
fn an_administrator_grants_within_the_own_scope() {
    let clerk = grant(1, Role::Clerk, "320302", Some(9));
    given::<Account>([registered()]).when(to_grant(clerk, administrator("320000"))).then([Event::RoleGranted(clerk)]);
    given::<Account>([registered()]).when(to_grant(clerk, administrator("000000"))).then([Event::RoleGranted(clerk)]);
}

#[test]
fn a_role_beyond_the_own_scope_is_refused() {
    let elsewhere = grant(1, Role::Clerk, "330102", Some(9));
    given::<Account>([registered()])
        .when(to_grant(elsewhere, administrator("320000")))
        .then_refused(&Rejection::OutsideScope);
    let nation = grant(1, Role::Auditor, "000000", None);
    given::<Account>([registered()])
        .when(to_grant(nation, administrator("320000")))
        .then_refused(&Rejection::OutsideScope);
}

#[test]
fn nobody_grants_a_role_to_themselves() {
    let by = Authority::Administrator { is_self: true, divisions: vec![Division::NATION] };
    given::<Account>([registered()])
        .when(to_grant(grant(1, Role::Clerk, "320302", Some(9)), by))
        .then_refused(&Rejection::OwnRole);
}

#[test]
fn a_role_for_nobody_is_refused() {
    given::<Account>([])
        .when(to_grant(grant(1, Role::Clerk, "320302", Some(9)), Authority::Bootstrap))
        .then_refused(&Rejection::UnknownPerson);
}

#[test]
fn the_same_role_in_the_same_place_is_granted_once() {
    let held = Event::RoleGranted(grant(1, Role::Clerk, "320302", Some(9)));
    given::<Account>([registered(), held.clone()])
        .when(to_grant(grant(2, Role::Clerk, "320302", Some(9)), Authority::Bootstrap))
        .then_refused(&Rejection::AlreadyGranted);
    let other_point = grant(2, Role::Clerk, "320302", Some(8));
    given::<Account>([registered(), held])
        .when(to_grant(other_point, Authority::Bootstrap))
        .then([Event::RoleGranted(other_point)]);
}

#[test]
fn roles_that_exclude_each_other_are_not_held_together_wherever_they_hold() {
    let held = Event::RoleGranted(grant(1, Role::Operator, "320000", None));
    given::<Account>([registered(), held.clone()])
        .when(to_grant(grant(2, Role::Auditor, "330000", None), Authority::Bootstrap))
        .then_refused(&Rejection::RolesExcludeEachOther(Role::Operator, Role::Auditor));
    let auditor = grant(2, Role::Auditor, "330000", None);
    given::<Account>([registered(), held, Event::RoleRevoked { grant_id: Uuid::from_u128(1) }])
        .when(to_grant(auditor, Authority::Bootstrap))
        .then([Event::RoleGranted(auditor)]);
}

#[test]
fn a_role_is_taken_back_by_who_could_have_given_it() {
    let held = Event::RoleGranted(grant(1, Role::Clerk, "320302", Some(9)));
    let grant_id = Uuid::from_u128(1);
    let history = [registered(), held];
    given::<Account>(history.clone())
        .when(Command::RevokeRole { grant_id, by: administrator("320000") })
        .then([Event::RoleRevoked { grant_id }]);
    given::<Account>(history.clone())
        .when(Command::RevokeRole { grant_id, by: administrator("330000") })
        .then_refused(&Rejection::UnknownGrant);
    given::<Account>(history)
        .when(Command::RevokeRole { grant_id: Uuid::from_u128(2), by: administrator("320000") })
        .then_refused(&Rejection::UnknownGrant);
    given::<Account>([])
        .when(Command::RevokeRole { grant_id, by: Authority::Bootstrap })
        .then_refused(&Rejection::UnknownGrant);
}

/// A clerk of a point of 320302.
fn clerk() -> [Event; 2] {
    [registered(), Event::RoleGranted(grant(1, Role::Clerk, "320302", Some(9)))]
}

fn clerk_with_totp() -> Vec<Event> {
    [clerk().as_slice(), &[Event::TotpEnrolled]].concat()
}

#[test]
fn staff_enrol_one_second_factor() {
    given::<Account>(clerk()).when(Command::EnrolTotp).then([Event::TotpEnrolled]);
    given::<Account>(clerk_with_totp()).when(Command::EnrolTotp).then_refused(&Rejection::TotpAlreadyEnrolled);
    given::<Account>([registered()]).when(Command::EnrolTotp).then_refused(&Rejection::NotStaff);
    given::<Account>([]).when(Command::EnrolTotp).then_refused(&Rejection::UnknownPerson);
}

#[test]
fn a_lost_second_factor_is_reset_by_another_administrator_who_covers_every_role() {
    let reset = |by| Command::ResetTotp { by };
    given::<Account>(clerk_with_totp()).when(reset(administrator("320000"))).then([Event::TotpReset]);
    let own = Authority::Administrator { is_self: true, divisions: vec![Division::NATION] };
    given::<Account>(clerk_with_totp()).when(reset(own)).then_refused(&Rejection::OwnTotp);
    given::<Account>(clerk_with_totp()).when(reset(administrator("330000"))).then_refused(&Rejection::OutsideScope);
    let elsewhere = Event::RoleGranted(grant(2, Role::Clerk, "330102", Some(8)));
    given::<Account>([clerk_with_totp(), vec![elsewhere]].concat())
        .when(reset(administrator("320000")))
        .then_refused(&Rejection::OutsideScope);
    given::<Account>(clerk()).when(reset(administrator("320000"))).then_refused(&Rejection::TotpNotEnrolled);
    given::<Account>([]).when(reset(administrator("320000"))).then_refused(&Rejection::UnknownPerson);
    given::<Account>([clerk_with_totp(), vec![Event::TotpReset]].concat())
        .when(Command::EnrolTotp)
        .then([Event::TotpEnrolled]);
}

fn any_command() -> impl Strategy<Value = Command> {
    let scope = (prop_oneof![Just("320000"), Just("320302"), Just("000000")], proptest::option::of(1..3_u128));
    let any_grant = (1..6_u128, proptest::sample::select(Role::ALL.to_vec()), scope)
        .prop_map(|(id, role, (division, unit))| grant(id, role, division, unit));
    prop_oneof![
        Just(register()),
        Just(Command::CompleteProfile),
        any::<bool>().prop_map(|differs| Command::ChangeProfile { differs }),
        Just(Command::EnrolTotp),
        Just(Command::ResetTotp { by: administrator("320000") }),
        Just(Command::ChangePassword { password_hash: "$argon2id$y".to_owned() }),
        Just(Command::ChangePhone),
        (1..3_u128).prop_map(|id| Command::RequestPhoneFix(phone_fix::fix(id))),
        (1..3_u128).prop_map(|id| Command::SettlePhoneFix {
            fix_id: Uuid::from_u128(id),
            outcome: FixOutcome::Approved,
            belongs: vec![Division::NATION],
            by: administrator("320000")
        }),
        (any::<bool>(), any::<bool>()).prop_map(|(passed, differs)| Command::RecordNameCheck {
            passed,
            differs,
            provider: "file".to_owned()
        }),
        Just(Command::Import(legacy::imported())),
        Just(Command::VerifyEmail),
        (1..3_u8).prop_map(|openid| wechat::bind([openid; 32])),
        Just(Command::UnbindWechat),
        any_grant.prop_map(|grant| Command::GrantRole { grant, by: administrator("320000") }),
        (1..6_u128).prop_map(|id| Command::RevokeRole { grant_id: Uuid::from_u128(id), by: Authority::Bootstrap }),
    ]
}

proptest! {
    #[test]
    fn whatever_is_commanded_replay_gives_the_same_state_and_no_excluding_roles(
        commands in proptest::collection::vec(any_command(), 0..40)
    ) {
        let (mut state, mut history) = (Account::default(), Vec::new());
        for command in commands {
            if let Ok(events) = Account::decide(&state, command) {
                state = events.iter().fold(state, Account::evolve);
                history.extend(events);
            }
        }
        prop_assert_eq!(&Account::fold(&history), &state);
        if let Some(account) = state.registered() {
            for one in &account.grants {
                prop_assert!(account.grants.iter().all(|other| !one.role.excludes(other.role)));
                prop_assert_eq!(account.grants.iter().filter(|g| g.role == one.role && g.scope == one.scope).count(), 1);
            }
        } else {
            prop_assert!(history.iter().all(|event| matches!(event, Event::Imported(_))));
        }
    }
}
