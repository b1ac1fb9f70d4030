//! Personal data of one person, as it is sealed; never in a log line.

use std::fmt;

use super::citizen_number::Sex;
use super::document::{Document, DocumentType};

/// What is known of a person. A field that is empty is not known, or not set by the event that carries this.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Personal {
    /// Document number, upper case.
    pub number: String,
    /// 姓名
    pub name: String,
    /// 手机, 11 digits.
    pub phone: String,
    /// 电子邮件
    pub email: String,
    /// 性别, code of GB/T 2261.1; empty where the number says it.
    pub sex: String,
    /// 出生日期, `YYYY-MM-DD`; empty where the number says it.
    pub birth_date: String,
    /// 民族, code of GB/T 3304.
    pub ethnicity: String,
    /// 港澳或台湾当地有效身份证件号码
    pub local_id_number: String,
    /// 相应通行证号码
    pub permit_number: String,
}

impl Personal {
    /// What is known after an event that sets these fields.
    #[must_use]
    pub fn overlaid_by(self, later: Self) -> Self {
        let newer = |old: String, new: String| if new.is_empty() { old } else { new };
        Self {
            number: newer(self.number, later.number),
            name: newer(self.name, later.name),
            phone: newer(self.phone, later.phone),
            email: newer(self.email, later.email),
            sex: newer(self.sex, later.sex),
            birth_date: newer(self.birth_date, later.birth_date),
            ethnicity: newer(self.ethnicity, later.ethnicity),
            local_id_number: newer(self.local_id_number, later.local_id_number),
            permit_number: newer(self.permit_number, later.permit_number),
        }
    }

    /// Sex and birth date filled in from the number of a 居民身份证, which says them.
    #[must_use]
    pub fn with_what_the_number_says(mut self, document: &Document) -> Self {
        if document.kind() == DocumentType::ResidentId {
            self.sex = document.sex().map(|sex| sex.code().to_owned()).unwrap_or_default();
            self.birth_date = document.birth_date().map(render_date).unwrap_or_default();
        }
        self
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Personal(…)")
    }
}

impl Sex {
    /// Code of GB/T 2261.1.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Male => "1",
            Self::Female => "2",
        }
    }

    /// The sex of this code; the codes for "unknown" and "not said" are no answer.
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "1" => Some(Self::Male),
            "2" => Some(Self::Female),
            _ => None,
        }
    }
}

/// 民族: whether GB/T 3304-1991 has this code.
pub fn is_ethnicity(code: &str) -> bool {
    let number: Option<u8> = code.parse().ok().filter(|_| code.len() == 2 && code.bytes().all(|b| b.is_ascii_digit()));
    number.is_some_and(|number| matches!(number, 1..=56 | 97 | 98))
}

/// `YYYY-MM-DD`.
pub fn render_date(date: time::Date) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_fields_replace_earlier_ones_and_empty_ones_do_not() {
        let first = Personal { name: "张三".to_owned(), phone: "13800000000".to_owned(), ..Personal::default() };
        let later = Personal { phone: "13900000000".to_owned(), ethnicity: "01".to_owned(), ..Personal::default() };
        let known = first.overlaid_by(later);
        assert_eq!(
            (known.name.as_str(), known.phone.as_str(), known.ethnicity.as_str()),
            ("张三", "13900000000", "01")
        );
    }

    #[test]
    fn a_resident_number_says_sex_and_birth_date() {
        let recognise = |number: &str| crate::shipped::document_types().unwrap().recognise(number).unwrap();
        let known = Personal { number: "320303199001010018".to_owned(), ..Personal::default() };
        let known = known.with_what_the_number_says(&recognise("320303199001010018"));
        assert_eq!((known.sex.as_str(), known.birth_date.as_str()), ("1", "1990-01-01"));
        let permit = Personal { number: "H12345678".to_owned(), sex: "2".to_owned(), ..Personal::default() };
        assert_eq!(permit.clone().with_what_the_number_says(&recognise("H12345678")), permit);
    }

    #[test]
    fn ethnicities_are_the_56_and_the_two_others() {
        for code in ["01", "56", "97", "98"] {
            assert!(is_ethnicity(code), "{code}");
        }
        for code in ["", "0", "00", "1", "57", "96", "99", "+1", "001"] {
            assert!(!is_ethnicity(code), "{code}");
        }
    }

    #[test]
    fn personal_data_does_not_show_itself() {
        let known = Personal { name: "张三".to_owned(), ..Personal::default() };
        assert_eq!(format!("{known:?}"), "Personal(…)");
    }
}
