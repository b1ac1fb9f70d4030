//! How often something may be asked for within a window of time, by one account and from one address (RELIABILITY "Security").

use time::Duration;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A puzzle is asked for.
    MakePuzzle,
    /// A password is tried.
    SignIn,
    /// An account is registered.
    Register,
    /// A code is sent.
    SendCode,
    /// A password is asked for that was lost.
    Recover,
    /// Another phone is asked for. By itself, so that requests of a stranger keep nobody from recovering.
    FixPhone,
    /// A binding of a WeChat is begun.
    BindWechat,
}

/// By what it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// A document number, known or not; for codes a phone or mail address, or the person who sends them.
    Account,
    /// The address that a call comes from. A whole school may be behind one.
    Address,
}

/// So often within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// At most.
    pub most: i32,
    /// From the first one on.
    pub within: Duration,
}

/// No window is longer.
pub const LONGEST: Duration = Duration::HOUR;

/// How often a deed may be done.
pub const fn of(deed: Deed, by: By) -> Limit {
    let (most, within) = match (deed, by) {
        (Deed::MakePuzzle, By::Account) => (20, Duration::minutes(10)),
        (Deed::MakePuzzle | Deed::SignIn, By::Address) => (600, Duration::minutes(10)),
        (Deed::SignIn, By::Account) => (30, Duration::minutes(10)),
        (Deed::Register | Deed::Recover | Deed::FixPhone | Deed::BindWechat, By::Account) => (10, Duration::HOUR),
        (Deed::SendCode, By::Account) => (30, Duration::HOUR),
        (Deed::Register | Deed::Recover | Deed::FixPhone | Deed::BindWechat, By::Address) => (600, Duration::HOUR),
        // A registration takes two: one to the phone, one to the mail address.
        (Deed::SendCode, By::Address) => (1200, Duration::HOUR),
    };
    Limit { most, within }
}

/// Number of a counter in the records.
pub const fn code(deed: Deed, by: By) -> i16 {
    let deed = match deed {
        Deed::MakePuzzle => 1,
        Deed::SignIn => 2,
        Deed::Register => 3,
        Deed::SendCode => 4,
        Deed::Recover => 5,
        Deed::BindWechat => 6,
        Deed::FixPhone => 7,
    };
    match by {
        By::Account => deed,
        By::Address => 100 + deed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEEDS: [Deed; 7] = [
        Deed::MakePuzzle,
        Deed::SignIn,
        Deed::Register,
        Deed::SendCode,
        Deed::Recover,
        Deed::FixPhone,
        Deed::BindWechat,
    ];

    #[test]
    fn one_address_may_do_more_than_one_account_and_no_window_is_longer_than_the_longest() {
        for deed in DEEDS {
            assert!(of(deed, By::Address).most > of(deed, By::Account).most);
            assert!(of(deed, By::Address).within <= LONGEST && of(deed, By::Account).within <= LONGEST);
        }
    }

    #[test]
    fn whoever_may_register_gets_the_codes_for_it() {
        for by in [By::Account, By::Address] {
            assert!(of(Deed::SendCode, by).most >= 2 * of(Deed::Register, by).most);
        }
    }

    #[test]
    fn no_two_counters_share_a_number() {
        let codes: std::collections::HashSet<i16> =
            DEEDS.into_iter().flat_map(|deed| [code(deed, By::Account), code(deed, By::Address)]).collect();
        assert_eq!(codes.len(), 2 * DEEDS.len());
    }

    #[test]
    fn a_lock_out_comes_before_the_limit_of_an_account() {
        assert!(of(Deed::SignIn, By::Account).most > i32::from(crate::domain::lockout::FAILURES));
    }
}
