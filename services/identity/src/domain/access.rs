//! 查询记录: who looked at whose data and why, and what a province may see of a person.

use time::OffsetDateTime;
use uuid::Uuid;

use super::document::DocumentType;
use super::personal::Personal;
use super::role::{Division, Role};

/// How long a record is kept: RELIABILITY asks for 180 days at least.
pub const KEPT_FOR: time::Duration = time::Duration::days(366);

/// A field of a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// 证件号码
    Number,
    /// 姓名
    Name,
    /// 手机
    Phone,
    /// 电子邮件
    Email,
    /// 性别, 出生日期, 民族
    Particulars,
    /// The personal part of an application; not known here.
    Form,
    /// What a request for another phone says.
    Evidence,
}

impl Field {
    /// Every field.
    pub const ALL: [Self; 7] =
        [Self::Number, Self::Name, Self::Phone, Self::Email, Self::Particulars, Self::Form, Self::Evidence];
}

/// Somebody looks at a person's data.
#[derive(Clone, PartialEq, Eq)]
pub struct Access {
    /// Whose.
    pub person: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// Through which service.
    pub service: String,
    /// Who stands behind the call; nobody where the service acts by itself.
    pub viewer: Option<Uuid>,
    /// As which staff, and where that role holds.
    pub role: Option<(Role, Division)>,
    /// What is seen.
    pub fields: Vec<Field>,
    /// Why, in the words of whoever looks.
    pub purpose: String,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Access({} by {}, …)", self.person, self.service)
    }
}

/// What is known of a person, as far as these fields go.
pub fn reveal(known: Personal, fields: &[Field]) -> Personal {
    let asked = |field: Field, value: String| if fields.contains(&field) { value } else { String::new() };
    Personal {
        number: asked(Field::Number, known.number),
        name: asked(Field::Name, known.name),
        phone: asked(Field::Phone, known.phone),
        email: asked(Field::Email, known.email),
        sex: asked(Field::Particulars, known.sex),
        birth_date: asked(Field::Particulars, known.birth_date),
        ethnicity: asked(Field::Particulars, known.ethnicity),
        local_id_number: String::new(),
        permit_number: String::new(),
    }
}

/// Where a person belongs as far as helping them goes: where they have filed or, if nowhere, the province that the number of
/// a 居民身份证 names. Numbers of other documents name none: such a person is the nation's to help.
pub fn divisions(filed_in: &[Division], document_type: DocumentType, number: &str) -> Vec<Division> {
    if !filed_in.is_empty() {
        return filed_in.to_vec();
    }
    let resident = (document_type == DocumentType::ResidentId).then_some(number);
    let province = resident.and_then(|number| Division::parse(&format!("{}0000", number.get(..2)?)));
    vec![province.unwrap_or(Division::NATION)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Personal {
        Personal {
            number: "320303199001010018".to_owned(),
            name: "示例一".to_owned(),
            phone: "10000000001".to_owned(),
            sex: "1".to_owned(),
            birth_date: "1990-01-01".to_owned(),
            ..Personal::default()
        }
    }

    #[test]
    fn only_what_was_asked_for_is_shown() {
        let shown = reveal(known(), &[Field::Phone]);
        assert_eq!(shown, Personal { phone: "10000000001".to_owned(), ..Personal::default() });
        let shown = reveal(known(), &[Field::Name, Field::Particulars]);
        assert_eq!((shown.name.as_str(), shown.sex.as_str(), shown.number.as_str()), ("示例一", "1", ""));
        assert_eq!(reveal(known(), &[Field::Form]), Personal::default());
    }

    #[test]
    fn a_person_belongs_where_they_filed_and_else_where_the_number_says() {
        let division = |text| Division::parse(text).unwrap();
        let resident = DocumentType::ResidentId;
        assert_eq!(divisions(&[division("330102")], resident, &known().number), [division("330102")]);
        assert_eq!(divisions(&[], resident, &known().number), [division("320000")]);
        assert_eq!(divisions(&[], DocumentType::HkMacauPermit, "H12345678"), [Division::NATION]);
    }

    #[test]
    fn why_somebody_looked_stays_out_of_logs() {
        let access = Access {
            person: Uuid::from_u128(1),
            at: OffsetDateTime::UNIX_EPOCH,
            service: "identity".to_owned(),
            viewer: None,
            role: None,
            fields: vec![Field::Name],
            purpose: "张三来电".to_owned(),
        };
        assert!(!format!("{access:?}").contains("张三"));
    }
}
