//! The rules of each field of the form and between fields, row by row of DOMAIN 4.1 (numbers in the comments).

use crate::domain::form::{Checklist, Coded, Gravity, Personal, Problems};
use crate::domain::rules::{RuleSet, SchoolScope};
use crate::domain::values::Stage;

/// 无 in the tables.
const NO_PUTONGHUA: &str = "0";
const NONE: &str = "无";
/// Of an early certificate.
const LONGEST_PUTONGHUA_NUMBER: usize = 20;
/// Characters of the longest name that a province can give a subject.
const LONGEST_SUBJECT: usize = 30;

impl Problems {
    /// #8: level and number of the certificate (DOMAIN 4.6).
    pub(super) fn putonghua(&mut self, personal: &Personal, coded: &Coded, codes: &crate::domain::codes::CodeTables) {
        let level = coded.putonghua_level.as_str();
        self.code("coded.putonghua_level", level, codes.has("putonghua_jyt1001", level));
        let field = "personal.putonghua_number";
        let number = personal.putonghua_number.as_str();
        if level == NO_PUTONGHUA {
            if self.text(field, number, LONGEST_PUTONGHUA_NUMBER, false) && !number.is_empty() {
                self.add(field, Gravity::Unready, "NOT_EXPECTED", "普通话等级为“无”时不填证书编号。");
            }
            return;
        }
        let standard = number.len() == 13 && number.bytes().all(|byte| byte.is_ascii_digit());
        let accepted = (4..=LONGEST_PUTONGHUA_NUMBER).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if number.is_empty() {
            if !level.is_empty() {
                self.required(field);
            }
        } else if !standard && accepted {
            self.add(field, Gravity::Warning, "NOT_STANDARD", "普通话证书编号不是13位数字，请与证书核对。");
        } else if !accepted {
            let sentence = "普通话证书编号应为13位数字，早期证书为4至20位字母、数字或短横线。";
            self.add(field, Gravity::Malformed, "NOT_A_NUMBER", sentence);
        }
    }

    /// #9 to #15: highest education.
    pub(super) fn schooling(&mut self, personal: &Personal, coded: &Coded, list: &Checklist<'_>) {
        let codes = list.codes;
        self.code("coded.education", &coded.education, codes.has("education_gbt4658", &coded.education));
        self.code("coded.degree", &coded.degree, codes.has("degree_gbt6864", &coded.degree));
        let category = coded.major_category.as_str();
        self.code("coded.major_category", category, codes.has("major_category_ours", category));
        self.published_text("coded.major", &coded.major);
        // #12: codes 60 to 90 are 高中毕业及以下.
        let below_college = matches!(coded.education.as_bytes().first(), Some(b'6'..=b'9'));
        if below_college && !coded.major.is_empty() && coded.major != NONE {
            let sentence = "最高学历为高中毕业及以下的，所学专业只能为“无”。";
            self.add("coded.major", Gravity::Unready, "MUST_BE_NONE", sentence);
        } else if !below_college && !coded.education.is_empty() && coded.major == NONE {
            self.add("coded.major", Gravity::Unready, "MUST_NOT_BE_NONE", "请填写最高学历所学专业。");
        }
        self.published_text("coded.graduate_school", &coded.graduate_school);
        self.past_date("personal.graduation_date", &personal.graduation_date, list.today);
        self.code("coded.study_form", &coded.study_form, codes.has("study_form_ours", &coded.study_form));
    }

