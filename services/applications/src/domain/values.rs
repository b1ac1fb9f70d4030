//! Words of the field that more than one rule speaks of.

/// 现任教学段 (DOMAIN 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// 幼儿园
    Kindergarten,
    /// 小学
    Primary,
    /// 初级中学
    Junior,
    /// 高级中学
    Senior,
    /// 中等职业学校
    Vocational,
}

impl Stage {
    /// All of them, in the order of the code table.
    pub const ALL: [Self; 5] = [Self::Kindergarten, Self::Primary, Self::Junior, Self::Senior, Self::Vocational];

    /// The name that applicants read, and the key of the subject table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Kindergarten => "幼儿园",
            Self::Primary => "小学",
            Self::Junior => "初级中学",
            Self::Senior => "高级中学",
            Self::Vocational => "中等职业学校",
        }
    }
}

/// 资格种类: the 10th digit of a certificate number of 17 digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CertificateKind {
    /// 幼儿园教师资格
    Kindergarten,
    /// 小学教师资格
    Primary,
    /// 初级中学教师资格
    Junior,
    /// 高级中学教师资格
    Senior,
    /// 中等职业学校教师资格
    Vocational,
    /// 中等职业学校实习指导教师资格
    VocationalPractice,
    /// 高等学校教师资格: never registered.
    Higher,
}

impl CertificateKind {
    /// Whether the kind is the one of this stage. A certificate of another kind may do all the same: that is for the
    /// agency to decide, since no source with a full table could be read.
    pub fn is_of(self, stage: Stage) -> bool {
        match self {
            Self::Kindergarten => stage == Stage::Kindergarten,
            Self::Primary => stage == Stage::Primary,
            Self::Junior => stage == Stage::Junior,
            Self::Senior => stage == Stage::Senior,
            Self::Vocational | Self::VocationalPractice => stage == Stage::Vocational,
            Self::Higher => false,
        }
    }
}

/// 注册结论.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Conclusion {
    /// 注册合格
    Qualified,
    /// 暂缓注册
    Deferred,
    /// 注册不合格
    Failed,
    /// 撤销注册: a 注册合格 that was taken back for fraud.
    Revoked,
}

impl Conclusion {
    /// As it stands on paper.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qualified => "注册合格",
            Self::Deferred => "暂缓注册",
            Self::Failed => "注册不合格",
            Self::Revoked => "撤销注册",
        }
    }
}

/// A level of review, from the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 县级
    County,
    /// 市级
    City,
    /// 省级
    Province,
}

/// 审批状态 as the public sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// 网报待确认
    Pending,
    /// 已确认
    Confirmed,
    /// 已有注册结论
    Concluded,
    /// 已撤回
    Withdrawn,
}

impl Status {
    /// The name that applicants read.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "网报待确认",
            Self::Confirmed => "已确认",
            Self::Concluded => "已有注册结论",
            Self::Withdrawn => "已撤回",
        }
    }
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Turn {
    /// The applicant must mend something.
    Applicant,
    /// The school owes the facts of DOMAIN 2.3b.
    School,
    /// The confirmation point.
    Point,
    /// The agency of a level.
    Review(Level),
    /// Nothing is waited for.
    Nobody,
}

impl Turn {
    /// Whose turn it is in a status: `reviewing` at this level, `mending` while the applicant has something to mend,
    /// `facts` once the facts of DOMAIN 2.3b are recorded.
    pub fn of(status: Status, reviewing: Option<Level>, mending: bool, facts: bool) -> Self {
        match (status, reviewing) {
            (Status::Pending, _) if mending => Self::Applicant,
            (Status::Pending, _) if !facts => Self::School,
            (Status::Pending, _) => Self::Point,
            (Status::Confirmed, Some(level)) => Self::Review(level),
            (Status::Confirmed, None) | (Status::Concluded | Status::Withdrawn, _) => Self::Nobody,
        }
    }
}

/// Why a certificate cannot be registered (DOMAIN L21, 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Restriction {
    /// 未说明
    Unspecified,
    /// 丧失, for life.
    Forfeited,
    /// 撤销, 品行不良.
    RevokedConduct,
    /// 撤销, 弄虚作假.
    RevokedFraud,
    /// 考试作弊
    ExamCheating,
    /// 证书数据存在异常: sources contradict each other about it, until an officer settles which is right.
    RecordsDisagree,
}

impl Restriction {
    /// The old system's sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Forfeited => "该教师资格已被依法注销",
            Self::RevokedConduct | Self::RevokedFraud => "该教师资格已被依法撤销",
            Self::ExamCheating => "您的教师资格无效",
            Self::Unspecified => "该证书受到限制，不允许注册",
            Self::RecordsDisagree => "证书数据存在异常",
        }
    }
}
