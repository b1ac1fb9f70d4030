//! 账号: one person's account and roles, decided from one stream. Personal data travels beside the events, never in them.

mod command;
mod event;
mod phone_fix;
mod rejection;

use decider::Decider;

pub use command::{Authority, Command};
pub use event::Event;
pub use phone_fix::{FixOutcome, PhoneFix};
pub use rejection::Rejection;

use super::document::DocumentType;
use super::erasure;
use super::role::{Grant, Role, Scope};
use time::OffsetDateTime;
use uuid::Uuid;

/// The account of one person.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Account {
    /// Nobody.
    #[default]
    Empty,
    /// Somebody who had an account in the old system and has not registered here yet: nobody signs in to it.
    Imported(Imported),
    /// Somebody.
    Registered(Registered),
    /// Nobody any more: forgotten by this erasure.
    Erased(Uuid),
}

/// An account of the old system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Type of the document.
    pub document_type: DocumentType,
    /// Keyed hash of type and number.
    pub number_hash: [u8; 32],
    /// When it was made there.
    pub created_at: OffsetDateTime,
}

/// An account that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not by itself, none is a state of another")]
pub struct Registered {
    /// Type of the document whose number is the account's name.
    pub document_type: DocumentType,
    /// Keyed hash of type and number.
    pub number_hash: [u8; 32],
    /// PHC string of argon2id.
    pub password_hash: String,
    /// Whether the profile is complete.
    pub complete: bool,
    /// Whether there is a second factor.
    pub totp: bool,
    /// Whether the mail address is one that the person has shown to read.
    pub email_verified: bool,
    /// Whether the name passed a real-name check.
    pub name_verified: bool,
    /// The open request for another phone.
    pub phone_fix: Option<PhoneFix>,
    /// Keyed hash of the openid of the WeChat that is bound.
    pub wechat: Option<[u8; 32]>,
    /// Live roles, in the order in which they were granted.
    pub grants: Vec<Grant>,
    /// Whether an erasure waits for the end of an archive duty.
    pub restricted: bool,
}

impl Account {
    /// The account, where there is one.
    pub fn registered(&self) -> Option<&Registered> {
        match self {
            Self::Empty | Self::Imported(_) | Self::Erased(_) => None,
            Self::Registered(account) => Some(account),
        }
    }
}

impl Registered {
    /// Whether the person is staff.
    pub fn is_staff(&self) -> bool {
        !self.grants.is_empty()
    }

    /// Whether the person holds this role there.
    pub fn holds(&self, role: Role, scope: Scope) -> bool {
        self.grants.iter().any(|grant| grant.role == role && grant.scope == scope)
    }
}

