//! 证书号码: what can be read off it (DOMAIN 4.4).

use time::Date;

use super::kind::Kind;

pub mod warning;

#[cfg(test)]
mod tests;

/// First year in which certificates were issued.
pub const FIRST_YEAR: i32 = 1996;
/// Year from which sources agree on the digit for the sex.
const SEX_SAID_SINCE: i32 = 2009;

/// A certificate's number: 17 digits that say what they mean, or 15 of which only the year is known.
#[derive(Clone, PartialEq, Eq)]
pub struct Number(String);

/// Why a text is no certificate number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Neither 15 nor 17 digits.
    Digits,
    /// 17 digits that begin with a year to come.
    FutureYear,
}

impl Number {
    /// Reads 15 or 17 half-width digits. The year of 17 digits is not later than `today`'s; how early it may be is judged
    /// where it matters.
    pub fn parse(text: &str, today: Date) -> Result<Self, Malformed> {
        let text = text.trim();
        if !matches!(text.len(), 15 | 17) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Malformed::Digits);
        }
        let number = Self(text.to_owned());
        if number.year() > today.year() { Err(Malformed::FutureYear) } else { Ok(number) }
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Year of the number: its first four digits, or 19 and the first two of 15.
    pub fn year(&self) -> i32 {
        match self.0.len() {
            17 => self.digits(0..4),
            _ => 1900 + self.digits(0..2),
        }
    }

    /// Province by GB/T 2260, two digits; unknown for 15 digits.
    pub fn province(&self) -> Option<&str> {
        (self.0.len() == 17).then(|| &self.0[4..6])
    }

    /// What the digits behind the year say; of 15 digits nothing but the year is known.
    pub fn parts(&self) -> Option<Parts<'_>> {
        let digits = self.0.as_bytes();
        (digits.len() == 17).then(|| Parts {
            province: &self.0[4..6],
            agency: &self.0[6..9],
            kind: Kind::of_digit(digits[9] - b'0'),
            sex: SexDigit::read(digits[10] - b'0', self.year()),
            running: &self.0[11..],
        })
    }

    fn digits(&self, range: std::ops::Range<usize>) -> i32 {
        self.0[range].parse().expect("a number holds digits only")
    }
}

/// What 17 digits say besides the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'n> {
    /// GB/T 2260, digits 5 and 6.
    pub province: &'n str,
    /// Digits 7 to 9: the issuing agency, by a list of its province's own.
    pub agency: &'n str,
    /// The tenth digit; `None` for 0, 8 and 9.
    pub kind: Option<Kind>,
    /// The eleventh digit.
    pub sex: SexDigit,
    /// Digits 12 to 17: running number of the agency in that year.
    pub running: &'n str,
}

/// The eleventh digit. Sources disagree on what it means before 2009, so that nobody's sex is ever derived from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SexDigit {
    /// 男: 1, from 2009 on.
    Male,
    /// 女: 2, from 2009 on.
    Female,
    /// 0, or any of 0 to 2 before 2009.
    Unsaid,
    /// 3 to 9, which no source knows.
    Unknown,
}

impl SexDigit {
    fn read(digit: u8, year: i32) -> Self {
        match digit {
            1 if year >= SEX_SAID_SINCE => Self::Male,
            2 if year >= SEX_SAID_SINCE => Self::Female,
            0..=2 => Self::Unsaid,
            _ => Self::Unknown,
        }
    }
}

impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Number({} digits)", self.0.len())
    }
}