    /// #16 to #23: school and post.
    pub(super) fn post(&mut self, coded: &Coded, list: &Checklist<'_>) {
        let codes = list.codes;
        let nature = coded.school_nature.as_str();
        match (coded.school, list.school) {
            (None, _) => self.required("coded.school_id"),
            (Some(_), None) => {
                let sentence = "现任教学校不在学校名录中，请重新选择；未列入名录的，请联系县级注册机构。";
                self.add("coded.school_id", Gravity::Unready, "UNKNOWN_SCHOOL", sentence);
            }
            (Some(_), Some(kind)) => self.scope(SchoolScope::of(kind, nature), coded, list),
        }
        self.code("coded.school_nature", nature, codes.has("school_nature_ours", nature));
        let location = coded.school_location.as_str();
        self.code("coded.school_location", location, codes.has("school_location_ours", location));
        let begun = self.past_date("coded.work_start_date", &coded.work_start_date, list.today);
        let employed = self.past_date("coded.employment_date", &coded.employment_date, list.today);
        if begun.zip(employed).is_some_and(|(begun, employed)| employed < begun) {
            let sentence = "“现任教学校聘用起始日期”不能在“开始参加工作时间”之前。";
            self.add("coded.employment_date", Gravity::Unready, "BEFORE_WORK_START", sentence);
        }
        let title = coded.title.as_str();
        self.code(
            "coded.title",
            title,
            codes.has("title_gbt8561_teachers", title) || codes.has("title_2015_ours", title),
        );
        let post = coded.post_nature.as_str();
        self.code("coded.post_nature", post, codes.has("post_nature_ours", post));
        let political = coded.political_status.as_str();
        self.code("coded.political_status", political, codes.has("political_gbt4762", political));
    }

    /// #16 and #17 against the province's scope (L2b); the nature must be known before it can be judged.
    fn scope(&mut self, scope: SchoolScope, coded: &Coded, list: &Checklist<'_>) {
        let is_as_filed = list
            .filed
            .is_some_and(|filed| (filed.school, &filed.school_nature) == (coded.school, &coded.school_nature));
        let judged = scope != SchoolScope::Public || !coded.school_nature.is_empty();
        if judged && !is_as_filed && !list.rules.schools_in_scope.contains(&scope) {
            let sentence =
                format!("按所选注册机构所在省的规定，{}的教师不参加定期注册，请与该机构联系。", scope.name());
            self.add("coded.school_id", Gravity::Unready, "SCHOOL_OUT_OF_SCOPE", sentence);
        }
    }

    /// #24 to #30: where the person lives and can be reached.
    pub(super) fn contact(&mut self, personal: &Personal, rules: &RuleSet) {
        let asked = |field: &str| rules.extra_required_fields.iter().any(|path| path == field);
        self.text("personal.birth_place", &personal.birth_place, 60, asked("personal.birth_place"));
        let household = personal.household_place.as_str();
        self.text("personal.household_place", household, 60, true);
        if !household.is_empty() && !down_to_the_district(household) {
            let sentence = "户籍所在地应与户口簿一致，填写到区（县），如：某某市某某区。";
            self.add("personal.household_place", Gravity::Unready, "NOT_TO_THE_DISTRICT", sentence);
        }
        self.text("personal.address", &personal.address, 100, true);
        self.digits("personal.postcode", &personal.postcode, 6, "邮政编码应为6位数字。");
        let phone = personal.telephone.as_str();
        if phone.is_empty() {
            if asked("personal.telephone") {
                self.required("personal.telephone");
            }
        } else if phone.len() > 20 || !phone.bytes().all(|byte| byte.is_ascii_digit() || b"-+() ".contains(&byte)) {
            self.add(
                "personal.telephone",
                Gravity::Malformed,
                "NOT_A_PHONE",
                "联系电话只能是数字和短横线，不超过20位。",
            );
        }
        self.digits("personal.mobile", &personal.mobile, 11, "手机号码应为11位数字。");
        let email = personal.email.as_str();
        if email.is_empty() {
            self.required("personal.email");
        } else if email.len() > 100 || !is_email(email) {
            self.add("personal.email", Gravity::Malformed, "NOT_AN_EMAIL", "电子邮件地址不正确。");
        }
    }

