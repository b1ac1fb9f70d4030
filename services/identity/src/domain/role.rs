//! Roles of staff, where they hold, and which exclude each other (三权分立).

use std::fmt;

use uuid::Uuid;

/// What a member of staff does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// 学校老师
    Liaison,
    /// 确认点工作人员
    Clerk,
    /// 注册机构审核人员
    Reviewer,
    /// Plans and windows of an agency.
    ScheduleOfficer,
    /// Rule sets of a province.
    RuleOfficer,
    /// Helps people with their accounts.
    Helpdesk,
    /// 系统管理
    Operator,
    /// 安全管理
    SecurityAdmin,
    /// 审计管理
    Auditor,
    /// Registers of certificates of a province.
    RegisterOfficer,
}

/// Six digits of GB/T 2260; 000000 is the nation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Division([u8; 6]);

/// Where a role holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Of the unit, of the province, or the nation.
    pub division: Division,
    /// School, point or agency, for the roles that belong to one.
    pub unit: Option<Uuid>,
}

/// A role that a person holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Random id.
    pub id: Uuid,
    /// The role.
    pub role: Role,
    /// Where it holds.
    pub scope: Scope,
}

/// How wide a role reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// One school, point or agency.
    Unit,
    /// One province.
    Province,
    /// One province, or all.
    ProvinceOrNation,
}

/// Why a role cannot hold in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeFlaw {
    /// The role belongs to a unit, and none is named.
    #[error("the role needs a unit")]
    UnitMissing,
    /// The role belongs to a province, and a unit is named.
    #[error("the role has no unit")]
    UnitNotExpected,
    /// The role belongs to a province, and the division is another level.
    #[error("the role needs a province")]
    ProvinceExpected,
    /// The nation, where only administrators and the helpdesk reach so far.
    #[error("the role does not reach the nation")]
    NationNotExpected,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 10] = [
        Self::Liaison,
        Self::Clerk,
        Self::Reviewer,
        Self::ScheduleOfficer,
        Self::RuleOfficer,
        Self::Helpdesk,
        Self::Operator,
        Self::SecurityAdmin,
        Self::Auditor,
        Self::RegisterOfficer,
    ];

    /// Whether nobody may hold both: running, granting and auditing are three persons' work.
    pub fn excludes(self, other: Self) -> bool {
        let apart = |role| matches!(role, Self::Operator | Self::SecurityAdmin | Self::Auditor);
        self != other && apart(self) && apart(other)
    }

    /// Whether the role can hold there.
    pub fn fits(self, scope: Scope) -> Result<(), ScopeFlaw> {
        let nation = scope.division == Division::NATION;
        match (self.reach(), scope.unit) {
            (Reach::Unit, None) => Err(ScopeFlaw::UnitMissing),
            (Reach::Province | Reach::ProvinceOrNation, Some(_)) => Err(ScopeFlaw::UnitNotExpected),
            (Reach::Unit | Reach::Province, _) if nation => Err(ScopeFlaw::NationNotExpected),
            (Reach::Province | Reach::ProvinceOrNation, None) if !nation && !scope.division.is_province() => {
                Err(ScopeFlaw::ProvinceExpected)
            }
            (Reach::Unit | Reach::Province | Reach::ProvinceOrNation, _) => Ok(()),
        }
    }

    fn reach(self) -> Reach {
        match self {
            Self::Liaison | Self::Clerk | Self::Reviewer | Self::ScheduleOfficer => Reach::Unit,
            Self::RuleOfficer | Self::RegisterOfficer => Reach::Province,
            Self::Helpdesk | Self::Operator | Self::SecurityAdmin | Self::Auditor => Reach::ProvinceOrNation,
        }
    }
}

impl Division {
    /// All of it.
    pub const NATION: Self = Self(*b"000000");

