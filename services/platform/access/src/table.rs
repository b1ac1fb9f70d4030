//! The access table: for each RPC, who may call it. What has no row is closed.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use prost_types::{DescriptorProto, FileDescriptorSet};
use proto::identity::v1::Role;
use rpc::Refusal;

use crate::caller::sign_in_required;
use crate::{Caller, Grant};

/// Who may call an RPC. Whose object it is, is judged where the object is known.
///
/// A person with an incomplete profile is admitted by the first two rules only, whatever roles they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Everybody, signed in or not.
    Anyone,
    /// Everybody who is signed in, also with an incomplete profile: for the profile itself and what else is the account's own.
    SignedIn,
    /// A person.
    Person,
    /// A person who holds one of these roles.
    Staff(&'static [Role]),
    /// A person; one who holds one of these roles may do more than others.
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
    Restricted,
    RoleRequired,
    /// The role is there, but the session has not passed the second factor.
    SecondFactorRequired,
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::SignInRequired => sign_in_required(),
            Denied::ProfileIncomplete => {
                Self::forbidden("PROFILE_INCOMPLETE", "请先在个人信息中心完善个人身份信息，完善后重新登录再办理业务。")
            }
            Denied::SecondFactorRequired => {
                Self::forbidden("TOTP_REQUIRED", "办理此项业务须先通过动态口令验证；尚未绑定动态口令的，请先绑定。")
            }
            Denied::Restricted => Self::forbidden(
                "ACCOUNT_RESTRICTED",
                "您已申请注销账号，存档期满前该账号只能查看和导出本人信息；如需继续办理业务，请先撤回注销申请并重新登录。",
            ),
            Denied::RoleRequired => {
                Self::forbidden("ROLE_REQUIRED", "您的账号没有办理此项业务的权限，如有疑问请联系管理员。")
            }
        }
    }
}

impl Rule {
    /// What the layer answers a caller whom this rule does not admit.
    pub fn check(self, caller: &Caller) -> Result<(), Refusal> {
        self.admits(caller).map_err(Refusal::from)
    }

    /// Judges a caller.
    pub(crate) fn admits(self, caller: &Caller) -> Result<(), Denied> {
        let restricted = caller.person.as_ref().is_some_and(|person| person.restricted);
        if restricted && caller.service.is_none() && !self.is_for_accounts() {
            return Err(Denied::Restricted);
        }
        let among = |grants: &[Grant], roles: &[Role]| grants.iter().any(|grant| roles.contains(&grant.role));
        let role = |roles: &[Role]| among(&caller.grants, roles);
        let service = |names: &[&str]| caller.service.as_deref().is_some_and(|name| names.contains(&name));
        let person = caller.service.is_none().then_some(caller.person.as_ref()).flatten();
        let admitted = match self {
            Self::Anyone => true,
            Self::SignedIn | Self::Person | Self::PersonOrStaff(_) => person.is_some(),
            Self::Staff(roles) => person.is_some() && role(roles),
            Self::Service(names) => service(names),
            Self::ServiceOrStaff(names, roles) => service(names) || person.is_some() && role(roles),
        };
        match (admitted, person) {
            (true, Some(person)) if !person.complete && !self.is_for_accounts() => Err(Denied::ProfileIncomplete),
            (true, _) => Ok(()),
            (false, None) if caller.service.is_none() => Err(Denied::SignInRequired),
            (false, Some(_)) if among(&caller.withheld, self.roles()) => Err(Denied::SecondFactorRequired),
            (false, _) => Err(Denied::RoleRequired),
        }
    }

    /// Whether what this caller does may rest on a role, not only on who they are.
    pub(crate) fn rests_on_a_role(self, caller: &Caller) -> bool {
        match self {
            Self::Staff(_) => true,
            Self::ServiceOrStaff(..) => caller.service.is_none(),
            Self::PersonOrStaff(roles) => caller.grants.iter().any(|grant| roles.contains(&grant.role)),
            Self::Anyone | Self::SignedIn | Self::Person | Self::Service(_) => false,
        }
    }

    /// Whether it is open to accounts that nothing else is open to.
    const fn is_for_accounts(self) -> bool {
        matches!(self, Self::Anyone | Self::SignedIn)
    }

