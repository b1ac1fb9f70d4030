//! 省级规则: what a province may set differently, as a versioned set, and who may publish the next version.

use time::Date;

use crate::domain::facts::Grade;
use crate::domain::values::Level;

/// A rule set in force, or to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleSet {
    /// Two digits; `00` for the national one that holds where a province has published nothing.
    pub province: String,
    /// Rises with each publication.
    pub version: u32,
    /// Earliest next application, months after the last 注册合格 (L6b).
    pub interval_months: u32,
    /// Length of a cycle (L1).
    pub cycle_months: u32,
    /// Years barred after 撤销注册 (L17b).
    pub revocation_bar_years: u32,
    /// Table `training_unit`.
    pub training_unit: TrainingUnit,
    /// Hours or credits of a cycle (L8, L11).
    pub training_per_cycle_min: f64,
    /// … and of each year, where there is such a bound.
    pub training_per_year_min: Option<f64>,
    /// Semesters of unapproved interruption that defer (9.2).
    pub interruption_semesters: f64,
    /// Whether exactly that number counts; 以上 includes it.
    pub interruption_inclusive: bool,
    /// Yearly facts by school year instead of calendar year (L10d).
    pub school_year: bool,
    /// Levels that review; empty for all that have an agency.
    pub levels: Vec<Level>,
    /// First registrations are checked like later ones (L5b).
    pub first_registration_full_check: bool,
    /// Days until a new application after 注册不合格.
    pub reapply_after_failed_days: u32,
    /// Paths of form fields required beyond the national ones.
    pub extra_required_fields: Vec<String>,
    /// 年度考核 grades that count as 合格以上 (L8, L12); 不合格 never does.
    pub qualifying_grades: Vec<Grade>,
    /// Whose teachers register (L2, L2b).
    pub schools_in_scope: Vec<SchoolScope>,
    /// Working days from the end of the acceptance period to the conclusion (L15).
    pub review_working_days: u32,
    /// Shortest 公示, in working days; 0 where none is prescribed.
    pub publicity_working_days: u32,
    /// Days for 行政复议 (L19), told as advice.
    pub reconsideration_days: u32,
    /// Months for 行政诉讼 (L19), told as advice.
    pub litigation_months: u32,
    /// First day on which it holds; `None` for the day of its publication.
    pub effective_from: Option<Date>,
}

/// Schools that a province takes or not, as one flag each (L2b).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SchoolScope {
    /// 公办; also 其他, which is run by another department of the state.
    Public,
    /// 民办
    Private,
    /// 教研机构
    ResearchOffice,
    /// 校外教育机构
    AfterSchool,
}

/// What a school is, as far as the scope asks: from its kind in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchoolKind {
    /// 幼儿园, 中小学, 中等职业学校, 特殊教育学校.
    School,
    /// 教研机构
    ResearchOffice,
    /// 校外教育机构
    AfterSchool,
}

impl SchoolScope {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Public, Self::Private, Self::ResearchOffice, Self::AfterSchool];

    /// Where a school belongs: `nature` is a code of the table `school_nature_ours`.
    pub fn of(kind: SchoolKind, nature: &str) -> Self {
        match kind {
            SchoolKind::ResearchOffice => Self::ResearchOffice,
            SchoolKind::AfterSchool => Self::AfterSchool,
            SchoolKind::School if nature == "2" => Self::Private,
            SchoolKind::School => Self::Public,
        }
    }

    /// The word in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "公办学校",
            Self::Private => "民办学校",
            Self::ResearchOffice => "教研机构",
            Self::AfterSchool => "校外教育机构",
        }
    }
}

impl SchoolKind {
    /// Reads a code of the table `employing_school_kind_ours`.
    pub fn of(code: &str) -> Self {
        match code {
            "39" => Self::ResearchOffice,
            "40" => Self::AfterSchool,
            _ => Self::School,
        }
    }
}

/// 培训学时 or 学分.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainingUnit {
    /// 学时
    Hours,
    /// 学分
    Credits,
}

impl TrainingUnit {
    /// The word in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hours => "学时",
            Self::Credits => "学分",
        }
    }
}

/// Names a version of a rule set in what was decided by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// Two digits.
    pub province: String,
    /// Version.
    pub version: u32,
}

impl RuleSet {
    /// Its name in decisions.
    pub fn reference(&self) -> RuleRef {
        RuleRef { province: self.province.clone(), version: self.version }
    }
}
