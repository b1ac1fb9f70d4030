//! 申请表 (DOMAIN 4.1): what an applicant fills in, and everything that can be wrong with it, at once.

use std::borrow::Cow;

use time::Date;
use uuid::Uuid;

use crate::domain::calendar::parse_date;
use crate::domain::codes::CodeTables;
use crate::domain::directory::Directory;
use crate::domain::rules::{RuleSet, SchoolKind};
use crate::domain::values::{CertificateKind, Stage};

mod fields;
mod section;
#[cfg(test)]
pub(crate) mod tests;

pub use section::Section;

/// The personal part: sealed, never published. Empty fields are not filled in yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Personal {
    /// 普通话水平测试等级证书编号
    pub putonghua_number: String,
    /// 最高学历毕业时间, `YYYY-MM-DD`.
    pub graduation_date: String,
    /// 出生地
    pub birth_place: String,
    /// 户籍所在地
    pub household_place: String,
    /// 通讯地址
    pub address: String,
    /// 邮编
    pub postcode: String,
    /// 联系电话
    pub telephone: String,
    /// 手机
    pub mobile: String,
    /// 电子邮件
    pub email: String,
}

/// The coded part: published. Empty fields are not filled in yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coded {
    /// 普通话等级
    pub putonghua_level: String,
    /// 最高学历
    pub education: String,
    /// 最高学位
    pub degree: String,
    /// 最高学历专业类别
    pub major_category: String,
    /// 所学专业
    pub major: String,
    /// 毕业学校
    pub graduate_school: String,
    /// 学习形式
    pub study_form: String,
    /// 现任教学校
    pub school: Option<Uuid>,
    /// 任教学校性质
    pub school_nature: String,
    /// 任教学校所在地
    pub school_location: String,
    /// 开始参加工作时间, `YYYY-MM-DD`.
    pub work_start_date: String,
    /// 现任教学校聘用起始日期, `YYYY-MM-DD`.
    pub employment_date: String,
    /// 教师职务
    pub title: String,
    /// 岗位性质
    pub post_nature: String,
    /// 政治面貌
    pub political_status: String,
    /// 现任教学段
    pub stage: Option<Stage>,
    /// 现任教学科
    pub subject: String,
    /// 注册机构
    pub agency: Option<Uuid>,
    /// 确认点
    pub point: Option<Uuid>,
}

/// Where an application belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// 现任教学校
    pub school: Uuid,
    /// 现任教学段
    pub stage: Stage,
    /// 注册机构
    pub agency: Uuid,
    /// 确认点
    pub point: Uuid,
}

impl Coded {
    /// Where the application belongs, once all of it is filled in.
    pub fn place(&self) -> Option<Place> {
        Some(Place { school: self.school?, stage: self.stage?, agency: self.agency?, point: self.point? })
    }
}

/// What a form is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Checklist<'a> {
    /// Code tables in force.
    pub codes: &'a CodeTables,
    /// Rule set of the agency's province.
    pub rules: &'a RuleSet,
    /// Agencies and points.
    pub directory: &'a Directory,
    /// The school of the form in the Directory; `None` where it knows none.
    pub school: Option<SchoolKind>,
    /// Kind of the certificate to be registered.
    pub certificate_kind: CertificateKind,
    /// The form that it amends: subject and school that it holds already stay, whatever the province has said since.
    pub filed: Option<&'a Coded>,
    /// In Shanghai.
    pub today: Date,
}

/// Digits in a row that names of schools and majors do not have, but numbers of people do.
const DIGITS_OF_A_NUMBER: usize = 6;

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gravity {
    /// What is there cannot be right: it is not even saved.
    Malformed,
    /// Saved, but keeps the draft from being submitted.
    Unready,
    /// Unusual; shown, and nothing else.
    Warning,
}

/// One problem of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `personal.address`, `coded.school_id`.
    pub field: &'static str,
    /// How bad.
    pub gravity: Gravity,
    /// Stable, `UPPER_SNAKE`.
    pub reason: &'static str,
    /// Sentence in Chinese; never the value itself.
    pub message: Cow<'static, str>,
}

/// Every problem of a form, in the order of its fields.
pub fn check(personal: &Personal, coded: &Coded, list: &Checklist<'_>) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    problems.putonghua(personal, coded, list.codes);
    problems.schooling(personal, coded, list);
    problems.post(coded, list);
    problems.contact(personal, list.rules);
    problems.place(coded, list);
    problems.0
}

struct Problems(Vec<Problem>);

impl Problems {
    fn add(
        &mut self,
        field: &'static str,
        gravity: Gravity,
        reason: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) {
        self.0.push(Problem { field, gravity, reason, message: message.into() });
    }

    fn required(&mut self, field: &'static str) {
        self.add(field, Gravity::Unready, "REQUIRED", "此项必填。");
    }

    /// A code of a table.
    fn code(&mut self, field: &'static str, code: &str, known: bool) {
        if code.is_empty() {
            self.required(field);
        } else if !known {
            self.add(field, Gravity::Malformed, "UNKNOWN_CODE", "所选代码不在代码表中，请重新选择。");
        }
    }

    /// Free text of at most `most` characters; whether it can be kept.
    fn text(&mut self, field: &'static str, text: &str, most: usize, required: bool) -> bool {
        if text.is_empty() {
            if required {
                self.required(field);
            }
        } else if text.contains(char::is_control) || text.trim() != text {
            self.add(field, Gravity::Malformed, "NOT_PLAIN_TEXT", "不能含有控制字符，首尾不能有空格。");
            return false;
        } else if text.chars().count() > most {
            self.add(field, Gravity::Malformed, "TOO_LONG", format!("不能超过{most}个字。"));
            return false;
        }
        true
    }

    /// Free text that is published with the form: whatever could be the number of a person is refused.
    fn published_text(&mut self, field: &'static str, text: &str) {
        let longest_number = text.split(|c: char| !c.is_numeric()).map(|digits| digits.chars().count()).max();
        if self.text(field, text, 60, true) && longest_number.unwrap_or(0) >= DIGITS_OF_A_NUMBER {
            let sentence = "此项对外公开，不能出现6位及以上的数字，请只填写名称。";
            self.add(field, Gravity::Malformed, "NUMBER_IN_TEXT", sentence);
        }
    }

    /// A day that is not after today.
    fn past_date(&mut self, field: &'static str, text: &str, today: Date) -> Option<Date> {
        if text.is_empty() {
            self.required(field);
            return None;
        }
        let date = parse_date(text);
        match date {
            None => self.add(field, Gravity::Malformed, "NOT_A_DATE", "日期不正确，应写作 2026-11-23 的形式。"),
            Some(date) if date > today => self.add(field, Gravity::Malformed, "IN_THE_FUTURE", "日期不能晚于今天。"),
            Some(_) => {}
        }
        date
    }
}
