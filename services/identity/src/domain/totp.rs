//! 动态口令 (RFC 6238): in which steps of 30 seconds a code counts, and how often.

use time::OffsetDateTime;

/// Seconds of one step.
pub const STEP: i64 = 30;
/// Steps before and after the present one whose codes count: clocks differ, and people type slowly.
const WINDOW: i64 = 1;

/// What a code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The code of this step, which is used from now on.
    Right(i64),
    /// The code of a step that is used.
    Spent,
    /// None that counts.
    Wrong,
}

/// The step of a moment.
pub fn step_at(now: OffsetDateTime) -> i64 {
    now.unix_timestamp().div_euclid(STEP)
}

/// Judges a code by those of the steps around now. Steps up to `last` are used: none of them counts again.
pub fn judge(code: &str, last: i64, now: OffsetDateTime, code_of: impl Fn(i64) -> String) -> Verdict {
    let present = step_at(now);
    let mut verdict = Verdict::Wrong;
    for step in (present - WINDOW..=present + WINDOW).filter(|step| code_of(*step) == code) {
        if step > last {
            return Verdict::Right(step);
        }
        verdict = Verdict::Spent;
    }
    verdict
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const NOW: OffsetDateTime = time::macros::datetime!(2026-11-25 12:00:10 UTC);

    fn of(step: i64) -> String {
        step.to_string()
    }

    fn judged(step_away: i64, last: i64) -> Verdict {
        judge(&of(step_at(NOW) + step_away), last, NOW, of)
    }

    #[test]
    fn a_code_counts_one_step_before_and_after_its_own() {
        let present = step_at(NOW);
        for away in [-1, 0, 1] {
            assert_eq!(judged(away, 0), Verdict::Right(present + away));
        }
        for away in [-2, 2] {
            assert_eq!(judged(away, 0), Verdict::Wrong);
        }
        assert_eq!(
            judge(&of(present), 0, NOW + Duration::seconds(50), of),
            Verdict::Wrong,
            "80 seconds after it began"
        );
        assert_eq!(judge(&of(present), 0, NOW + Duration::seconds(49), of), Verdict::Right(present));
    }

    #[test]
    fn a_code_counts_once_and_none_before_it_counts_any_more() {
        let present = step_at(NOW);
        assert_eq!(judged(0, present), Verdict::Spent);
        assert_eq!(judged(-1, present), Verdict::Spent);
        assert_eq!(judged(1, present), Verdict::Right(present + 1));
    }

    #[test]
    fn of_two_steps_with_the_same_code_the_unused_one_counts() {
        let present = step_at(NOW);
        assert_eq!(judge("7", present - 1, NOW, |_| "7".to_owned()), Verdict::Right(present));
        assert_eq!(judge("7", present + 1, NOW, |_| "7".to_owned()), Verdict::Spent);
    }
}
