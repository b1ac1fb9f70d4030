//! 滑块拼图: where the gap of a puzzle may be, how near an answer must come, and how long the puzzle counts.

use std::ops::RangeInclusive;

use time::{Duration, OffsetDateTime};

/// Size of the picture, in pixels.
pub const WIDTH: u16 = 320;
/// As above.
pub const HEIGHT: u16 = 160;
/// Both sides of the square that holds the piece, in pixels.
pub const PIECE: u16 = 56;
/// How far the left edge of the gap may be from the left edge of the picture, where the piece lies at first.
pub const GAP: RangeInclusive<u16> = 80..=WIDTH - PIECE - 8;
/// How far the upper edge of the gap may be from the upper edge of the picture.
pub const TOP: RangeInclusive<u16> = 8..=HEIGHT - PIECE - 8;
/// Pixels by which an answer may miss the gap, to either side: what a finger misses. A blind guess is right once in twenty.
pub const TOLERANCE: i32 = 4;
/// How long a puzzle counts.
pub const LIFE: Duration = Duration::minutes(2);

/// A puzzle that was given out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Puzzle {
    /// Keyed hash of type and number of the document that it was made for.
    pub number_hash: [u8; 32],
    /// Pixels from the left edge of the picture to the gap.
    pub gap: u16,
    /// When it stops to count.
    pub expires_at: OffsetDateTime,
}

/// What an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The piece lies in the gap.
    Right,
    /// It does not.
    Wrong,
    /// The puzzle is too old, or another number's.
    Expired,
}

impl Puzzle {
    /// A puzzle for one number, made now.
    pub fn new(number_hash: [u8; 32], gap: u16, now: OffsetDateTime) -> Self {
        Self { number_hash, gap, expires_at: now + LIFE }
    }

    /// Judges an answer for a number, in pixels from the left edge of the picture.
    pub fn judge(&self, number_hash: &[u8; 32], offset: i32, now: OffsetDateTime) -> Verdict {
        if now >= self.expires_at || self.number_hash != *number_hash {
            return Verdict::Expired;
        }
        // An offset of any size, without overflow.
        let near = i32::from(self.gap) - TOLERANCE..=i32::from(self.gap) + TOLERANCE;
        if near.contains(&offset) { Verdict::Right } else { Verdict::Wrong }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;
    const NUMBER: [u8; 32] = [7; 32];

    fn judge(offset: i32, after: Duration) -> Verdict {
        Puzzle::new(NUMBER, 100, NOW).judge(&NUMBER, offset, NOW + after)
    }

    #[test]
    fn an_answer_may_miss_the_gap_by_the_tolerance_and_no_more() {
        for (offset, verdict) in [
            (i32::MIN, Verdict::Wrong),
            (-100, Verdict::Wrong),
            (95, Verdict::Wrong),
            (96, Verdict::Right),
            (100, Verdict::Right),
            (104, Verdict::Right),
            (105, Verdict::Wrong),
            (i32::MAX, Verdict::Wrong),
        ] {
            assert_eq!(judge(offset, Duration::SECOND), verdict, "{offset}");
        }
    }

    #[test]
    fn a_puzzle_counts_for_two_minutes() {
        assert_eq!(judge(100, Duration::seconds(119)), Verdict::Right);
        assert_eq!(judge(100, Duration::seconds(120)), Verdict::Expired);
        assert_eq!(judge(100, Duration::seconds(121)), Verdict::Expired);
    }

    #[test]
    fn the_right_offset_is_none_for_another_number() {
        let puzzle = Puzzle::new(NUMBER, 100, NOW);
        assert_eq!(puzzle.judge(&[8; 32], 100, NOW), Verdict::Expired);
    }

    #[test]
    fn the_piece_lies_inside_the_picture_wherever_the_gap_is_and_never_where_it_starts() {
        assert!(GAP.end() + PIECE < WIDTH && TOP.end() + PIECE < HEIGHT);
        assert!(i32::from(*GAP.start()) > i32::from(PIECE) + TOLERANCE);
    }
}
