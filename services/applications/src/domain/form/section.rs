//! The pages of the form (manual 3.2 (2) and (3)): which field stands on which, so that one is saved without the others.

use crate::domain::form::{Coded, Personal};

/// A page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// 身份: 政治面貌, 出生地, 户籍所在地.
    Identity,
    /// 普通话证书信息
    Putonghua,
    /// 最高学历
    Education,
    /// 现任教学校, 职务, 岗位.
    Teaching,
    /// 通讯地址, 邮编, 电话, 邮件.
    Contact,
    /// 选择注册机构: 学段, 学科, 机构, 确认点.
    Agency,
}

impl Section {
    /// In the order in which they are filled in.
    pub const ALL: [Self; 6] =
        [Self::Identity, Self::Putonghua, Self::Education, Self::Teaching, Self::Contact, Self::Agency];

    /// The page of a field, named as problems name it.
    pub fn of(field: &str) -> Option<Self> {
        Some(match field {
            "coded.political_status" | "personal.birth_place" | "personal.household_place" => Self::Identity,
            "coded.putonghua_level" | "personal.putonghua_number" => Self::Putonghua,
            "coded.education"
            | "coded.degree"
            | "coded.major_category"
            | "coded.major"
            | "coded.graduate_school"
            | "coded.study_form"
            | "personal.graduation_date" => Self::Education,
            "coded.school_id"
            | "coded.school_nature"
            | "coded.school_location"
            | "coded.work_start_date"
            | "coded.employment_date"
            | "coded.title"
            | "coded.post_nature" => Self::Teaching,
            "personal.address" | "personal.postcode" | "personal.telephone" | "personal.mobile" | "personal.email" => {
                Self::Contact
            }
            "coded.stage" | "coded.subject" | "coded.agency_id" | "coded.point_id" => Self::Agency,
            _ => return None,
        })
    }

    /// Puts this page of one form in the place of the same page of another; its other pages stay as they are.
    pub fn replace(self, page: (Personal, Coded), form: (&mut Personal, &mut Coded)) {
        let ((from, from_coded), (personal, coded)) = (page, form);
        match self {
            Self::Identity => {
                coded.political_status = from_coded.political_status;
                personal.birth_place = from.birth_place;
                personal.household_place = from.household_place;
            }
            Self::Putonghua => {
                coded.putonghua_level = from_coded.putonghua_level;
                personal.putonghua_number = from.putonghua_number;
            }
            Self::Education => {
                coded.education = from_coded.education;
                coded.degree = from_coded.degree;
                coded.major_category = from_coded.major_category;
                coded.major = from_coded.major;
                coded.graduate_school = from_coded.graduate_school;
                coded.study_form = from_coded.study_form;
                personal.graduation_date = from.graduation_date;
            }
            Self::Teaching => {
                coded.school = from_coded.school;
                coded.school_nature = from_coded.school_nature;
                coded.school_location = from_coded.school_location;
                coded.work_start_date = from_coded.work_start_date;
                coded.employment_date = from_coded.employment_date;
                coded.title = from_coded.title;
                coded.post_nature = from_coded.post_nature;
            }
            Self::Contact => {
                personal.address = from.address;
                personal.postcode = from.postcode;
                personal.telephone = from.telephone;
                personal.mobile = from.mobile;
                personal.email = from.email;
            }
            Self::Agency => {
                coded.stage = from_coded.stage;
                coded.subject = from_coded.subject;
                coded.agency = from_coded.agency;
                coded.point = from_coded.point;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use time::macros::date;

    use super::*;
    use crate::domain::form::{Checklist, check};
    use crate::domain::registration::testing;
    use crate::domain::rules::SchoolKind;
    use crate::domain::values::CertificateKind;

    /// A form with something in every field.
    fn complete() -> (Personal, Coded) {
        let telephone = "0516-83700000".to_owned();
        (Personal { telephone, ..testing::personal() }, testing::coded())
    }

    fn required_fields(personal: &Personal, coded: &Coded) -> BTreeSet<&'static str> {
        let list = Checklist {
            codes: &testing::codes(),
            rules: &testing::rules(),
            directory: &testing::directory(),
            school: Some(SchoolKind::School),
            certificate_kind: CertificateKind::Junior,
            filed: None,
            today: date!(2026 - 11 - 23),
        };
        let problems = check(personal, coded, &list).into_iter();
        problems.filter(|problem| problem.reason == "REQUIRED").map(|problem| problem.field).collect()
    }

    #[test]
    fn page_by_page_the_whole_form_is_saved() {
        let (mut personal, mut coded) = (Personal::default(), Coded::default());
        let whole = complete();
        for section in Section::ALL {
            section.replace(whole.clone(), (&mut personal, &mut coded));
        }
        assert_eq!((personal, coded), whole);
    }

    #[test]
    fn a_page_fills_in_its_own_fields_and_no_others() {
        let empty = required_fields(&Personal::default(), &Coded::default());
        for section in Section::ALL {
            let (mut personal, mut coded) = (Personal::default(), Coded::default());
            section.replace(complete(), (&mut personal, &mut coded));
            let left = required_fields(&personal, &coded);
            let expected: BTreeSet<_> =
                empty.iter().copied().filter(|field| Section::of(field) != Some(section)).collect();
            assert_eq!(left, expected, "{section:?}");
        }
    }

    #[test]
    fn every_field_that_is_asked_for_stands_on_a_page() {
        for field in required_fields(&Personal::default(), &Coded::default()) {
            assert!(Section::of(field).is_some(), "{field}");
        }
        assert_eq!(Section::of("coded.unheard"), None);
    }
}
