//! What numbers say, digit by digit, and where they disagree with the rest of a certificate.

use proptest::prelude::*;
use time::macros::date;

use super::warning::{Said, Warning, province_name};
use super::*;
use crate::domain::agency::{Abolition, Agencies, Agency};

/// A number; kind, date of issue, agency and document number beside it; what it is warned of.
type Case = (&'static str, Kind, Date, &'static str, &'static str, &'static [Warning]);

const TODAY: Date = date!(2026 - 11 - 23);
const ENDED: Date = date!(2010 - 09 - 01);
const MAN: &str = "320399199001010018";
const WOMAN: &str = "320399199001010026";

fn number(digits: &str) -> Number {
    Number::parse(digits, TODAY).unwrap()
}

/// 徐州 was renamed in 2001, and goes on with what 九里区 did until 2010.
fn agencies() -> Agencies {
    let id = uuid::Uuid::from_u128;
    let agency = |id, names: &[(Date, &str)], abolition| {
        let names = names.iter().map(|(since, name)| (*since, (*name).to_owned())).collect();
        Agency { id, division: "320300".to_owned(), names, abolition }
    };
    let end = Abolition { on: ENDED, successor: Some(id(1)) };
    let xuzhou = [(Date::MIN, "徐州市教育委员会"), (date!(2001 - 03 - 01), "徐州市教育局")];
    [agency(id(1), &xuzhou, None), agency(id(2), &[(Date::MIN, "九里区教育局")], Some(end))].into_iter().collect()
}

/// All warnings in their order; those of agencies as `agencies` and `TODAY` lead to them.
fn all() -> Vec<Warning> {
    use Warning::{Kind, Province, Sex, UnknownProvince, UnknownSex, Year};
    let then = "徐州市教育局".to_owned();
    let successor = Some(then.clone());
    vec![
        Year,
        UnknownProvince,
        Province,
        Kind,
        UnknownSex,
        Sex,
        Warning::UnknownAgency,
        Warning::AgencyNamedOtherwise { issued: TODAY, then },
        Warning::AgencyAbolished { on: ENDED, successor },
    ]
}

#[test]
fn seventeen_digits_say_year_province_agency_kind_sex_and_running_number() {
    let number = number("20203204521234567");
    assert_eq!((number.year(), number.province()), (2020, Some("32")));
    let expected =
        Parts { province: "32", agency: "045", kind: Some(Kind::Primary), sex: SexDigit::Male, running: "234567" };
    assert_eq!(number.parts(), Some(expected));
}

#[test]
fn fifteen_digits_say_the_year_only() {
    let number = number("993203041234567");
    assert_eq!((number.year(), number.province(), number.parts()), (1999, None, None));
}

#[test]
fn the_digit_for_the_sex_says_something_from_2009_on() {
    for (digits, expected) in [
        ("20083203221234567", SexDigit::Unsaid),
        ("20083203222234567", SexDigit::Unsaid),
        ("20083203223234567", SexDigit::Unknown),
        ("20093203220234567", SexDigit::Unsaid),
        ("20093203221234567", SexDigit::Male),
        ("20093203222234567", SexDigit::Female),
        ("20093203229234567", SexDigit::Unknown),
    ] {
        assert_eq!(number(digits).parts().unwrap().sex, expected, "{digits}");
    }
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
    use Warning::{Kind as KindDiffers, Province, Sex, UnknownProvince, UnknownSex, Year};
    let agency = "徐州市教育局";
    let cases: &[Case] = &[
        ("20203203221234567", Kind::Primary, date!(2020 - 06 - 01), agency, MAN, &[]),
        ("20203203221234567", Kind::Primary, date!(2019 - 06 - 01), agency, MAN, &[Year]),
        ("20203203221234567", Kind::Senior, date!(2020 - 06 - 01), agency, MAN, &[KindDiffers]),
        ("20203203281234567", Kind::Senior, date!(2020 - 06 - 01), agency, MAN, &[KindDiffers]),
        ("20209903221234567", Kind::Primary, date!(2020 - 06 - 01), agency, MAN, &[UnknownProvince]),
        ("20203203221234567", Kind::Primary, date!(2020 - 06 - 01), "浙江省教育厅", MAN, &[Province]),
        ("20203203221234567", Kind::Primary, date!(2020 - 06 - 01), " 江苏省教育厅", MAN, &[]),
        // A prefecture of 青海 and a county of it; neither names another province.
        ("20206303221234567", Kind::Primary, date!(2020 - 06 - 01), "海南藏族自治州教育局", MAN, &[]),
        ("20206303221234567", Kind::Primary, date!(2020 - 06 - 01), "河南蒙古族自治县教育局", MAN, &[]),
        ("20203203224234567", Kind::Primary, date!(2020 - 06 - 01), agency, MAN, &[UnknownSex]),
        ("20203203221234567", Kind::Primary, date!(2020 - 06 - 01), agency, WOMAN, &[Sex]),
        ("20203203222234567", Kind::Primary, date!(2020 - 06 - 01), agency, MAN, &[Sex]),
        ("20203203222234567", Kind::Primary, date!(2020 - 06 - 01), agency, WOMAN, &[]),
        ("20203203220234567", Kind::Primary, date!(2020 - 06 - 01), agency, WOMAN, &[]),
        ("20203203222234567", Kind::Primary, date!(2020 - 06 - 01), agency, "H12345678", &[]),
        // Before 2009 nobody knows which digit stands for whom.
        ("20083203222234567", Kind::Primary, date!(2008 - 06 - 01), agency, MAN, &[]),
        // Of 15 digits only the year is known.
        ("999903089234567", Kind::Primary, date!(1999 - 06 - 01), "浙江省教育厅", MAN, &[]),
        ("999903089234567", Kind::Primary, date!(1998 - 06 - 01), agency, MAN, &[Year]),
        (
            "20209903289234567",
            Kind::Primary,
            date!(2019 - 06 - 01),
            "浙江省教育厅",
            MAN,
            &[Year, UnknownProvince, Province, KindDiffers, UnknownSex],
        ),
    ];
    for (digits, kind, issued, agency, holder_number, expected) in cases {
        let said = Said { kind: *kind, issued: *issued, agency, issuer: None, holder_number };
        assert_eq!(number(digits).warnings(&said), *expected, "{digits} {agency} {issued}");
    }
}

