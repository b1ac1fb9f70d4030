//! 完善个人信息: which fields a profile needs, by the type of the document (DOMAIN 3.3).

use time::Date;
use time::macros::format_description;

use super::citizen_number::Sex;
use super::contact::{self, ContactFlaw};
use super::document::{Document, DocumentFlaw};
use super::document_table::{DocumentTable, Requirement};
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
pub fn check(
    table: &DocumentTable,
    document: &Document,
    form: &Form,
    today: Date,
) -> Result<Personal, Vec<(Field, Flaw)>> {
    let rules = table.rules(document.kind());
    let asked = |field, text| asked(rules.requirement(field), text);
    let mut flaws = Vec::new();
    let mut keep = |field, text, read: &dyn Fn(&str) -> Result<String, Flaw>| match asked(field, text)
        .and_then(|text| text.map(read).transpose())
    {
        Ok(known) => known.unwrap_or_default(),
        Err(flaw) => {
            flaws.push((field, flaw));
            String::new()
        }
    };
    let personal = Personal {
        ethnicity: keep(Field::Ethnicity, &form.ethnicity, &ethnicity),
        sex: keep(Field::Sex, &form.sex, &|text| sex(document, text)),
        birth_date: keep(Field::BirthDate, &form.birth_date, &|text| birth_date(document, text, today)),
        local_id_number: keep(Field::LocalIdNumber, &form.local_id_number, &|text| local_id_number(document, text)),
        permit_number: keep(Field::PermitNumber, &form.permit_number, &|text| {
            permit_number(table, document, text, today)
        }),
        email: keep(Field::Email, &form.email, &email),
        ..Personal::default()
    };
    if flaws.is_empty() { Ok(personal) } else { Err(flaws) }
}

/// The text of a field, without blanks around it; `None` where it is empty and may be.
fn asked(requirement: Option<Requirement>, text: &str) -> Result<Option<&str>, Flaw> {
    let text = text.trim();
    match (requirement, text.is_empty()) {
        (None | Some(Requirement::Optional), true) => Ok(None),
        (Some(Requirement::Required), true) => Err(Flaw::Required),
        (None, false) => Err(Flaw::NotExpected),
        (Some(Requirement::Required | Requirement::Optional), false) => Ok(Some(text)),
    }
}

fn ethnicity(code: &str) -> Result<String, Flaw> {
    if is_ethnicity(code) { Ok(code.to_owned()) } else { Err(Flaw::Shape) }
}

fn sex(document: &Document, code: &str) -> Result<String, Flaw> {
    let sex = Sex::from_code(code).ok_or(Flaw::Shape)?;
    agrees(document.sex(), &sex)?;
    Ok(sex.code().to_owned())
}

fn birth_date(document: &Document, text: &str, today: Date) -> Result<String, Flaw> {
    let format = format_description!("[year]-[month]-[day]");
    let date = Some(text).filter(|text| text.len() == 10).and_then(|text| Date::parse(text, format).ok());
    let date = date.filter(|date| date.year() >= 1900 && *date <= today).ok_or(Flaw::Shape)?;
    agrees(document.birth_date(), &date)?;
    Ok(render_date(date))
}

fn local_id_number(document: &Document, text: &str) -> Result<String, Flaw> {
    let region = document.region().ok_or(Flaw::NotExpected)?;
    local_id::parse(region, text).map_err(|flaw| match flaw {
        LocalIdFlaw::Empty => Flaw::Required,
        LocalIdFlaw::Shape => Flaw::Shape,
        LocalIdFlaw::CheckDigit => Flaw::CheckDigit,
    })
}

fn permit_number(table: &DocumentTable, document: &Document, text: &str, today: Date) -> Result<String, Flaw> {
    let kind = document.permit().ok_or(Flaw::NotExpected)?;
    let permit = table.parse(kind, text, today).map_err(|flaw| match flaw {
        DocumentFlaw::Empty => Flaw::Required,
        _ => Flaw::Shape,
    })?;
    agrees(permit.region(), &document.region().ok_or(Flaw::NotExpected)?)?;
    Ok(permit.number().to_owned())
}

fn email(text: &str) -> Result<String, Flaw> {
    contact::email(text).map_err(|flaw| match flaw {
        ContactFlaw::Empty => Flaw::Required,
        ContactFlaw::Shape => Flaw::Shape,
    })
}

fn agrees<T: PartialEq>(said: Option<T>, given: &T) -> Result<(), Flaw> {
    if said.is_none_or(|said| said == *given) { Ok(()) } else { Err(Flaw::Contradiction) }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::domain::document::DocumentType;
    use crate::domain::document_table::DocumentTypes;

    const TODAY: Date = date!(2026 - 11 - 23);

    fn types() -> DocumentTypes {
        crate::shipped::document_types().unwrap()
    }

    fn document(kind: DocumentType, number: &str) -> Document {
        types().on(TODAY).parse(kind, number, TODAY).unwrap()
    }

    fn check(document: &Document, form: &Form, today: Date) -> Result<Personal, Vec<(Field, Flaw)>> {
        super::check(types().on(today), document, form, today)
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
