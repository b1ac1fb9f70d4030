//! A request for another phone, and how the helpdesk of a province ends it.

use uuid::Uuid;

use super::{Authority, Event, Registered, Rejection};
use crate::domain::role::Division;

/// A request for another phone that waits for the helpdesk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PhoneFix {
    /// Its id.
    pub id: Uuid,
    /// Whose helpdesk sees it: a province, or the nation.
    pub province: Division,
}

impl PhoneFix {
    /// A request that the helpdesk of the named province sees where its person belongs there; otherwise that of where they do belong,
    /// since whoever asks may be anybody.
    pub fn new(id: Uuid, named: Division, belongs: &[Division]) -> Self {
        let there = belongs.iter().find(|division| named.covers(**division)).or(belongs.first());
        Self { id, province: there.map_or(Division::NATION, |division| division.province()) }
    }
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

/// Whoever sees the request may refuse it; the account is given into other hands only by whoever helps people where its person belongs.
pub(super) fn settle(
    account: &Registered,
    fix_id: Uuid,
    outcome: FixOutcome,
    belongs: &[Division],
    by: &Authority,
) -> Result<Vec<Event>, Rejection> {
    let open = account.phone_fix.filter(|fix| fix.id == fix_id);
    let at_home = belongs.iter().any(|division| by.reaches(*division));
    let known = open.filter(|fix| at_home || by.reaches(fix.province));
    known.ok_or(Rejection::UnknownFix)?;
    if by.is_self() {
        return Err(Rejection::OwnAccount);
    }
    if outcome == FixOutcome::Approved && !at_home {
        return Err(Rejection::PersonElsewhere);
    }
    let settled = Event::PhoneFixSettled { fix_id, outcome };
    Ok((outcome == FixOutcome::Approved).then_some(Event::PhoneChanged).into_iter().chain([settled]).collect())
}
