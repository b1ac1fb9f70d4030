//! The form: moved field by field, nothing copied.

use proto::applications::v1 as wire;
use uuid::Uuid;

use crate::domain::form::{Coded, Personal};
use crate::wire::{parse_stage, stage};

/// The personal part.
pub fn personal(form: Personal) -> wire::PersonalPart {
    wire::PersonalPart {
        putonghua_number: form.putonghua_number,
        graduation_date: form.graduation_date,
        birth_place: form.birth_place,
        household_place: form.household_place,
        address: form.address,
        postcode: form.postcode,
        telephone: form.telephone,
        mobile: form.mobile,
        email: form.email,
    }
}

/// The personal part.
pub fn parse_personal(form: wire::PersonalPart) -> Personal {
    Personal {
        putonghua_number: form.putonghua_number,
        graduation_date: form.graduation_date,
        birth_place: form.birth_place,
        household_place: form.household_place,
        address: form.address,
        postcode: form.postcode,
        telephone: form.telephone,
        mobile: form.mobile,
        email: form.email,
    }
}

/// The coded part.
pub fn coded(form: Coded) -> wire::CodedPart {
    let id = |id: Option<Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    wire::CodedPart {
        putonghua_level: form.putonghua_level,
        education: form.education,
        degree: form.degree,
        major_category: form.major_category,
        major: form.major,
        graduate_school: form.graduate_school,
        study_form: form.study_form,
        school_id: id(form.school),
        school_nature: form.school_nature,
        school_location: form.school_location,
        work_start_date: form.work_start_date,
        employment_date: form.employment_date,
        title: form.title,
        post_nature: form.post_nature,
        political_status: form.political_status,
        stage: form.stage.map(|known| stage(known).into()).unwrap_or_default(),
        subject: form.subject,
        agency_id: id(form.agency),
        point_id: id(form.point),
    }
}

/// The coded part; paths of the fields that hold neither a value nor nothing.
pub fn parse_coded(form: wire::CodedPart) -> Result<Coded, Vec<&'static str>> {
    let mut malformed = Vec::new();
    let mut id = |field, text: &str| {
        let id = Uuid::try_parse(text).ok().filter(|id| !id.is_nil());
        if id.is_none() && !text.is_empty() {
            malformed.push(field);
        }
        id
    };
    let school = id("coded.school_id", &form.school_id);
    let agency = id("coded.agency_id", &form.agency_id);
    let point = id("coded.point_id", &form.point_id);
    let stage = parse_stage(form.stage);
    if stage.is_none() && form.stage != 0 {
        malformed.push("coded.stage");
    }
    if !malformed.is_empty() {
        return Err(malformed);
    }
    Ok(Coded {
        putonghua_level: form.putonghua_level,
        education: form.education,
        degree: form.degree,
        major_category: form.major_category,
        major: form.major,
        graduate_school: form.graduate_school,
        study_form: form.study_form,
        school,
        school_nature: form.school_nature,
        school_location: form.school_location,
        work_start_date: form.work_start_date,
        employment_date: form.employment_date,
        title: form.title,
        post_nature: form.post_nature,
        political_status: form.political_status,
        stage,
        subject: form.subject,
        agency,
        point,
    })
}
