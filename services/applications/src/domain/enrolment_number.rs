//! 报名号: year, agency, serial and a check digit (DOMAIN 8).

use std::fmt;

/// Serials of one agency in one year are below this.
pub const SERIALS: u32 = 1_000_000;

/// 17 digits: `YYYY` of the submission in Shanghai, six digits of the agency, six digits of serial, a check digit by
/// ISO 7064 MOD 11,10. Never given twice, and nothing personal in it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnrolmentNumber([u8; 17]);

impl EnrolmentNumber {
    /// The number of a serial; `None` when year, code or serial do not fit their digits.
    pub fn new(year: i32, agency_code: &str, serial: u32) -> Option<Self> {
        let code: [u8; 6] = agency_code.as_bytes().try_into().ok()?;
        if !(1000..=9999).contains(&year) || serial >= SERIALS || !code.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let mut digits = [b'0'; 17];
        write_digits(&mut digits[..4], u32::try_from(year).ok()?);
        digits[4..10].copy_from_slice(&code);
        write_digits(&mut digits[10..16], serial);
        digits[16] = check_digit(&digits[..16]);
        Some(Self(digits))
    }

    /// Reads 17 digits with their check digit.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 17] = text.as_bytes().try_into().ok()?;
        let right = digits.iter().all(u8::is_ascii_digit) && check_digit(&digits[..16]) == digits[16];
        right.then_some(Self(digits))
    }

    /// Year of the submission in Shanghai.
    pub fn year(&self) -> i32 {
        i32::try_from(read_digits(&self.0[..4])).expect("four digits")
    }

    /// Six digits of the agency.
    pub fn agency_code(&self) -> [u8; 6] {
        self.0[4..10].try_into().expect("six digits")
    }

    /// Its serial among those of the agency and year.
    pub fn serial(&self) -> u32 {
        read_digits(&self.0[10..16])
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an enrolment number is ASCII digits")
    }
}

impl fmt::Display for EnrolmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for EnrolmentNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnrolmentNumber({self})")
    }
}

fn write_digits(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).expect("one digit");
        number /= 10;
    }
}

fn read_digits(place: &[u8]) -> u32 {
    place.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

/// ISO 7064 MOD 11,10 over ASCII digits.
fn check_digit(digits: &[u8]) -> u8 {
    let product = digits.iter().fold(10_u8, |product, digit| {
        let sum = (product + (digit - b'0')) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    b'0' + (11 - product) % 10
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_number_is_year_agency_serial_and_check_digit() {
        let number = EnrolmentNumber::new(2026, "320302", 17).unwrap();
        assert_eq!(number.as_str(), format!("2026320302000017{}", &number.as_str()[16..]));
        assert_eq!(EnrolmentNumber::parse(number.as_str()), Some(number));
        assert_eq!((number.year(), &number.agency_code(), number.serial()), (2026, b"320302", 17));
    }

    #[test]
    fn the_check_digit_is_the_one_of_the_standard() {
        // The example of ISO 7064: 0794 has the check digit 5.
        assert_eq!(check_digit(b"0794"), b'5');
    }

    #[test]
    fn what_does_not_fit_its_digits_makes_no_number() {
        assert_eq!(EnrolmentNumber::new(2026, "320302", SERIALS), None);
        assert_eq!(EnrolmentNumber::new(2026, "32030", 1), None);
        assert_eq!(EnrolmentNumber::new(2026, "32030x", 1), None);
        assert_eq!(EnrolmentNumber::new(10_000, "320302", 1), None);
        assert_eq!(EnrolmentNumber::parse("2026320302000017"), None);
    }

    proptest! {
        #[test]
        fn one_wrong_digit_is_always_found(serial in 0..SERIALS, place in 0_usize..17, add in 1_u8..10) {
            let number = EnrolmentNumber::new(2026, "320302", serial).unwrap();
            let mut digits = number.as_str().as_bytes().to_vec();
            digits[place] = b'0' + (digits[place] - b'0' + add) % 10;
            prop_assert_eq!(EnrolmentNumber::parse(std::str::from_utf8(&digits).unwrap()), None);
        }

        #[test]
        fn serials_and_numbers_are_one_to_one(one in 0..SERIALS, other in 0..SERIALS) {
            let number = |serial| EnrolmentNumber::new(2026, "320302", serial).unwrap();
            prop_assert_eq!(number(one) == number(other), one == other);
        }
    }
}
