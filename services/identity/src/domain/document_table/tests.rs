//! Numbers of all four types against the vectors of DOMAIN 3.1.

use std::sync::LazyLock;

use proptest::prelude::*;
use time::macros::date;

use super::*;

const TODAY: Date = date!(2026 - 11 - 23);

fn types() -> &'static DocumentTypes {
    static TYPES: LazyLock<DocumentTypes> = LazyLock::new(|| crate::shipped::document_types().unwrap());
    &TYPES
}

fn parse(kind: DocumentType, text: &str) -> Result<Document, DocumentFlaw> {
    types().on(TODAY).parse(kind, text, TODAY)
}

#[test]
fn a_number_is_trimmed_and_upper_cased() {
    let document = parse(DocumentType::ResidentId, " 11010519491231002x ").unwrap();
    assert_eq!(document.number(), "11010519491231002X");
    assert_eq!(document.key(), "1:11010519491231002X");
}

#[test]
fn every_type_reads_its_own_numbers() {
    for (kind, text, number, region) in [
        (DocumentType::ResidentId, "320303199001010018", "320303199001010018", None),
        (DocumentType::ResidencePermit, "810000199408230021", "810000199408230021", Some(Region::HongKong)),
        (DocumentType::HkMacauPermit, "H12345678", "H12345678", Some(Region::HongKong)),
        (DocumentType::HkMacauPermit, "m1234567801", "M12345678", Some(Region::Macau)),
        (DocumentType::TaiwanPermit, "12345678", "12345678", Some(Region::Taiwan)),
    ] {
        let document = parse(kind, text).unwrap();
        assert_eq!((document.kind(), document.number(), document.region()), (kind, number, region));
        assert_eq!(types().recognise(text), Some(document), "a number names one type");
    }
}

#[test]
fn each_flaw_is_named() {
    for (kind, text, flaw) in [
        (DocumentType::ResidentId, " ", DocumentFlaw::Empty),
        (DocumentType::ResidentId, "320303199001010019", DocumentFlaw::CheckDigit),
        (DocumentType::ResidentId, "320303199002300018", DocumentFlaw::Date),
        (DocumentType::ResidentId, "990303199001010018", DocumentFlaw::Province),
        (DocumentType::ResidentId, "100303199001010018", DocumentFlaw::Province),
        (DocumentType::ResidentId, "840000199408230021", DocumentFlaw::Province),
        (DocumentType::ResidentId, "３20303199001010018", DocumentFlaw::Shape),
        (DocumentType::ResidentId, "12345678", DocumentFlaw::Shape),
        (DocumentType::ResidentId, "810000199408230021", DocumentFlaw::OtherType),
        (DocumentType::ResidencePermit, "320303199001010018", DocumentFlaw::OtherType),
        (DocumentType::ResidencePermit, "810001199408230021", DocumentFlaw::Province),
        (DocumentType::HkMacauPermit, "H1234567", DocumentFlaw::Shape),
        (DocumentType::HkMacauPermit, "H123456789", DocumentFlaw::Shape),
        (DocumentType::HkMacauPermit, "A12345678", DocumentFlaw::Shape),
        (DocumentType::HkMacauPermit, "HA1234567", DocumentFlaw::NonChineseResident),
        (DocumentType::HkMacauPermit, "MA12B4567", DocumentFlaw::NonChineseResident),
        (DocumentType::TaiwanPermit, "1234567", DocumentFlaw::Shape),
        (DocumentType::TaiwanPermit, "123456789", DocumentFlaw::Shape),
    ] {
        assert_eq!(parse(kind, text).err(), Some(flaw), "{kind:?} {text}");
    }
}

#[test]
fn a_number_whose_type_nobody_names_has_the_flaw_of_a_residents() {
    let judge = |text: &str| types().on(TODAY).judge(text, TODAY);
    assert_eq!(judge("h12345678").map(|document| document.kind()), Ok(DocumentType::HkMacauPermit));
    assert_eq!(judge("810001199408230021"), Err(DocumentFlaw::Province));
    assert_eq!(judge("HA1234567"), Err(DocumentFlaw::Shape));
}

#[test]
fn a_type_is_called_by_each_of_its_names_and_by_no_other() {
    let called = |name: &str| types().on(TODAY).called(name);
    assert_eq!(called("居民身份证"), Some(DocumentType::ResidentId));
    assert_eq!(called("五年有效期台湾居民来往大陆通行证"), Some(DocumentType::TaiwanPermit));
    assert_eq!(called("台湾居民来往大陆通行证"), Some(DocumentType::TaiwanPermit));
    assert_eq!(called("护照"), None);
}

#[test]
fn a_document_does_not_show_its_number() {
    let document = parse(DocumentType::TaiwanPermit, "12345678").unwrap();
    assert_eq!(format!("{document:?}"), "Document(TaiwanPermit, …)");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,20}") {
        for code in 1..=4 {
            let _ = parse(DocumentType::from_code(code).unwrap(), &text);
        }
        let _ = types().recognise(&text).map(|document| (document.region(), document.sex(), document.birth_date()));
    }

    #[test]
    fn what_is_read_is_recognised(text in "[HM0-9X]{8,18}") {
        for code in 1..=4 {
            if let Ok(document) = parse(DocumentType::from_code(code).unwrap(), &text) {
                prop_assert_eq!(types().recognise(&text), Some(document));
            }
        }
    }
}
