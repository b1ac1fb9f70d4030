//! What an account refuses, and why.

use crate::domain::role::Role;

/// Why it may not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such account.
    #[error("there is no such account")]
    UnknownPerson,
    /// The profile is not complete yet.
    #[error("the profile is incomplete")]
    ProfileIncomplete,
    /// The profile was completed before.
    #[error("the profile is complete already")]
    ProfileAlreadyComplete,
    /// The person holds this very role there.
    #[error("the role is granted already")]
    AlreadyGranted,
    /// The person holds a role that nobody may hold beside this one.
    #[error("the roles {0:?} and {1:?} exclude each other")]
    RolesExcludeEachOther(Role, Role),
    /// Nobody gives a role to themselves.
    #[error("nobody grants a role to themselves")]
    OwnRole,
    /// The role reaches beyond the administrator's scope.
    #[error("the role reaches beyond the administrator's scope")]
    OutsideScope,
    /// No such school, point or agency as the role belongs to.
    #[error("there is no such unit")]
    UnknownUnit,
    /// The unit lies in another division than the role shall hold in.
    #[error("the unit lies in another division")]
    UnitElsewhere,
    /// No such open request, or it is not the helpdesk's to know.
    #[error("there is no such request")]
    UnknownFix,
    /// Nobody of the helpdesk settles for themselves.
    #[error("nobody settles a request of their own")]
    OwnAccount,
    /// The person of a request belongs where the helpdesk has nothing to settle.
    #[error("the person belongs elsewhere")]
    PersonElsewhere,
    /// No such live role, or it is not the administrator's to know.
    #[error("there is no such grant")]
    UnknownGrant,
    /// Only staff have a second factor.
    #[error("the person is no staff")]
    NotStaff,
    /// There is a second factor, which only an administrator ends.
    #[error("there is a second factor already")]
    TotpAlreadyEnrolled,
    /// There is no second factor.
    #[error("there is no second factor")]
    TotpNotEnrolled,
    /// The account has another WeChat, which has to be unbound first.
    #[error("another WeChat is bound")]
    WechatAlreadyBound,
    /// The account has no WeChat.
    #[error("no WeChat is bound")]
    WechatNotBound,
    /// Nobody resets their own second factor.
    #[error("nobody resets their own second factor")]
    OwnTotp,
    /// An application of the person is open: nobody is forgotten in the middle of it.
    #[error("an application is open")]
    ApplicationOpen,
    /// The person holds roles: they are given back first.
    #[error("the person holds roles")]
    RolesHeld,
    /// The account is as free as any other.
    #[error("the account is not restricted")]
    NotRestricted,
    /// The account is restricted: no new role.
    #[error("the account is restricted")]
    Restricted,
}
