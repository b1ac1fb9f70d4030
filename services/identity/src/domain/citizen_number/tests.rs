//! Numbers against the vectors of DOMAIN 3.1, against the npm package id-validator, and against ISO 7064 computed another way.

use proptest::prelude::*;
use time::macros::date;

use super::*;

const TODAY: Date = date!(2026 - 11 - 23);

fn parse(text: &str) -> Result<CitizenNumber<'_>, CitizenNumberFlaw> {
    CitizenNumber::parse(text, TODAY)
}

#[test]
fn a_valid_number_says_who_carries_it() {
    let number = parse("320303199001010018").ok().unwrap();
    assert_eq!((number.birth_date(), number.sex()), (date!(1990 - 01 - 01), Sex::Male));
    let number = parse("11010519491231002X").ok().unwrap();
    assert_eq!((number.birth_date(), number.sex()), (date!(1949 - 12 - 31), Sex::Female));
    assert!(parse("810000199408230021").is_ok());
}

#[test]
fn each_flaw_is_named() {
    for (number, flaw) in [
        ("320303199001010019", CitizenNumberFlaw::CheckDigit),
        ("32030319900101001", CitizenNumberFlaw::Shape),
        ("32030319900101001x", CitizenNumberFlaw::Shape),
        ("３２０３０３１９９００１０１００１８", CitizenNumberFlaw::Shape),
        ("32030X199001010018", CitizenNumberFlaw::Shape),
        ("320303199002290018", CitizenNumberFlaw::Date),
        ("320303199013010018", CitizenNumberFlaw::Date),
        ("320303189912310018", CitizenNumberFlaw::Date),
        ("320303202611240018", CitizenNumberFlaw::Date),
    ] {
        assert_eq!(parse(number).err(), Some(flaw), "{number}");
    }
}

#[test]
fn an_abolished_county_is_no_flaw() {
    // 320304 was 九里区 until 2010; 320399 never was.
    assert!(parse(&whole("32030419900101001")).is_ok());
    assert!(parse(&whole("32039919900101001")).is_ok());
}

#[test]
fn numbers_of_another_implementation_are_read_alike() {
    let (vectors, types) = (include_str!("vectors.csv"), crate::shipped::document_types().unwrap());
    let mut seen = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let (number, valid) = line.split_once(',').unwrap();
        assert_eq!(types.on(TODAY).judge(number, TODAY).is_ok(), valid == "valid", "{number}");
        seen += 1;
    }
    assert_eq!(seen, 400);
}

/// The check character by the recursive system of ISO 7064 MOD 11-2, without the table of weights.
fn whole(digits: &str) -> String {
    let product = digits.bytes().fold(0, |product, digit| (product + u32::from(digit - b'0')) * 2 % 11);
    let check = (12 - product) % 11;
    format!("{digits}{}", char::from_digit(check, 11).unwrap().to_ascii_uppercase()).replace('A', "X")
}

fn any_digits() -> impl Strategy<Value = String> {
    let day = (0..40_000_i64).prop_map(|days| date!(1900 - 01 - 01) + time::Duration::days(days));
    (11..92_u32, 0..10_000_u32, day, 0..1_000_u32).prop_map(|(province, county, day, order)| {
        format!("{province}{county:04}{}{:02}{:02}{order:03}", day.year(), u8::from(day.month()), day.day())
    })
}

proptest! {
    #[test]
    fn every_number_with_the_right_check_digit_is_read(digits in any_digits()) {
        let number = whole(&digits);
        let read = parse(&number).expect("valid by ISO 7064");
        prop_assert_eq!(super::super::personal::render_date(read.birth_date()).replace('-', ""), &digits[6..14]);
    }

    #[test]
    fn one_wrong_digit_or_two_swapped_ones_are_always_found(digits in any_digits(), place in 0..17_usize, shift in 1..10_u8) {
        let number = whole(&digits).into_bytes();
        let mut wrong = number.clone();
        wrong[place] = (wrong[place] - b'0' + shift) % 10 + b'0';
        prop_assert!(parse(std::str::from_utf8(&wrong).unwrap()).is_err());
        let mut swapped = number.clone();
        swapped.swap(place, place + 1);
        if swapped != number {
            prop_assert!(parse(std::str::from_utf8(&swapped).unwrap()).is_err());
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,20}") {
        let _ = parse(&text);
    }
}
