//! 证书号码: what can be read off it, and what about it deserves a warning (DOMAIN 4.4).

use time::Date;

use super::kind::Kind;

/// First year in which certificates were issued.
pub const FIRST_YEAR: i32 = 1996;

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

    /// The kind that the tenth of 17 digits names.
    pub fn kind(&self) -> Option<Kind> {
        (self.0.len() == 17).then(|| Kind::of_digit(self.0.as_bytes()[9] - b'0')).flatten()
    }

    /// What does not fit together, as sentences for a person; nothing of it is a reason to refuse.
    pub fn warnings(&self, kind: Kind, issued: Date) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.0.len() == 17 && self.kind() != Some(kind) {
            warnings.push("证书号码第10位与资格种类不一致，请核对。");
        }
        if self.year() != issued.year() {
            warnings.push("证书号码中的年份与签发日期不一致，请核对。");
        }
        warnings
    }

    fn digits(&self, range: std::ops::Range<usize>) -> i32 {
        self.0[range].parse().expect("a number holds digits only")
    }
}

impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Number({} digits)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 23);

    fn number(digits: &str) -> Number {
        Number::parse(digits, TODAY).unwrap()
    }

    #[test]
    fn seventeen_digits_say_year_province_and_kind() {
        let number = number("20203203221234567");
        assert_eq!((number.year(), number.province(), number.kind()), (2020, Some("32"), Some(Kind::Primary)));
    }

    #[test]
    fn fifteen_digits_say_the_year_only() {
        let number = number("993203041234567");
        assert_eq!((number.year(), number.province(), number.kind()), (1999, None, None));
    }

    #[test]
    fn other_shapes_and_years_to_come_are_refused() {
        for text in
            ["", "2020320321123456", "2020320321123456x", "２０２０３２０３２１１２３４５６７", "202032032212345678"]
        {
            assert_eq!(Number::parse(text, TODAY), Err(Malformed::Digits), "{text}");
        }
        assert_eq!(Number::parse("20273203211234567", TODAY), Err(Malformed::FutureYear));
        assert!(Number::parse(" 20263203211234567 ", TODAY).is_ok());
    }

    #[test]
    fn what_does_not_fit_together_is_a_warning() {
        let number = number("20203203221234567");
        assert!(number.warnings(Kind::Primary, date!(2020 - 06 - 01)).is_empty());
        assert_eq!(number.warnings(Kind::Senior, date!(2019 - 06 - 01)).len(), 2);
    }

    #[test]
    fn a_number_does_not_show_itself() {
        assert_eq!(format!("{:?}", number("20203203221234567")), "Number(17 digits)");
    }
}