    /// The roles that it admits.
    pub(crate) const fn roles(self) -> &'static [Role] {
        match self {
            Self::Staff(roles) | Self::PersonOrStaff(roles) | Self::ServiceOrStaff(_, roles) => roles,
            Self::Anyone | Self::SignedIn | Self::Person | Self::Service(_) => &[],
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
    ("dingzhu.operations.v1.Operations/RewindReaction", OPERATOR),
    ("dingzhu.operations.v1.Audit/ListAudit", Rule::Staff(&[Role::Auditor])),
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

/// The RPCs that change something: their requests carry a `request_id`, by themselves or in the first part of a stream. What
/// operators do carries none: it must go on when nothing else does.
pub(crate) fn changing() -> HashSet<String> {
    const REQUEST_ID: &str = "request_id";
    let set = FileDescriptorSet::decode(proto::DESCRIPTORS).expect("the build wrote a descriptor set");
    let messages: HashMap<String, &DescriptorProto> = set
        .file
        .iter()
        .flat_map(|file| {
            file.message_type.iter().map(move |message| (format!(".{}.{}", file.package(), message.name()), message))
        })
        .collect();
    let named = |message: &DescriptorProto| message.field.iter().any(|field| field.name() == REQUEST_ID);
    let is_changing = |input: &str| {
        let parts = |message: &&DescriptorProto| {
            message.field.iter().any(|field| messages.get(field.type_name()).is_some_and(|part| named(part)))
        };
        messages.get(input).is_some_and(|message| named(message) || parts(message))
    };
    let mut found = HashSet::new();
    for file in &set.file {
        for service in &file.service {
            let methods = service.method.iter().filter(|method| is_changing(method.input_type()));
            found.extend(methods.map(|method| format!("{}.{}/{}", file.package(), service.name(), method.name())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use eventlog::Division;
    use proto::identity::v1::Entry;
    use uuid::Uuid;

    use super::*;
    use crate::caller::{Grant, Person, Scope};

    /// Somebody with a complete profile in a session that has passed the second factor.
    fn somebody() -> Person {
        Person {
            id: Uuid::from_u128(1),
            session: Uuid::from_u128(2),
            entry: Entry::Registration,
            complete: true,
            second_factor: true,
            restricted: false,
            token: "".into(),
        }
    }

    fn holding(role: Role) -> Arc<[Grant]> {
        let scope = Scope { division: Division::NONE, unit: None };
        [Grant { id: Uuid::from_u128(3), role, scope }].into()
    }

    fn caller(person: Person, grants: Arc<[Grant]>) -> Caller {
        Caller { person: Some(person), grants, ..Caller::default() }
    }

    /// An operator, in a session that has passed the second factor or not.
    fn operator(complete: bool, second_factor: bool) -> Caller {
        let (grants, person) = (holding(Role::Operator), Person { complete, second_factor, ..somebody() });
        let (grants, withheld) = if second_factor { (grants, Arc::default()) } else { (Arc::default(), grants) };
        Caller { person: Some(person), service: None, grants, withheld }
    }

    #[test]
    fn without_the_second_factor_staff_may_what_an_applicant_may() {
        let (passed, not_passed) = (operator(true, true), operator(true, false));
        for rule in [OPERATOR, Rule::ServiceOrStaff(SERVICES, &[Role::Operator])] {
            assert_eq!(rule.admits(&passed), Ok(()));
            assert_eq!(rule.admits(&not_passed), Err(Denied::SecondFactorRequired));
        }
        assert_eq!(Rule::Staff(&[Role::Auditor]).admits(&not_passed), Err(Denied::RoleRequired));
        for rule in [Rule::Anyone, Rule::SignedIn, Rule::Person, Rule::PersonOrStaff(&[Role::Operator])] {
            assert_eq!(rule.admits(&not_passed), Ok(()));
        }
        let newcomer = operator(false, false);
        assert_eq!(OPERATOR.admits(&newcomer), Err(Denied::SecondFactorRequired));
        assert_eq!(Rule::Person.admits(&newcomer), Err(Denied::ProfileIncomplete));
    }

    #[test]
    fn the_common_rows_cover_operations_and_the_feed() {
        let rows = COMMON.iter().filter(|(row, _)| row.starts_with("dingzhu.")).copied().collect::<Vec<_>>().leak();
        assert_eq!(uncovered(rows, "dingzhu.operations.v1"), Vec::<String>::new());
    }

    #[test]
    fn a_restricted_account_opens_what_is_open_to_everybody_who_is_signed_in_and_nothing_else() {
        let clerk = |restricted| caller(Person { restricted, ..somebody() }, holding(Role::Clerk));
        for rule in [Rule::Anyone, Rule::SignedIn] {
            assert_eq!(rule.admits(&clerk(true)), Ok(()));
        }
        let roles = &[Role::Clerk];
        for rule in [Rule::Person, Rule::Staff(roles), Rule::PersonOrStaff(roles), Rule::ServiceOrStaff(&[], roles)] {
            assert_eq!(rule.admits(&clerk(true)), Err(Denied::Restricted), "{rule:?}");
            assert_eq!(rule.admits(&clerk(false)), Ok(()), "{rule:?}");
        }
    }

    #[test]
    fn an_incomplete_profile_admits_to_nothing_but_itself_whatever_role_its_holder_has() {
        let of = |complete, grants| caller(Person { complete, ..somebody() }, grants);
        let clerk = || holding(Role::Clerk);
        let roles = &[Role::Clerk];
        for rule in [Rule::Person, Rule::Staff(roles), Rule::PersonOrStaff(roles), Rule::ServiceOrStaff(&["x"], roles)]
        {
            assert_eq!(rule.admits(&of(false, clerk())), Err(Denied::ProfileIncomplete), "{rule:?}");
            assert_eq!(rule.admits(&of(true, clerk())), Ok(()), "{rule:?}");
            assert_eq!(rule.admits(&Caller::default()), Err(Denied::SignInRequired), "{rule:?}");
        }
        for rule in [Rule::Anyone, Rule::SignedIn] {
            assert_eq!(rule.admits(&of(false, clerk())), Ok(()), "{rule:?}");
        }
        // A service that acts for somebody is judged by what it is.
        let service = Caller { service: Some("x".to_owned()), ..of(false, clerk()) };
        assert_eq!(Rule::Service(&["x"]).admits(&service), Ok(()));
    }

    #[test]
    fn changes_are_told_from_reading_and_from_what_operators_do() {
        let changing = changing();
        for rpc in [
            "dingzhu.applications.v1.Confirmation/ConfirmApplication",
            "dingzhu.certificates.v1.Sync/ImportRegister",
            "dingzhu.identity.v1.Staff/RevokeRole",
        ] {
            assert!(changing.contains(rpc), "{rpc}");
        }
        for rpc in [
            "dingzhu.applications.v1.Applications/GetApplication",
            "dingzhu.identity.v1.Staff/ListGrants",
            "dingzhu.operations.v1.Operations/RebuildView",
        ] {
            assert!(!changing.contains(rpc), "{rpc}");
        }
    }

    #[test]
    fn an_incomplete_profile_is_admitted_only_where_it_is_enough_to_be_signed_in() {
        let of = |complete| caller(Person { complete, ..somebody() }, Arc::default());
        for (rule, complete, incomplete) in [
            (Rule::Anyone, Ok(()), Ok(())),
            (Rule::SignedIn, Ok(()), Ok(())),
            (Rule::Person, Ok(()), Err(Denied::ProfileIncomplete)),
            (Rule::PersonOrStaff(&[Role::Clerk]), Ok(()), Err(Denied::ProfileIncomplete)),
            (Rule::Staff(&[Role::Clerk]), Err(Denied::RoleRequired), Err(Denied::RoleRequired)),
            (Rule::Service(&["applications"]), Err(Denied::RoleRequired), Err(Denied::RoleRequired)),
            (Rule::ServiceOrStaff(&["x"], &[Role::Clerk]), Err(Denied::RoleRequired), Err(Denied::RoleRequired)),
        ] {
            assert_eq!(rule.admits(&of(true)), complete, "{rule:?}");
            assert_eq!(rule.admits(&of(false)), incomplete, "{rule:?}");
        }
    }

    #[test]
    fn a_clerk_acts_by_a_role_an_applicant_and_a_service_do_not() {
        let (applicant, clerk) = (caller(somebody(), Arc::default()), caller(somebody(), holding(Role::Clerk)));
        let service = Caller { service: Some("identity".to_owned()), ..Caller::default() };
        assert!(Rule::Staff(&[Role::Clerk]).rests_on_a_role(&clerk));
        assert!(Rule::ServiceOrStaff(SERVICES, &[Role::Clerk]).rests_on_a_role(&clerk));
        assert!(!Rule::ServiceOrStaff(SERVICES, &[Role::Clerk]).rests_on_a_role(&service));
        assert!(Rule::PersonOrStaff(&[Role::Clerk]).rests_on_a_role(&clerk));
        assert!(!Rule::PersonOrStaff(&[Role::Liaison]).rests_on_a_role(&clerk));
        assert!(!Rule::PersonOrStaff(&[Role::Clerk]).rests_on_a_role(&applicant));
        assert!(!Rule::Person.rests_on_a_role(&clerk));
    }

    #[test]
    fn a_missing_and_a_dead_row_are_both_found() {
        const TABLE: Table = &[("dingzhu.notifications.v1.Secrets/Whisper", Rule::Anyone)];
        let found = uncovered(TABLE, "dingzhu.notifications.v1");
        assert!(found.contains(&"dingzhu.notifications.v1.Secrets/Deliver".to_owned()));
        assert!(found.contains(&"dingzhu.notifications.v1.Secrets/Whisper (no such RPC)".to_owned()));
    }
}
