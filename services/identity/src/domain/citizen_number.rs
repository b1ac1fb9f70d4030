//! 公民身份号码 (GB 11643-1999): 18 characters that carry division, birth date, sex and a check digit.

use time::{Date, Month};

const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const CHECK_DIGITS: &[u8; 11] = b"10X98765432";

/// A number whose shape, date and check digit are right; which divisions it may begin with is a matter of its card. Borrowed: the text stays with its owner.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CitizenNumber<'a>(&'a str);

/// 性别, codes of GB/T 2261.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// 男
    Male,
    /// 女
    Female,
}

/// What is wrong with a number; the first thing found from left to right, the check digit last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CitizenNumberFlaw {
    /// Not 17 digits and a digit or X.
    #[error("not 17 digits and a check character")]
    Shape,
    /// No such day, or one that is still to come.
    #[error("no possible birth date")]
    Date,
    /// Mistyped somewhere.
    #[error("the check digit does not fit")]
    CheckDigit,
}

impl<'a> CitizenNumber<'a> {
    /// Reads a number in upper case. County codes are not looked up: abolished ones live on in numbers for ever.
    pub fn parse(text: &'a str, today: Date) -> Result<Self, CitizenNumberFlaw> {
        if !has_shape(text) {
            return Err(CitizenNumberFlaw::Shape);
        }
        let number = Self(text);
        if number.date().is_none_or(|date| date > today) {
            return Err(CitizenNumberFlaw::Date);
        }
        if check_digit(&text.as_bytes()[..17]) != text.as_bytes()[17] {
            return Err(CitizenNumberFlaw::CheckDigit);
        }
        Ok(number)
    }

    /// Birth date, digits 7 to 14.
    pub fn birth_date(self) -> Date {
        self.date().expect("the date was checked when the number was read")
    }

    /// Sex: the 17th digit is odd for men.
    pub fn sex(self) -> Sex {
        if self.0.as_bytes()[16] % 2 == 1 { Sex::Male } else { Sex::Female }
    }

    fn date(self) -> Option<Date> {
        let year = self.0[6..10].parse().ok()?;
        let month = Month::try_from(self.0[10..12].parse::<u8>().ok()?).ok()?;
        let day = self.0[12..14].parse().ok()?;
        Date::from_calendar_date(year, month, day).ok().filter(|date| date.year() >= 1900)
    }
}

/// 17 digits and a digit or X.
fn has_shape(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 18 && bytes[..17].iter().all(u8::is_ascii_digit) && (bytes[17].is_ascii_digit() || bytes[17] == b'X')
}

/// The check character of 17 digits (ISO 7064 MOD 11-2, as weights).
fn check_digit(digits: &[u8]) -> u8 {
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    CHECK_DIGITS[(sum % 11) as usize]
}

#[cfg(test)]
mod tests;
