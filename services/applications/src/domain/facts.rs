//! What school and point record for the conclusion (DOMAIN 2.3b).

use std::collections::BTreeMap;

use time::Date;

/// The facts; every field may still be unknown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// 师德考核
    pub ethics: Option<Finding>,
    /// 年度考核 by year.
    pub grades: BTreeMap<i32, Grade>,
    /// 培训学时 or 学分 of the cycle.
    pub training_total: Option<f64>,
    /// … and of each year.
    pub training_years: BTreeMap<i32, f64>,
    /// 中止教学
    pub interruptions: Vec<Interruption>,
    /// 身心健康
    pub health: Option<Finding>,
    /// Other provincial conditions: name, and whether it is met.
    pub others: Vec<(String, bool)>,
    /// 试用期考核; n = 1.
    pub probation: Option<Finding>,
    /// 聘用合同, 在编在岗; n = 1.
    pub contract: Option<Finding>,
}

/// Passed or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// 合格
    Passed,
    /// 不合格
    Failed,
}

/// 年度考核等次 (L12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// 优秀
    Excellent,
    /// 合格
    Qualified,
    /// 基本合格: not covered by the text, the agency decides.
    Basic,
    /// 不合格
    Unqualified,
    /// 不定等次: a year without a grade, the agency decides.
    Undetermined,
}

/// A stop of teaching and of educational management.
#[derive(Debug, Clone, PartialEq)]
pub struct Interruption {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Semesters concerned.
    pub semesters: f64,
    /// Why.
    pub reason: LeaveReason,
    /// Whether the agency or school had approved it.
    pub approved: bool,
}

/// Reasons that Art. 9 excepts when they were approved, and all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaveReason {
    /// 进修
    Study,
    /// 培训
    Training,
    /// 学术交流
    Exchange,
    /// 病休
    Sickness,
    /// 产假
    Maternity,
    /// 其他
    Other,
}

impl LeaveReason {
    const NAMES: [(Self, &str); 6] = [
        (Self::Study, "进修"),
        (Self::Training, "培训"),
        (Self::Exchange, "学术交流"),
        (Self::Sickness, "病休"),
        (Self::Maternity, "产假"),
        (Self::Other, "其他"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(reason, _)| *reason == self).map_or("其他", |(_, name)| name)
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(reason, _)| *reason)
    }
}

impl Grade {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Excellent => "优秀",
            Self::Qualified => "合格",
            Self::Basic => "基本合格",
            Self::Unqualified => "不合格",
            Self::Undetermined => "不定等次",
        }
    }

    /// Code of the table `assessment_grade`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Excellent => "1",
            Self::Qualified => "2",
            Self::Basic => "3",
            Self::Unqualified => "4",
            Self::Undetermined => "5",
        }
    }

    /// Reads a code of the table `assessment_grade`.
    pub fn parse(code: &str) -> Option<Self> {
        [Self::Excellent, Self::Qualified, Self::Basic, Self::Unqualified, Self::Undetermined]
            .into_iter()
            .find(|grade| grade.code() == code)
    }
}