#[test]
fn every_warning_has_a_reason_of_its_own_and_says_what_to_do() {
    let all = all();
    let reasons: std::collections::BTreeSet<&str> = all.iter().map(Warning::reason).collect();
    assert_eq!(reasons.len(), all.len());
    assert!(all.iter().all(|warning| warning.sentence().ends_with("核对。")));
    assert_eq!(all.iter().filter(|warning| warning.is_of_agency()).count(), 3);
}

#[test]
fn an_agency_that_the_directory_knows_is_held_against_day_and_province() {
    let agencies = agencies();
    let warned = |digits: &str, agency: &str, issued: Date| {
        let number = number(digits);
        let issuer = Some(agencies.issuer(agency, issued, number.province()));
        let said = Said { kind: Kind::Primary, issued, agency, issuer, holder_number: MAN };
        number.warnings(&said)
    };
    let in_2000 = date!(2000 - 06 - 01);
    assert_eq!(warned("20003203221234567", "徐州市教育委员会", in_2000), []);
    // The directory knows its province without the name's beginning with it.
    assert_eq!(warned("20003303221234567", "徐州市教育委员会", in_2000), [Warning::Province]);
    assert_eq!(warned("20003203221234567", "某市教育局", in_2000), [Warning::UnknownAgency]);
    // Also of 15 digits.
    assert_eq!(warned("003203041234567", "某市教育局", date!(1900 - 06 - 01)), [Warning::UnknownAgency]);
    let [otherwise] = &warned("20003203221234567", "徐州市教育局", in_2000)[..] else { panic!("one warning") };
    let sentence = "该机构在2000年6月1日时名称为“徐州市教育委员会”，请对照证书信息页右下角的盖章和签发日期核对。";
    assert_eq!((otherwise.reason(), &*otherwise.sentence()), ("AGENCY_NAMED_OTHERWISE", sentence));
    let [ended] = &warned("20203203221234567", "九里区教育局", date!(2020 - 06 - 01))[..] else {
        panic!("one warning")
    };
    let sentence =
        "该机构已于2010年9月1日撤销，其工作由“徐州市教育局”承接，请对照证书信息页右下角的盖章和签发日期核对。";
    assert_eq!((ended.reason(), &*ended.sentence()), ("AGENCY_ABOLISHED", sentence));
}

#[test]
fn a_number_does_not_show_itself() {
    assert_eq!(format!("{:?}", number("20203203221234567")), "Number(17 digits)");
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,20}|[0-9]{13,19}") {
        if let Ok(number) = Number::parse(&text, TODAY) {
            prop_assert!(matches!(number.as_str().len(), 15 | 17));
            prop_assert!(number.year() <= TODAY.year());
            prop_assert_eq!(number.parts().is_some(), number.as_str().len() == 17);
        }
    }

    #[test]
    fn the_parts_are_the_number(year in 0_u32..=2026, rest in "[0-9]{13}") {
        let number = number(&format!("{year:04}{rest}"));
        let parts = number.parts().unwrap();
        let (kind, sex) = (&number.as_str()[9..10], &number.as_str()[10..11]);
        let whole = format!("{:04}{}{}{kind}{sex}{}", number.year(), parts.province, parts.agency, parts.running);
        prop_assert_eq!(whole.as_str(), number.as_str());
        prop_assert_eq!(parts.kind.map(|kind| kind.digit().to_string()), parts.kind.is_some().then(|| kind.to_owned()));
        let said = match parts.sex {
            SexDigit::Male => sex == "1" && year >= 2009,
            SexDigit::Female => sex == "2" && year >= 2009,
            SexDigit::Unsaid => sex == "0" || (sex == "1" || sex == "2") && year < 2009,
            SexDigit::Unknown => sex > "2",
        };
        prop_assert!(said, "{parts:?}");
    }

    #[test]
    fn each_warning_comes_once_in_order_whatever_is_said(
        digits in "(19|20)[0-2][0-9]{14}|[0-9]{15}",
        agency in "\\PC{0,12}|(江苏省|浙江省|青海省)教育厅|徐州市(教育局|教育委员会)|九里区教育局",
        holder_number in "\\PC{0,20}|[0-9]{17}[0-9X]",
        kind in 0_usize..7,
    ) {
        if let Ok(number) = Number::parse(&digits, TODAY) {
            let (agencies, holder_number) = (agencies(), &holder_number);
            let issuer = Some(agencies.issuer(&agency, TODAY, number.province()));
            let said = Said { kind: Kind::ALL[kind], issued: TODAY, agency: &agency, issuer, holder_number };
            let warnings = number.warnings(&said);
            let expected: Vec<Warning> = all().into_iter().filter(|one| warnings.contains(one)).collect();
            prop_assert_eq!(&warnings, &expected);
            prop_assert_eq!(warnings.contains(&Warning::Year), number.year() != 2026);
            if let Some(parts) = number.parts() {
                prop_assert_eq!(warnings.contains(&Warning::Kind), parts.kind != Some(Kind::ALL[kind]));
                let is_unknown = province_name(parts.province).is_none();
                prop_assert_eq!(warnings.contains(&Warning::UnknownProvince), is_unknown);
            }
        }
    }
}
