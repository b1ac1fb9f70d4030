//! When a delivery that failed is tried again, and when no more.

use std::time::Duration;

/// Pauses that double up to a longest one, and the number of tries after which a delivery is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Pause after the first try.
    pub first: Duration,
    /// No pause is longer.
    pub longest: Duration,
    /// Tries altogether.
    pub attempts: u32,
}

impl Retry {
    /// The pause after try number `attempt` (from 1), or `None` to give up. `chance`, from 0 to 1, spreads the pauses over
    /// the upper half, so that what failed together does not come back together.
    pub fn pause(&self, attempt: u32, chance: f64) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doubled = self.first.saturating_mul(1_u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX));
        Some(doubled.min(self.longest).mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RETRY: Retry = Retry { first: Duration::from_secs(2), longest: Duration::from_secs(3_600), attempts: 24 };

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<_> = [1, 2, 3, 12, 23].map(|attempt| RETRY.pause(attempt, 1.0).unwrap().as_secs()).into();
        assert_eq!(pauses, [2, 4, 8, 3_600, 3_600]);
    }

    #[test]
    fn the_last_attempt_is_followed_by_none() {
        assert_eq!(RETRY.pause(24, 0.5), None);
        assert_eq!(RETRY.pause(u32::MAX, 0.5), None);
    }

    proptest! {
        #[test]
        fn a_pause_lies_in_the_upper_half_of_its_step(attempt in 0_u32..24, chance in 0.0..=1.0_f64) {
            let (whole, pause) = (RETRY.pause(attempt, 1.0).unwrap(), RETRY.pause(attempt, chance).unwrap());
            prop_assert!(pause <= whole && pause >= whole.mul_f64(0.499_999));
        }
    }
}
