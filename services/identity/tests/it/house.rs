//! What every service keeps: its table of access is whole, its first migrations are those of the platform.

use identity::Identity;
use service::Service as _;

#[test]
fn every_rpc_has_its_row() {
    assert_eq!(access::uncovered(Identity::ACCESS, "dingzhu.identity.v1"), Vec::<String>::new());
}

/// What whoever has just signed in for the first time may call: the own sessions, the own profile, and what belongs to it. A second
/// factor is refused to whoever is not staff.
const OWN: [&str; 23] = [
    "MySessions/ListMySessions",
    "MySessions/EndMySession",
    "MySessions/EndMyOtherSessions",
    "SecondFactor/EnrolTotp",
    "SecondFactor/ConfirmTotp",
    "SecondFactor/VerifyTotp",
    "Credentials/ChangePassword",
    "Credentials/SendNewPhoneCode",
    "Credentials/ChangePhone",
    "Credentials/ChangeEmail",
    "Sessions/EndSession",
    "RealName/VerifyRealName",
    "Profiles/GetProfile",
    "Profiles/CompleteProfile",
    "Profiles/ChangeProfile",
    "Erasure/RequestErasure",
    "Erasure/WithdrawErasure",
    "AccessLog/ListMyAccess",
    "Export/ExportMyData",
    "WechatBindings/BeginWechatBinding",
    "WechatBindings/CompleteWechatBinding",
    "WechatBindings/GetWechatBinding",
    "WechatBindings/UnbindWechat",
];

#[test]
fn an_incomplete_profile_admits_to_nothing_but_itself() {
    let open = Identity::ACCESS.iter().filter(|(_, rule)| *rule == access::Rule::SignedIn);
    for (row, _) in open {
        let name = row.strip_prefix("dingzhu.identity.v1.").unwrap();
        assert!(OWN.contains(&name), "{name} is open to an incomplete profile");
    }
}

#[test]
fn the_first_migrations_are_those_of_log_and_bus_and_later_ones_those_of_the_audit_trail_and_the_key_of_requests() {
    let migrations = Identity::migrations();
    let sql: Vec<&str> = migrations.iter().map(|migration| migration.sql.as_str()).collect();
    assert_eq!(sql[0], eventlog::MIGRATION_SQL);
    assert_eq!(sql[1], eventbus::SCHEMA);
    assert!(sql.contains(&audit::SCHEMA));
    assert!(sql.contains(&eventlog::REQUEST_KEY_SQL));
}
