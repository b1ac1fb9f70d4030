//! 单位: the schools, points and agencies that roles belong to, as scheduling names them.

use super::account::Rejection;
use super::role::{Division, Role, Scope};

/// What a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 学校
    School,
    /// 确认点
    Point,
    /// 注册机构
    Agency,
}

/// A unit of the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What it is.
    pub kind: Kind,
    /// Where it lies.
    pub division: Division,
}

impl Kind {
    /// The units to which a role belongs; `None` for roles of a province.
    pub fn of(role: Role) -> Option<Self> {
        match role {
            Role::Liaison => Some(Self::School),
            Role::Clerk => Some(Self::Point),
            Role::Reviewer | Role::ScheduleOfficer => Some(Self::Agency),
            Role::RuleOfficer
            | Role::Helpdesk
            | Role::Operator
            | Role::SecurityAdmin
            | Role::Auditor
            | Role::RegisterOfficer => None,
        }
    }
}

/// Whether a role can hold for a unit: one of its kind, in the very division that the scope names. Otherwise an administrator could
/// name an own division and the unit of another one.
pub fn admits(unit: Option<Unit>, role: Role, scope: Scope) -> Result<(), Rejection> {
    match unit {
        Some(unit) if Some(unit.kind) != Kind::of(role) => Err(Rejection::UnknownUnit),
        Some(unit) if unit.division != scope.division => Err(Rejection::UnitElsewhere),
        Some(_) => Ok(()),
        None => Err(Rejection::UnknownUnit),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_role_holds_for_a_unit_of_its_kind_in_its_division() {
        let division = |text: &str| Division::parse(text).unwrap();
        let scope = |text: &str| Scope { division: division(text), unit: Some(Uuid::from_u128(1)) };
        let unit = |kind| Some(Unit { kind, division: division("320302") });
        for (role, kind) in [
            (Role::Liaison, Kind::School),
            (Role::Clerk, Kind::Point),
            (Role::Reviewer, Kind::Agency),
            (Role::ScheduleOfficer, Kind::Agency),
        ] {
            assert_eq!(admits(unit(kind), role, scope("320302")), Ok(()));
            for elsewhere in ["320303", "320300", "330102"] {
                assert_eq!(admits(unit(kind), role, scope(elsewhere)), Err(Rejection::UnitElsewhere));
            }
            assert_eq!(admits(None, role, scope("320302")), Err(Rejection::UnknownUnit));
        }
        assert_eq!(admits(unit(Kind::School), Role::Clerk, scope("320302")), Err(Rejection::UnknownUnit));
        assert_eq!(admits(unit(Kind::Agency), Role::Liaison, scope("320302")), Err(Rejection::UnknownUnit));
    }
}
