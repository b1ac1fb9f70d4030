//! The access table: for each RPC, who may call it. What has no row is closed.

use prost::Message as _;
use prost_types::FileDescriptorSet;
use proto::identity::v1::Role;

use crate::Caller;

/// Who may call an RPC. Whose object it is, is judged where the object is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Everybody, signed in or not.
    Anyone,
    /// Everybody who is signed in, also with an incomplete profile.
    SignedIn,
    /// A person with a complete profile.
    Person,
    /// A person who holds one of these roles.
    Staff(&'static [Role]),
    /// A person with a complete profile, or one who holds one of these roles.
    PersonOrStaff(&'static [Role]),
    /// One of these services.
    Service(&'static [&'static str]),
    /// One of these services, or a person who holds one of these roles.
    ServiceOrStaff(&'static [&'static str], &'static [Role]),
}

/// Why a rule does not admit a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    SignInRequired,
    ProfileIncomplete,
    RoleRequired,
}

impl Rule {
    /// Judges a caller.
    pub(crate) fn admits(self, caller: &Caller) -> Result<(), Denied> {
        let role = |roles: &[Role]| caller.grants.iter().any(|grant| roles.contains(&grant.role));
        let service = |names: &[&str]| caller.service.as_deref().is_some_and(|name| names.contains(&name));
        let person = caller.service.is_none().then_some(caller.person.as_ref()).flatten();
        let admitted = match self {
            Self::Anyone => true,
            Self::SignedIn => person.is_some(),
            Self::Person => person.is_some_and(|person| person.complete),
            Self::Staff(roles) => person.is_some() && role(roles),
            Self::PersonOrStaff(roles) => person.is_some_and(|person| person.complete || role(roles)),
            Self::Service(names) => service(names),
            Self::ServiceOrStaff(names, roles) => service(names) || person.is_some() && role(roles),
        };
        match (admitted, person) {
            (true, _) => Ok(()),
            (false, None) if caller.service.is_none() => Err(Denied::SignInRequired),
            (false, Some(person)) if !person.complete && matches!(self, Self::Person | Self::PersonOrStaff(_)) => {
                Err(Denied::ProfileIncomplete)
            }
            (false, _) => Err(Denied::RoleRequired),
        }
    }
}

/// Rows of `package.Service/Method` and who may call it.
pub type Table = &'static [(&'static str, Rule)];

/// Services that read the others' events.
const SERVICES: &[&str] = &["identity", "certificates", "scheduling", "applications", "notifications"];
const OPERATOR: Rule = Rule::Staff(&[Role::Operator]);

/// What every service offers alike: operations, the feed, health, reflection.
pub const COMMON: Table = &[
    ("dingzhu.operations.v1.Operations/GetStatus", OPERATOR),
    ("dingzhu.operations.v1.Operations/ListParkedEvents", OPERATOR),
    ("dingzhu.operations.v1.Operations/RedriveParkedEvents", OPERATOR),
    ("dingzhu.operations.v1.Operations/RebuildView", OPERATOR),
    ("dingzhu.operations.v1.Operations/VerifyLog", Rule::Staff(&[Role::Operator, Role::Auditor])),
    ("dingzhu.operations.v1.Operations/ResolveFork", OPERATOR),
    ("dingzhu.operations.v1.EventFeed/ReadEvents", Rule::ServiceOrStaff(SERVICES, &[Role::Operator])),
    ("grpc.health.v1.Health/Check", Rule::Anyone),
    ("grpc.health.v1.Health/Watch", Rule::Anyone),
    ("grpc.health.v1.Health/List", Rule::Anyone),
    ("grpc.reflection.v1.ServerReflection/ServerReflectionInfo", Rule::Anyone),
    ("grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", Rule::Anyone),
];

/// The RPCs of a package that a table has no row for, and the rows for which there is no RPC: both must be empty.
pub fn uncovered(table: Table, package: &str) -> Vec<String> {
    let set = FileDescriptorSet::decode(proto::DESCRIPTORS).expect("the build wrote a descriptor set");
    let offered: Vec<String> = set
        .file
        .iter()
        .filter(|file| file.package() == package)
        .flat_map(|file| &file.service)
        .flat_map(|service| {
            service.method.iter().map(move |method| format!("{package}.{}/{}", service.name(), method.name()))
        })
        .collect();
    let missing = offered.iter().filter(|rpc| !table.iter().any(|(row, _)| row == rpc)).cloned();
    let dead = table.iter().map(|(row, _)| (*row).to_owned()).filter(|row| !offered.contains(row));
    missing.chain(dead.map(|row| format!("{row} (no such RPC)"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_rows_cover_operations_and_the_feed() {
        let rows = COMMON.iter().filter(|(row, _)| row.starts_with("dingzhu.")).copied().collect::<Vec<_>>().leak();
        assert_eq!(uncovered(rows, "dingzhu.operations.v1"), Vec::<String>::new());
    }

    #[test]
    fn an_incomplete_profile_is_admitted_only_where_it_is_enough_to_be_signed_in() {
        let person = |complete| crate::Person {
            id: uuid::Uuid::from_u128(1),
            session: uuid::Uuid::from_u128(2),
            entry: proto::identity::v1::Entry::Registration,
            complete,
            token: "token".into(),
        };
        let caller = |complete| Caller { person: Some(person(complete)), ..Caller::default() };
        for (rule, complete, incomplete) in [
            (Rule::Anyone, Ok(()), Ok(())),
            (Rule::SignedIn, Ok(()), Ok(())),
            (Rule::Person, Ok(()), Err(Denied::ProfileIncomplete)),
            (Rule::PersonOrStaff(&[Role::Clerk]), Ok(()), Err(Denied::ProfileIncomplete)),
            (Rule::Staff(&[Role::Clerk]), Err(Denied::RoleRequired), Err(Denied::RoleRequired)),
            (Rule::Service(&["applications"]), Err(Denied::RoleRequired), Err(Denied::RoleRequired)),
            (Rule::ServiceOrStaff(&["x"], &[Role::Clerk]), Err(Denied::RoleRequired), Err(Denied::RoleRequired)),
        ] {
            assert_eq!(rule.admits(&caller(true)), complete, "{rule:?}");
            assert_eq!(rule.admits(&caller(false)), incomplete, "{rule:?}");
        }
    }

    #[test]
    fn a_missing_and_a_dead_row_are_both_found() {
        const TABLE: Table = &[("dingzhu.notifications.v1.Secrets/Whisper", Rule::Anyone)];
        let found = uncovered(TABLE, "dingzhu.notifications.v1");
        assert!(found.contains(&"dingzhu.notifications.v1.Secrets/Deliver".to_owned()));
        assert!(found.contains(&"dingzhu.notifications.v1.Secrets/Whisper (no such RPC)".to_owned()));
    }
}
