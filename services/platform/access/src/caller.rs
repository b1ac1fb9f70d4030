//! Who calls: a person with their roles, or a service that may act for a person.

use std::sync::Arc;

use eventlog::Division;
use proto::identity::v1::{Entry, Role};
use rpc::Refusal;
use tonic::Request;
use uuid::Uuid;

/// Who stands behind a call. Made by [`crate::Authority::recognise`].
#[derive(Clone, Debug, Default)]
pub struct Caller {
    /// The signed-in person, or the one that a service acts for.
    pub person: Option<Person>,
    /// Name of the calling service, where it is one.
    pub service: Option<String>,
    /// Roles of the person that count in this session, as of now.
    pub grants: Arc<[Grant]>,
    /// Roles of the person that do not count, since the session has not passed the second factor, or since a service calls.
    pub withheld: Arc<[Grant]>,
}

/// A signed-in person, as the access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Random id of the person.
    pub id: Uuid,
    /// The session that the token belongs to.
    pub session: Uuid,
    /// 定期注册 or 认定: what one entry opens, the other does not.
    pub entry: Entry,
    /// Whether the profile is complete; without it only the profile itself is open.
    pub complete: bool,
    /// Whether the session has passed the second factor; without it no role counts.
    pub second_factor: bool,
    /// Whether the account is restricted: only what is open to everybody who is signed in is open to it.
    pub restricted: bool,
    /// The access token, to be passed along to another service.
    pub token: Arc<str>,
}

/// A role that a person holds somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Id of the grant.
    pub id: Uuid,
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
}

/// Where a role holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Division of the unit, or of the province.
    pub division: Division,
    /// School, point or agency; `None` for roles of a province.
    pub unit: Option<Uuid>,
}

impl Scope {
    /// Whether a division lies within this scope's one: 320000 covers 320300 covers 320302.
    pub fn covers(&self, division: Division) -> bool {
        division.as_str().starts_with(self.prefix())
    }

    /// How the divisions that it covers begin: `32`, `3203`, `320302`; nothing for the nation.
    pub fn prefix(&self) -> &str {
        let own = self.division.as_str();
        let significant = own.as_bytes().chunks(2).take_while(|pair| pair != b"00").count() * 2;
        &own[..significant]
    }
}

impl Caller {
    /// The caller of a request. The layer has put it there; without the layer it is nobody.
    pub fn of<T>(request: &Request<T>) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or_default()
    }

    /// As it is written into the log: `person:<uuid>`, `service:<name>`, `anyone`.
    pub fn actor(&self) -> String {
        match (&self.service, &self.person) {
            (Some(service), _) => format!("service:{service}"),
            (None, Some(person)) => format!("person:{}", person.id),
            (None, None) => "anyone".to_owned(),
        }
    }

    /// The signed-in person; the access table has made sure that there is one.
    pub fn signed_in(&self) -> Result<&Person, Refusal> {
        self.person.as_ref().ok_or_else(sign_in_required)
    }

    /// The scopes in which the person holds a role.
    pub fn holds(&self, role: Role) -> impl Iterator<Item = Scope> {
        self.grants.iter().filter(move |grant| grant.role == role).map(|grant| grant.scope)
    }

    /// Whether the person holds a role for this very unit.
    pub fn holds_for_unit(&self, role: Role, unit: Uuid) -> bool {
        self.holds(role).any(|scope| scope.unit == Some(unit))
    }

    /// Whether the person holds a role whose division covers this one.
    pub fn holds_for_division(&self, role: Role, division: Division) -> bool {
        self.holds(role).any(|scope| scope.covers(division))
    }
}

/// Nobody is signed in where somebody must be.
pub(crate) fn sign_in_required() -> Refusal {
    Refusal::unauthenticated("SIGN_IN_REQUIRED", "请先登录后再进行操作。")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(division: &str) -> Scope {
        Scope { division: Division::parse(division).unwrap(), unit: None }
    }

    #[test]
    fn a_scope_covers_itself_and_what_lies_below() {
        let county = Division::parse("320302").unwrap();
        assert!(scope("32").covers(county));
        assert!(scope("3203").covers(county));
        assert!(scope("320302").covers(county));
        assert!(!scope("320303").covers(county));
        assert!(!scope("3204").covers(county));
        assert!(!scope("320302").covers(Division::parse("3203").unwrap()));
    }

    #[test]
    fn only_the_whole_nation_covers_everything() {
        assert!(Scope { division: Division::NONE, unit: None }.covers(Division::parse("110101").unwrap()));
    }
}
