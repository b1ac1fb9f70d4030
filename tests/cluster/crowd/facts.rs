//! Facts of DOMAIN 2.3b in the mixtures that lead to each proposal, and which proposal that is (DOMAIN L8 to L10c).

use proto::applications::v1 as wire;
use proto::applications::v1::Finding;
use proto::certificates::v1::RestrictionKind;
use proto::types::v1::Conclusion;

/// Facts that are all good but for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    Good,
    /// Health is unknown.
    Incomplete,
    FewHours,
    OneBadYear,
    TwoBadYears,
    BasicYear,
    Interrupted,
    EthicsFailed,
    HealthFailed,
    ProbationFailed,
}

impl Profile {
    pub const ALL: [Self; 10] = [
        Self::Good,
        Self::Incomplete,
        Self::FewHours,
        Self::OneBadYear,
        Self::TwoBadYears,
        Self::BasicYear,
        Self::Interrupted,
        Self::EthicsFailed,
        Self::HealthFailed,
        Self::ProbationFailed,
    ];

    /// As they are recorded; `inside` is a year such that it and the next one lie wholly inside the cycle.
    pub fn facts(self, inside: i32) -> wire::Facts {
        let finding = |fails: bool| if fails { Finding::Failed } else { Finding::Passed }.into();
        let grade = |year: i32| match self {
            Self::OneBadYear if year == inside => "4",
            Self::TwoBadYears if year == inside || year == inside + 1 => "4",
            Self::BasicYear if year == inside => "3",
            _ if year % 3 == 0 => "1",
            _ => "2",
        };
        let grade = |year| wire::YearGrade { year, grade: grade(year).to_owned() };
        let interruption = wire::Interruption {
            from_date: format!("{inside}-02-15"),
            to_date: format!("{inside}-07-01"),
            semesters: 1.0,
            reason: "其他".to_owned(),
            approved: false,
        };
        wire::Facts {
            ethics: finding(self == Self::EthicsFailed),
            year_grades: (inside - 6..=inside + 10).map(grade).collect(),
            training_total: Some(if self == Self::FewHours { 359.5 } else { 360.0 }),
            interruptions: if self == Self::Interrupted { vec![interruption] } else { Vec::new() },
            health: match self {
                Self::Incomplete => Finding::Unspecified.into(),
                _ => finding(self == Self::HealthFailed),
            },
            probation: finding(self == Self::ProbationFailed),
            contract: finding(false),
            ..Default::default()
        }
    }
}

/// What the rules compute; `None` where they leave it to the agency. The hardest wins: 不合格 > 暂缓 > needs decision > 合格.
pub fn proposal(
    profile: Option<Profile>,
    first: bool,
    kind_fits: bool,
    restriction: Option<RestrictionKind>,
) -> Option<Conclusion> {
    use RestrictionKind::{ExamCheating, Forfeited, RevokedConduct, RevokedFraud, Unspecified};
    let lost = matches!(restriction, Some(Forfeited | RevokedConduct | RevokedFraud));
    match profile {
        _ if lost => Some(Conclusion::Failed),
        Some(Profile::EthicsFailed) => Some(Conclusion::Failed),
        Some(Profile::TwoBadYears) if !first => Some(Conclusion::Failed),
        Some(Profile::FewHours | Profile::OneBadYear | Profile::Interrupted) if !first => Some(Conclusion::Deferred),
        _ if matches!(restriction, Some(ExamCheating | Unspecified)) => None,
        None | Some(Profile::Incomplete | Profile::HealthFailed) => None,
        Some(Profile::BasicYear) if !first => None,
        Some(Profile::ProbationFailed) if first => None,
        _ if first && !kind_fits => None,
        Some(_) => Some(Conclusion::Qualified),
    }
}
