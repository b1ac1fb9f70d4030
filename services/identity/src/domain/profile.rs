//! 完善个人信息: which fields a profile needs, by the type of the document (DOMAIN 3.3).

use time::Date;
use time::macros::format_description;

use super::citizen_number::Sex;
use super::contact::{self, ContactFlaw};
use super::document::{Document, DocumentFlaw, DocumentType, Region};
use super::local_id::{self, LocalIdFlaw};
use super::personal::{Personal, is_ethnicity, render_date};

/// A profile as it was filled in.
#[derive(Clone, Default)]
pub struct Form {
    /// 民族
    pub ethnicity: String,
    /// 性别
    pub sex: String,
    /// 出生日期
    pub birth_date: String,
    /// 港澳或台湾当地有效身份证件号码
    pub local_id_number: String,
    /// 相应通行证号码
    pub permit_number: String,
    /// 电子邮件; may stay empty.
    pub email: String,
}

/// A field of [`Form`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// 民族
    Ethnicity,
    /// 性别
    Sex,
    /// 出生日期
    BirthDate,
    /// 港澳或台湾当地有效身份证件号码
    LocalIdNumber,
    /// 相应通行证号码
    PermitNumber,
    /// 电子邮件
    Email,
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The document's type needs it.
    Required,
    /// The document says it, or has nothing of the kind.
    NotExpected,
    /// Not a value that it may have.
    Shape,
    /// Mistyped somewhere.
    CheckDigit,
    /// It contradicts the document's number.
    Contradiction,
}

/// Judges all fields at once. What is right is what the event sets.
pub fn check(document: &Document, form: &Form, today: Date) -> Result<Personal, Vec<(Field, Flaw)>> {
    let mut flaws = Vec::new();
    let mut keep = |field, checked: Result<String, Flaw>| {
        checked.unwrap_or_else(|flaw| {
            flaws.push((field, flaw));
            String::new()
        })
    };
    let personal = Personal {
        ethnicity: keep(Field::Ethnicity, ethnicity(&form.ethnicity)),
        sex: keep(Field::Sex, sex(document, &form.sex)),
        birth_date: keep(Field::BirthDate, birth_date(document, &form.birth_date, today)),
        local_id_number: keep(Field::LocalIdNumber, local_id_number(document, &form.local_id_number)),
        permit_number: keep(Field::PermitNumber, permit_number(document, &form.permit_number, today)),
        email: keep(Field::Email, email(&form.email)),
        ..Personal::default()
    };
    if flaws.is_empty() { Ok(personal) } else { Err(flaws) }
}

fn ethnicity(text: &str) -> Result<String, Flaw> {
    let code = required(text)?;
    if is_ethnicity(code) { Ok(code.to_owned()) } else { Err(Flaw::Shape) }
}

fn sex(document: &Document, text: &str) -> Result<String, Flaw> {
    if document.kind() == DocumentType::ResidentId {
        return absent(text);
    }
    let sex = Sex::from_code(required(text)?).ok_or(Flaw::Shape)?;
    agrees(document.sex(), &sex)?;
    Ok(sex.code().to_owned())
}

fn birth_date(document: &Document, text: &str, today: Date) -> Result<String, Flaw> {
    if document.kind() == DocumentType::ResidentId {
        return absent(text);
    }
    let format = format_description!("[year]-[month]-[day]");
    let date = Some(required(text)?).filter(|text| text.len() == 10).and_then(|text| Date::parse(text, format).ok());
    let date = date.filter(|date| date.year() >= 1900 && *date <= today).ok_or(Flaw::Shape)?;
    agrees(document.birth_date(), &date)?;
    Ok(render_date(date))
}

fn local_id_number(document: &Document, text: &str) -> Result<String, Flaw> {
    let Some(region) = document.region() else { return absent(text) };
    local_id::parse(region, text).map_err(|flaw| match flaw {
        LocalIdFlaw::Empty => Flaw::Required,
        LocalIdFlaw::Shape => Flaw::Shape,
        LocalIdFlaw::CheckDigit => Flaw::CheckDigit,
    })
}

fn permit_number(document: &Document, text: &str, today: Date) -> Result<String, Flaw> {
    let (DocumentType::ResidencePermit, Some(region)) = (document.kind(), document.region()) else {
        return absent(text);
    };
    let kind = match region {
        Region::HongKong | Region::Macau => DocumentType::HkMacauPermit,
        Region::Taiwan => DocumentType::TaiwanPermit,
    };
    let permit = Document::parse(kind, text, today).map_err(|flaw| match flaw {
        DocumentFlaw::Empty => Flaw::Required,
        _ => Flaw::Shape,
    })?;
    agrees(permit.region(), &region)?;
    Ok(permit.number().to_owned())
}

