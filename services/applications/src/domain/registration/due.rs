//! When the registration of a certificate falls due, by the conclusions that stand and the rules of the day (DOMAIN L6,
//! L6b, L17b). Advice: whether an application is taken, is decided when it comes.

use time::{Date, Duration};

use crate::domain::calendar::add_months;
use crate::domain::registration::filing::{Ordinal, Standing};
use crate::domain::rules::RuleSet;
use crate::domain::values::Conclusion;

/// Days before the expiry in which one is advised to apply (L6).
const ADVISED_DAYS: i64 = 60;

/// When a certificate falls due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// 注册次数 of the next application.
    pub ordinal: Ordinal,
    /// First day on which the next application is taken; `None` for at once.
    pub earliest: Option<Date>,
    /// Day of the last 注册合格 that stands, and the day on which it expires.
    pub qualified: Option<(Date, Date)>,
}

/// Where a certificate stands on a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DueState {
    /// Before the earliest day.
    NotYet,
    /// 首次注册: it was never 注册合格.
    First,
    /// From the earliest day on.
    MayApply,
    /// In the 60 days before the expiry.
    Advised,
    /// 逾期
    Overdue,
}

impl Due {
    /// By the conclusions that stand, oldest first.
    pub fn of(standings: &[Standing], rules: &RuleSet) -> Self {
        let latest = |conclusion| standings.iter().rev().find(|standing| standing.conclusion == conclusion);
        let last = standings.last();
        let bar = latest(Conclusion::Revoked).map(|revoked| add_months(revoked.on, rules.revocation_bar_years * 12));
        let wait = last.and_then(|last| match last.conclusion {
            Conclusion::Qualified => Some(add_months(last.on, rules.interval_months)),
            Conclusion::Failed => Some(last.on.saturating_add(Duration::days(rules.reapply_after_failed_days.into()))),
            Conclusion::Deferred | Conclusion::Revoked => None,
        });
        Self {
            ordinal: last.map_or(1, |last| last.ordinal + u32::from(last.conclusion == Conclusion::Qualified)),
            earliest: bar.max(wait),
            qualified: latest(Conclusion::Qualified).map(|last| (last.on, add_months(last.on, rules.cycle_months))),
        }
    }

    /// First of the days in which one is advised to apply.
    pub fn advised_from(&self) -> Option<Date> {
        self.qualified.map(|(_, expiry)| expiry.saturating_sub(Duration::days(ADVISED_DAYS)))
    }

    /// Where it stands on a day.
    pub fn state(&self, today: Date) -> DueState {
        if self.earliest.is_some_and(|earliest| today < earliest) {
            return DueState::NotYet;
        }
        match (self.qualified, self.advised_from()) {
            (Some((_, expiry)), _) if today >= expiry => DueState::Overdue,
            (_, Some(advised)) if today >= advised => DueState::Advised,
            (Some(_), _) => DueState::MayApply,
            (None, _) => DueState::First,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;
    use crate::domain::registration::testing::rules;
    use crate::domain::registration::{Prior, Registration, ordinal};

    fn standing(ordinal: u32, conclusion: Conclusion, on: Date) -> Standing {
        Standing { ordinal, conclusion, on }
    }

    #[test]
    fn after_qualified_one_may_apply_after_54_months_is_advised_60_days_before_the_expiry_and_overdue_after_60_months()
    {
        let due = Due::of(&[standing(1, Conclusion::Qualified, date!(2021 - 08 - 31))], &rules());
        assert_eq!((due.ordinal, due.earliest), (2, Some(date!(2026 - 02 - 28))));
        assert_eq!(due.qualified, Some((date!(2021 - 08 - 31), date!(2026 - 08 - 31))));
        assert_eq!(due.advised_from(), Some(date!(2026 - 07 - 02)));
        let states = [
            (date!(2026 - 02 - 27), DueState::NotYet),
            (date!(2026 - 02 - 28), DueState::MayApply),
            (date!(2026 - 07 - 01), DueState::MayApply),
            (date!(2026 - 07 - 02), DueState::Advised),
            (date!(2026 - 08 - 30), DueState::Advised),
            (date!(2026 - 08 - 31), DueState::Overdue),
        ];
        for (day, state) in states {
            assert_eq!(due.state(day), state, "{day}");
        }
    }

    #[test]
    fn who_was_never_qualified_registers_for_the_first_time() {
        let due = Due::of(&[], &rules());
        assert_eq!((due.ordinal, due.earliest, due.qualified), (1, None, None));
        assert_eq!(due.state(date!(2026 - 01 - 01)), DueState::First);
        let deferred = Due::of(&[standing(1, Conclusion::Deferred, date!(2026 - 01 - 01))], &rules());
        assert_eq!((deferred.ordinal, deferred.state(date!(2026 - 01 - 01))), (1, DueState::First));
    }

    #[test]
    fn the_expiry_counts_from_the_last_qualified_whatever_came_after_it() {
        let qualified = standing(2, Conclusion::Qualified, date!(2020 - 05 - 01));
        let due = Due::of(&[qualified, standing(3, Conclusion::Deferred, date!(2025 - 03 - 01))], &rules());
        assert_eq!((due.ordinal, due.earliest), (3, None));
        assert_eq!(due.state(date!(2025 - 05 - 01)), DueState::Overdue);
        let due = Due::of(&[qualified, standing(3, Conclusion::Revoked, date!(2025 - 03 - 01))], &rules());
        assert_eq!((due.earliest, due.state(date!(2026 - 01 - 01))), (Some(date!(2030 - 03 - 01)), DueState::NotYet));
    }

    proptest! {
        /// What is advised is what is decided.
        #[test]
        fn the_earliest_day_is_the_first_on_which_an_application_is_taken(
            told in proptest::collection::vec((1_u32..4, 0_usize..4, 0_i64..4_000), 0..6),
            ahead in 0_i64..6_000,
        ) {
            let conclusions =
                [Conclusion::Qualified, Conclusion::Deferred, Conclusion::Failed, Conclusion::Revoked];
            let day = |days: i64| date!(2015 - 01 - 01) + Duration::days(days);
            let prior = told.into_iter().map(|(ordinal, conclusion, days)| Prior {
                ordinal,
                conclusion: conclusions[conclusion],
                on: day(days),
                merged_from: None,
            });
            let record = Registration { prior: prior.collect(), ..Registration::default() };
            let rules = RuleSet { reapply_after_failed_days: 30, ..rules() };
            let due = Due::of(&record.standings(), &rules);
            let today = day(ahead);
            match ordinal(&record, &rules, today) {
                Ok(next) => {
                    prop_assert!(due.earliest.is_none_or(|earliest| earliest <= today));
                    prop_assert_eq!(next, due.ordinal);
                }
                Err(_) => prop_assert!(due.earliest.is_some_and(|earliest| today < earliest)),
            }
        }
    }
}