    /// Reads exactly six digits, the lower levels filled with 00: never 320002.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: [u8; 6] = text.as_bytes().try_into().ok()?;
        let division = Self(digits);
        let below_nothing = division.0[division.significant()..].iter().all(|digit| *digit == b'0');
        (digits.iter().all(u8::is_ascii_digit) && below_nothing).then_some(division)
    }

    /// All six digits.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a division holds ASCII digits only")
    }

    /// The digits that all divisions below it share: `32` for 320000, nothing for the nation.
    pub fn prefix(&self) -> &str {
        &self.as_str()[..self.significant()]
    }

    /// Whether it is the other one, or the other one lies below it.
    pub fn covers(self, other: Self) -> bool {
        other.as_str().starts_with(self.prefix())
    }

    /// The province that it lies in: 320000 for 320302, the nation for the nation.
    #[must_use]
    pub fn province(self) -> Self {
        let [first, second, ..] = self.0;
        Self([first, second, b'0', b'0', b'0', b'0'])
    }

    fn is_province(self) -> bool {
        self.significant() == 2
    }

    /// Digits before the first pair of zeros.
    fn significant(self) -> usize {
        self.0.chunks(2).take_while(|pair| *pair != b"00").count() * 2
    }
}

impl fmt::Debug for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Division({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scope(division: &str, unit: Option<u128>) -> Scope {
        Scope { division: Division::parse(division).unwrap(), unit: unit.map(Uuid::from_u128) }
    }

    #[test]
    fn running_granting_and_auditing_exclude_each_other_and_nothing_else_does() {
        let apart = [Role::Operator, Role::SecurityAdmin, Role::Auditor];
        for one in Role::ALL {
            for other in Role::ALL {
                let expected = one != other && apart.contains(&one) && apart.contains(&other);
                assert_eq!(one.excludes(other), expected, "{one:?} {other:?}");
            }
        }
    }

    #[test]
    fn a_role_of_a_unit_needs_the_unit() {
        for role in [Role::Liaison, Role::Clerk, Role::Reviewer, Role::ScheduleOfficer] {
            assert_eq!(role.fits(scope("320302", Some(1))), Ok(()));
            assert_eq!(role.fits(scope("320302", None)), Err(ScopeFlaw::UnitMissing));
            assert_eq!(role.fits(scope("000000", Some(1))), Err(ScopeFlaw::NationNotExpected));
        }
    }

    #[test]
    fn a_role_of_a_province_holds_in_one() {
        for role in [Role::RuleOfficer, Role::RegisterOfficer] {
            assert_eq!(role.fits(scope("320000", None)), Ok(()));
            assert_eq!(role.fits(scope("320300", None)), Err(ScopeFlaw::ProvinceExpected));
            assert_eq!(role.fits(scope("000000", None)), Err(ScopeFlaw::NationNotExpected));
            assert_eq!(role.fits(scope("320000", Some(1))), Err(ScopeFlaw::UnitNotExpected));
        }
    }

    #[test]
    fn only_administrators_and_the_helpdesk_reach_the_nation() {
        for role in [Role::Helpdesk, Role::Operator, Role::SecurityAdmin, Role::Auditor] {
            assert_eq!(role.fits(scope("000000", None)), Ok(()));
            assert_eq!(role.fits(scope("320000", None)), Ok(()));
            assert_eq!(role.fits(scope("320302", None)), Err(ScopeFlaw::ProvinceExpected));
        }
    }

    #[test]
    fn divisions_are_six_digits_without_holes() {
        for text in ["320000", "320300", "320302", "000000"] {
            assert_eq!(Division::parse(text).unwrap().as_str(), text);
        }
        assert_eq!(Division::parse("320302").unwrap().province().as_str(), "320000");
        assert_eq!(Division::NATION.province(), Division::NATION);
        for text in ["", "32", "32030", "3203022", "32030x", "320002", "000302", "００００００"] {
            assert_eq!(Division::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn covering_is_an_order(a in "[0-9]{6}", b in "[0-9]{6}", c in "[0-9]{6}") {
            let parsed = [a, b, c].map(|text| Division::parse(&text));
            if let [Some(a), Some(b), Some(c)] = parsed {
                prop_assert!(a.covers(a) && Division::NATION.covers(a));
                prop_assert!(!(a.covers(b) && b.covers(c)) || a.covers(c));
                prop_assert!(!(a.covers(b) && b.covers(a)) || a == b);
            }
        }
    }
}