fn email(text: &str) -> Result<String, Flaw> {
    match contact::email(text) {
        Ok(email) => Ok(email),
        Err(ContactFlaw::Empty) => Ok(String::new()),
        Err(ContactFlaw::Shape) => Err(Flaw::Shape),
    }
}

fn required(text: &str) -> Result<&str, Flaw> {
    let text = text.trim();
    if text.is_empty() { Err(Flaw::Required) } else { Ok(text) }
}

fn absent(text: &str) -> Result<String, Flaw> {
    if text.trim().is_empty() { Ok(String::new()) } else { Err(Flaw::NotExpected) }
}

fn agrees<T: PartialEq>(said: Option<T>, given: &T) -> Result<(), Flaw> {
    if said.is_none_or(|said| said == *given) { Ok(()) } else { Err(Flaw::Contradiction) }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 23);

    fn document(kind: DocumentType, number: &str) -> Document {
        Document::parse(kind, number, TODAY).unwrap()
    }

    fn resident() -> Document {
        document(DocumentType::ResidentId, "320303199001010018")
    }

    /// Of a man from Hong Kong, born on 1994-08-23, as its number says.
    fn residence() -> Document {
        document(DocumentType::ResidencePermit, "810000199408230013")
    }

    fn form(fields: [&str; 6]) -> Form {
        let [ethnicity, sex, birth_date, local_id_number, permit_number, email] = fields.map(str::to_owned);
        Form { ethnicity, sex, birth_date, local_id_number, permit_number, email }
    }

    #[test]
    fn a_resident_only_adds_the_ethnicity() {
        let known = check(&resident(), &form(["01", "", "", "", "", ""]), TODAY).unwrap();
        assert_eq!(known, Personal { ethnicity: "01".to_owned(), ..Personal::default() });
    }

    #[test]
    fn what_the_resident_number_says_is_not_asked_again() {
        let flaws =
            check(&resident(), &form(["", "1", "1990-01-01", "A123456(3)", "H12345678", "x"]), TODAY).unwrap_err();
        assert_eq!(
            flaws,
            [
                (Field::Ethnicity, Flaw::Required),
                (Field::Sex, Flaw::NotExpected),
                (Field::BirthDate, Flaw::NotExpected),
                (Field::LocalIdNumber, Flaw::NotExpected),
                (Field::PermitNumber, Flaw::NotExpected),
                (Field::Email, Flaw::Shape),
            ]
        );
    }

    #[test]
    fn a_residence_permit_needs_all_that_goes_with_it() {
        let whole = form(["01", "1", "1994-08-23", "a123456(3)", "H1234567801", "a@b.example"]);
        let known = check(&residence(), &whole, TODAY).unwrap();
        assert_eq!((known.local_id_number.as_str(), known.permit_number.as_str()), ("A123456(3)", "H12345678"));
        let flaws = check(&residence(), &Form::default(), TODAY).unwrap_err();
        assert_eq!(flaws.iter().filter(|(_, flaw)| *flaw == Flaw::Required).count(), 5);
    }

    #[test]
    fn what_contradicts_the_number_is_refused() {
        let flaws =
            check(&residence(), &form(["01", "2", "1994-08-24", "A123456(4)", "M12345678", ""]), TODAY).unwrap_err();
        assert_eq!(
            flaws,
            [
                (Field::Sex, Flaw::Contradiction),
                (Field::BirthDate, Flaw::Contradiction),
                (Field::LocalIdNumber, Flaw::CheckDigit),
                (Field::PermitNumber, Flaw::Contradiction),
            ]
        );
    }

    #[test]
    fn a_permit_says_nothing_of_its_holder_but_the_region() {
        let macau = document(DocumentType::HkMacauPermit, "M12345678");
        assert!(check(&macau, &form(["01", "2", "1990-02-28", "1234567(8)", "", ""]), TODAY).is_ok());
        let flaws = check(&macau, &form(["57", "9", "1990-02-30", "A123456(3)", "M12345678", ""]), TODAY).unwrap_err();
        assert_eq!(flaws.len(), 5);
        let taiwan = document(DocumentType::TaiwanPermit, "12345678");
        assert!(check(&taiwan, &form(["97", "1", "1990-02-28", "A123456789", "", ""]), TODAY).is_ok());
    }
}
