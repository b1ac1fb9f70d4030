//! 省级规则: what a province may set differently, as a versioned set, and who may publish the next version.

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