impl Decider for Account {
    type State = Self;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &Self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (state, command) {
            (Self::Empty, Command::Import(imported)) => Ok(vec![Event::Imported(imported)]),
            // Whoever had an account in the old system registers again: the stream goes on as an account of its own.
            (
                Self::Empty | Self::Imported(_),
                Command::Register { document_type, number_hash, password_hash, document_table, email_verified },
            ) => {
                let registered = Event::Registered { document_type, number_hash, password_hash, document_table };
                Ok([registered].into_iter().chain(email_verified.then_some(Event::EmailVerified)).collect())
            }
            // The number has its account: the second one to bring it changes nothing.
            (Self::Registered(_), Command::Register { .. })
            | (Self::Imported(_) | Self::Registered(_), Command::Import(_))
            | (Self::Erased(_), Command::Erase { .. }) => Ok(Vec::new()),
            (
                Self::Empty | Self::Imported(_) | Self::Erased(_),
                Command::CompleteProfile
                | Command::ChangeProfile { .. }
                | Command::GrantRole { .. }
                | Command::EnrolTotp
                | Command::ResetTotp { .. }
                | Command::ChangePassword { .. }
                | Command::ChangePhone
                | Command::VerifyEmail
                | Command::RecordNameCheck { .. }
                | Command::RequestPhoneFix(_)
                | Command::BindWechat { .. }
                | Command::UnbindWechat
                | Command::Reinstate,
            )
            | (Self::Empty | Self::Imported(_), Command::Erase { .. })
            | (Self::Erased(_), Command::Register { .. } | Command::Import(_)) => Err(Rejection::UnknownPerson),
            (Self::Registered(_), Command::ChangePassword { password_hash }) => {
                Ok(vec![Event::PasswordChanged { password_hash }])
            }
            (Self::Registered(_), Command::ChangePhone) => Ok(vec![Event::PhoneChanged]),
            (Self::Registered(_), Command::VerifyEmail) => Ok(vec![Event::EmailVerified]),
            (Self::Empty | Self::Imported(_) | Self::Erased(_), Command::SettlePhoneFix { .. }) => {
                Err(Rejection::UnknownFix)
            }
            // One is open at a time: a stranger who knows the name cannot fill the stream.
            (Self::Registered(account), Command::RequestPhoneFix(fix)) => {
                Ok(account.phone_fix.is_none().then_some(Event::PhoneFixRequested(fix)).into_iter().collect())
            }
            (Self::Registered(account), Command::SettlePhoneFix { fix_id, outcome, belongs, by }) => {
                phone_fix::settle(account, fix_id, outcome, &belongs, &by)
            }
            (Self::Registered(account), Command::RecordNameCheck { passed, differs, provider }) => {
                Ok(match (passed, differs) {
                    (true, false) if account.name_verified => Vec::new(),
                    (true, true) => vec![Event::NameChanged, Event::NameVerified { provider }],
                    (true, false) => vec![Event::NameVerified { provider }],
                    (false, _) => vec![Event::NameRefused { provider }],
                })
            }
            (Self::Registered(account), Command::BindWechat { openid_hash }) => match account.wechat {
                None => Ok(vec![Event::WechatBound { openid_hash }]),
                Some(bound) if bound == openid_hash => Ok(Vec::new()),
                Some(_) => Err(Rejection::WechatAlreadyBound),
            },
            (Self::Registered(account), Command::UnbindWechat) => {
                account.wechat.map(|_| vec![Event::WechatUnbound]).ok_or(Rejection::WechatNotBound)
            }
            (Self::Registered(account), Command::EnrolTotp) => enrol_totp(account),
            (Self::Registered(account), Command::ResetTotp { by }) => reset_totp(account, &by),
            (Self::Empty | Self::Imported(_) | Self::Erased(_), Command::RevokeRole { .. }) => {
                Err(Rejection::UnknownGrant)
            }
            (Self::Registered(account), Command::Erase { erasure_id, standing }) => {
                erasure::erase(account, erasure_id, &standing)
            }
            (Self::Registered(account), Command::Reinstate) => {
                if account.restricted {
                    Ok(vec![Event::Reinstated])
                } else {
                    Err(Rejection::NotRestricted)
                }
            }
            (Self::Registered(account), Command::CompleteProfile) => {
                if account.complete {
                    Err(Rejection::ProfileAlreadyComplete)
                } else {
                    Ok(vec![Event::ProfileCompleted])
                }
            }
            (Self::Registered(account), Command::ChangeProfile { differs }) => {
                if account.complete {
                    Ok(differs.then_some(Event::ProfileChanged).into_iter().collect())
                } else {
                    Err(Rejection::ProfileIncomplete)
                }
            }
            (Self::Registered(account), Command::GrantRole { grant, by }) => grant_role(account, grant, &by),
            (Self::Registered(account), Command::RevokeRole { grant_id, by }) => {
                let known = account.grants.iter().any(|grant| grant.id == grant_id && by.covers(grant.scope));
                if known { Ok(vec![Event::RoleRevoked { grant_id }]) } else { Err(Rejection::UnknownGrant) }
            }
        }
    }

    fn evolve(state: Self, event: &Event) -> Self {
        match (state, event) {
            (_, Event::Registered { document_type, number_hash, password_hash, .. }) => Self::Registered(Registered {
                document_type: *document_type,
                number_hash: *number_hash,
                password_hash: password_hash.clone(),
                complete: false,
                totp: false,
                email_verified: false,
                name_verified: false,
                phone_fix: None,
                wechat: None,
                grants: Vec::new(),
                restricted: false,
            }),
            (Self::Empty, Event::Imported(imported)) => Self::Imported(*imported),
            (Self::Registered(account), Event::ProfileCompleted) => {
                Self::Registered(Registered { complete: true, ..account })
            }
            (Self::Registered(account), Event::PasswordChanged { password_hash }) => {
                Self::Registered(Registered { password_hash: password_hash.clone(), ..account })
            }
            // What is sealed is asked for by no decision.
            (
                Self::Registered(account),
                Event::ProfileChanged | Event::PhoneChanged | Event::NameChanged | Event::NameRefused { .. },
            ) => Self::Registered(account),
            (Self::Registered(account), Event::PhoneFixRequested(fix)) => {
                Self::Registered(Registered { phone_fix: Some(*fix), ..account })
            }
            (Self::Registered(account), Event::PhoneFixSettled { .. }) => {
                Self::Registered(Registered { phone_fix: None, ..account })
            }
            (Self::Registered(account), Event::NameVerified { .. }) => {
                Self::Registered(Registered { name_verified: true, ..account })
            }
            (Self::Registered(account), Event::EmailVerified) => {
                Self::Registered(Registered { email_verified: true, ..account })
            }
            (Self::Registered(mut account), Event::RoleGranted(grant)) => {
                account.grants.push(*grant);
                Self::Registered(account)
            }
            (Self::Registered(mut account), Event::RoleRevoked { grant_id }) => {
                account.grants.retain(|grant| grant.id != *grant_id);
                Self::Registered(account)
            }
            (Self::Registered(account), Event::TotpEnrolled) => Self::Registered(Registered { totp: true, ..account }),
            (Self::Registered(account), Event::TotpReset) => Self::Registered(Registered { totp: false, ..account }),
            (Self::Registered(account), Event::WechatBound { openid_hash }) => {
                Self::Registered(Registered { wechat: Some(*openid_hash), ..account })
            }
            (Self::Registered(account), Event::WechatUnbound) => {
                Self::Registered(Registered { wechat: None, ..account })
            }
            (Self::Registered(account), Event::Restricted) => {
                Self::Registered(Registered { restricted: true, ..account })
            }
            (Self::Registered(account), Event::Reinstated) => {
                Self::Registered(Registered { restricted: false, ..account })
            }
            // Before an account, too: a log that comes from a backup may have lost all that came before.
            (Self::Empty | Self::Imported(_) | Self::Registered(_), Event::Erased { erasure_id }) => {
                Self::Erased(*erasure_id)
            }
            // History is not judged again: what came before an account or after its end changes nothing.
            (state, Event::Imported(_))
            | (
                state @ (Self::Empty | Self::Imported(_) | Self::Erased(_)),
                Event::ProfileCompleted
                | Event::ProfileChanged
                | Event::RoleGranted(_)
                | Event::RoleRevoked { .. }
                | Event::TotpEnrolled
                | Event::TotpReset
                | Event::PasswordChanged { .. }
                | Event::PhoneChanged
                | Event::EmailVerified
                | Event::NameChanged
                | Event::NameVerified { .. }
                | Event::NameRefused { .. }
                | Event::PhoneFixRequested(_)
                | Event::PhoneFixSettled { .. }
                | Event::WechatBound { .. }
                | Event::WechatUnbound
                | Event::Restricted
                | Event::Reinstated
                | Event::Erased { .. },
            ) => state,
        }
    }
}

