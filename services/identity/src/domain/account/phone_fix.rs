//! A request for another phone, and how the helpdesk of a province ends it.

use uuid::Uuid;

use super::{Authority, Event, Registered, Rejection};
use crate::domain::role::{Division, Scope};

/// A request for another phone that waits for the helpdesk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneFix {
    /// Its id.
    pub id: Uuid,
    /// Whose helpdesk settles it.
    pub province: Division,
}

/// How a request for another phone ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixOutcome {
    /// The phone is put in.
    Approved,
    /// 证明材料不足
    EvidenceInsufficient,
    /// 不是本人
    NotThePerson,
}

impl FixOutcome {
    /// Number of the outcome in the API and in the log: never changes.
    pub const fn code(self) -> i32 {
        match self {
            Self::Approved => 1,
            Self::EvidenceInsufficient => 2,
            Self::NotThePerson => 3,
        }
    }

    /// The outcome of this number.
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Approved),
            2 => Some(Self::EvidenceInsufficient),
            3 => Some(Self::NotThePerson),
            _ => None,
        }
    }
}

pub(super) fn settle(
    account: &Registered,
    fix_id: Uuid,
    outcome: FixOutcome,
    by: &Authority,
) -> Result<Vec<Event>, Rejection> {
    let open = account.phone_fix.filter(|fix| fix.id == fix_id);
    let known = open.filter(|fix| by.covers(Scope { division: fix.province, unit: None }));
    known.ok_or(Rejection::UnknownFix)?;
    if by.is_self() {
        return Err(Rejection::OwnAccount);
    }
    let settled = Event::PhoneFixSettled { fix_id, outcome };
    Ok((outcome == FixOutcome::Approved).then_some(Event::PhoneChanged).into_iter().chain([settled]).collect())
}