    /// #31 to #33: agency, point, stage and subject.
    pub(super) fn place(&mut self, coded: &Coded, list: &Checklist<'_>) {
        match coded.stage {
            None => self.required("coded.stage"),
            Some(stage) if !list.certificate_kind.is_of(stage) => {
                let sentence = "证书的资格种类与现任教学段不一致；有多本证书的，应选择与现任教学段、学科一致的证书。";
                self.add("coded.stage", Gravity::Warning, "KIND_DIFFERS", sentence);
            }
            Some(_) => {}
        }
        let subject = coded.subject.as_str();
        let can_be_kept = self.text("coded.subject", subject, LONGEST_SUBJECT, true);
        match coded.stage {
            _ if subject.is_empty() || !can_be_kept => {}
            None => self.add("coded.subject", Gravity::Unready, "STAGE_FIRST", "请先选择现任教学段。"),
            Some(stage) if !offers(list, coded, stage, subject) => {
                let sentence = format!("{}没有这一学科，请重新选择。", stage.name());
                self.add("coded.subject", Gravity::Unready, "NOT_OF_THE_STAGE", sentence);
            }
            Some(_) => {}
        }
        match coded.agency.map(|agency| list.directory.agencies.get(&agency)) {
            None => self.required("coded.agency_id"),
            Some(None) => {
                self.add("coded.agency_id", Gravity::Unready, "UNKNOWN_AGENCY", "没有这一注册机构，请重新选择。");
            }
            Some(Some(agency)) => {
                if let Some(on) = agency.ended_by(list.today) {
                    let (name, month) = (agency.name_on(on), u8::from(on.month()));
                    let on = format!("{}年{month}月{}日", on.year(), on.day());
                    let sentence = format!("{name}已于{on}撤销，请改选承接其职责的注册机构。");
                    self.add("coded.agency_id", Gravity::Unready, "AGENCY_ABOLISHED", sentence);
                }
            }
        }
        match coded.point.map(|point| list.directory.points.get(&point)) {
            None => self.required("coded.point_id"),
            Some(Some(point)) if point.closed => {
                self.add("coded.point_id", Gravity::Unready, "POINT_ABOLISHED", "该确认点已经撤销，请改选其他确认点。");
            }
            Some(Some(point)) if Some(point.agency) == coded.agency => {}
            Some(_) => {
                let sentence = "确认点不属于所选注册机构，请重新选择。";
                self.add("coded.point_id", Gravity::Unready, "NOT_OF_THE_AGENCY", sentence);
            }
        }
    }

    fn digits(&mut self, field: &'static str, text: &str, count: usize, sentence: &'static str) {
        if text.is_empty() {
            self.required(field);
        } else if text.len() != count || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            self.add(field, Gravity::Malformed, "NOT_DIGITS", sentence);
        }
    }
}

/// Whether the subject of the form can be chosen: as the province of its agency says, else by the table; and what was filed stays.
fn offers(list: &Checklist<'_>, coded: &Coded, stage: Stage, subject: &str) -> bool {
    let is_as_filed = list.filed.is_some_and(|filed| filed.stage == Some(stage) && filed.subject == subject);
    let said = || coded.agency.and_then(|agency| list.directory.subject(agency, stage, subject));
    is_as_filed || said().unwrap_or_else(|| list.codes.has_subject(stage, subject))
}

/// "填写到区": a place that holds districts, and after it a district, county, banner or county-level city.
fn down_to_the_district(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let holds_districts = |at: usize| match chars[at] {
        '省' | '市' | '盟' => true,
        // 恩施州, but not the 州 of 徐州市.
        '州' => chars.get(at + 1).is_some_and(|next| *next != '市'),
        '区' => chars[..at].ends_with(&['地']) || chars[..at].ends_with(&['自', '治']),
        _ => false,
    };
    let above = (0..chars.len()).find(|at| holds_districts(*at));
    above.is_some_and(|at| chars[at + 1..].iter().any(|c| ['区', '县', '旗', '市'].contains(c)))
}

/// `^.+@.+\..+$`, on one line.
fn is_email(text: &str) -> bool {
    let plain = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let after_at = text.char_indices().filter(|(at, c)| *c == '@' && *at > 0).map(|(at, _)| &text[at + 1..]);
    plain && after_at.into_iter().any(|domain| domain.rfind('.').is_some_and(|dot| dot > 0 && dot + 1 < domain.len()))
}