fn grant_role(account: &Registered, grant: Grant, by: &Authority) -> Result<Vec<Event>, Rejection> {
    if by.is_self() {
        return Err(Rejection::OwnRole);
    }
    if !by.covers(grant.scope) {
        return Err(Rejection::OutsideScope);
    }
    if account.restricted {
        return Err(Rejection::Restricted);
    }
    if account.holds(grant.role, grant.scope) {
        return Err(Rejection::AlreadyGranted);
    }
    if let Some(held) = account.grants.iter().find(|held| held.role.excludes(grant.role)) {
        return Err(Rejection::RolesExcludeEachOther(held.role, grant.role));
    }
    Ok(vec![Event::RoleGranted(grant)])
}

fn enrol_totp(account: &Registered) -> Result<Vec<Event>, Rejection> {
    if account.totp {
        return Err(Rejection::TotpAlreadyEnrolled);
    }
    if !account.is_staff() {
        return Err(Rejection::NotStaff);
    }
    Ok(vec![Event::TotpEnrolled])
}

fn reset_totp(account: &Registered, by: &Authority) -> Result<Vec<Event>, Rejection> {
    if by.is_self() {
        return Err(Rejection::OwnTotp);
    }
    if !account.grants.iter().all(|grant| by.covers(grant.scope)) {
        return Err(Rejection::OutsideScope);
    }
    if !account.totp {
        return Err(Rejection::TotpNotEnrolled);
    }
    Ok(vec![Event::TotpReset])
}

#[cfg(test)]
mod tests;
