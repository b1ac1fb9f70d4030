//! Local ID numbers against the vectors of DOMAIN 3.1 and the npm package taiwan-id-validator.

use proptest::prelude::*;

use super::*;

#[test]
fn numbers_of_hong_kong_have_a_check_character() {
    assert_eq!(parse(Region::HongKong, "A123456(3)").as_deref(), Ok("A123456(3)"));
    assert_eq!(parse(Region::HongKong, " ab987654(3) ").as_deref(), Ok("AB987654(3)"));
    assert_eq!(parse(Region::HongKong, "A123456(4)"), Err(LocalIdFlaw::CheckDigit));
    for text in ["A123456", "A12345(3)", "ABC123456(3)", "1123456(3)", "A123456(B)", "A123456(33)", "A123456(３)"] {
        assert_eq!(parse(Region::HongKong, text), Err(LocalIdFlaw::Shape), "{text}");
    }
}

#[test]
fn of_numbers_of_macau_only_the_shape_is_known() {
    for text in ["1234567(8)", "5234567(0)", "7234567(9)"] {
        assert_eq!(parse(Region::Macau, text).as_deref(), Ok(text));
    }
    for text in ["2234567(8)", "123456(8)", "1234567(A)", "12345678"] {
        assert_eq!(parse(Region::Macau, text), Err(LocalIdFlaw::Shape), "{text}");
    }
}

#[test]
fn numbers_of_taiwan_have_a_check_digit() {
    assert_eq!(parse(Region::Taiwan, "a123456789").as_deref(), Ok("A123456789"));
    assert_eq!(parse(Region::Taiwan, "A123456788"), Err(LocalIdFlaw::CheckDigit));
    for text in ["A12345678", "A323456789", "1123456789", "A1234567890"] {
        assert_eq!(parse(Region::Taiwan, text), Err(LocalIdFlaw::Shape), "{text}");
    }
}

#[test]
fn an_empty_number_is_empty_everywhere() {
    for region in [Region::HongKong, Region::Macau, Region::Taiwan] {
        assert_eq!(parse(region, "  "), Err(LocalIdFlaw::Empty));
    }
}

#[test]
fn numbers_of_another_implementation_are_read_alike() {
    let vectors = include_str!("vectors.csv");
    let mut seen = 0;
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let (number, valid) = line.split_once(',').unwrap();
        assert_eq!(parse(Region::Taiwan, number).is_ok(), valid == "valid", "{number}");
        seen += 1;
    }
    assert_eq!(seen, 200);
}

proptest! {
    #[test]
    fn exactly_one_check_character_fits_a_number(letters in "[A-Z]{1,2}", digits in "[0-9]{6}") {
        let fitting = "0123456789A".chars().filter(|check| {
            parse(Region::HongKong, &format!("{letters}{digits}({check})")).is_ok()
        });
        prop_assert_eq!(fitting.count(), 1);
        let letter = &letters[..1];
        let fitting = (0..10).filter(|check| parse(Region::Taiwan, &format!("{letter}1{digits}0{check}")).is_ok());
        prop_assert_eq!(fitting.count(), 1);
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,16}") {
        for region in [Region::HongKong, Region::Macau, Region::Taiwan] {
            let _ = parse(region, &text);
        }
    }
}
