//! 注销: whether a person may be forgotten now, has to wait for the end of an archive duty, or must settle something first.

use time::Date;
use uuid::Uuid;

use super::account::{Event, Registered, Rejection};

/// What there is of a person that has to be finished or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Applications that are neither withdrawn nor concluded.
    pub open_applications: u32,
    /// The newest conclusion, where there is one.
    pub concluded: Option<Date>,
    /// How many years the papers of a conclusion are kept.
    pub archive_years: u16,
    /// Today in Shanghai.
    pub today: Date,
}

impl Standing {
    /// First day on which nothing has to be kept any more; `None` where that day has come, or nothing ever was.
    pub fn archive_end(&self) -> Option<Date> {
        let end = years_after(self.concluded?, self.archive_years);
        (self.today < end).then_some(end)
    }
}

/// The person asks to be forgotten.
pub fn erase(account: &Registered, erasure_id: Uuid, standing: &Standing) -> Result<Vec<Event>, Rejection> {
    if !account.grants.is_empty() {
        return Err(Rejection::RolesHeld);
    }
    if standing.open_applications > 0 {
        return Err(Rejection::ApplicationOpen);
    }
    match (standing.archive_end(), account.restricted) {
        (Some(_), true) => Ok(Vec::new()),
        (Some(_), false) => Ok(vec![Event::Restricted]),
        (None, _) => Ok(vec![Event::Erased { erasure_id }]),
    }
}

/// The same day so many years later; 1 March where that year has no 29 February.
fn years_after(date: Date, years: u16) -> Date {
    let year = date.year().saturating_add(i32::from(years));
    let same = Date::from_calendar_date(year, date.month(), date.day());
    same.or_else(|_| Date::from_calendar_date(year, time::Month::March, 1)).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use decider::testing::given;
    use time::macros::date;

    use super::super::account::{Account, Command};
    use super::super::document::DocumentType;
    use super::super::role::{Division, Grant, Role, Scope};
    use super::*;

    const ERASURE: Uuid = Uuid::from_u128(9);

    fn registered() -> Event {
        Event::Registered {
            document_type: DocumentType::ResidentId,
            number_hash: [7; 32],
            password_hash: "$argon2id$x".to_owned(),
            document_table: 1,
        }
    }

    fn nothing() -> Standing {
        Standing { open_applications: 0, concluded: None, archive_years: 6, today: date!(2026 - 11 - 25) }
    }

    fn erase_with(standing: Standing) -> Command {
        Command::Erase { erasure_id: ERASURE, standing }
    }

    fn erased() -> Event {
        Event::Erased { erasure_id: ERASURE }
    }

    #[test]
    fn who_has_nothing_to_be_kept_is_forgotten() {
        given::<Account>([registered()]).when(erase_with(nothing())).then([erased()]);
        given::<Account>([registered(), Event::ProfileCompleted]).when(erase_with(nothing())).then([erased()]);
    }

    #[test]
    fn nobody_is_forgotten_in_the_middle_of_an_application() {
        let open = Standing { open_applications: 1, ..nothing() };
        given::<Account>([registered()]).when(erase_with(open)).then_refused(&Rejection::ApplicationOpen);
        given::<Account>([registered(), Event::Restricted])
            .when(erase_with(open))
            .then_refused(&Rejection::ApplicationOpen);
    }

    #[test]
    fn an_archive_duty_restricts_the_account_until_its_end() {
        let kept = Standing { concluded: Some(date!(2020 - 11 - 26)), ..nothing() };
        assert_eq!(kept.archive_end(), Some(date!(2026 - 11 - 26)));
        given::<Account>([registered()]).when(erase_with(kept)).then([Event::Restricted]);
        given::<Account>([registered(), Event::Restricted]).when(erase_with(kept)).then_nothing();

        let over = Standing { today: date!(2026 - 11 - 26), ..kept };
        assert_eq!(over.archive_end(), None);
        given::<Account>([registered(), Event::Restricted]).when(erase_with(over)).then([erased()]);
    }

    #[test]
    fn a_year_without_29_february_ends_a_duty_on_1_march() {
        let kept = Standing { concluded: Some(date!(2024 - 02 - 29)), archive_years: 5, ..nothing() };
        assert_eq!(kept.archive_end(), Some(date!(2029 - 03 - 01)));
    }

    #[test]
    fn staff_give_their_roles_back_first() {
        let scope = Scope { division: Division::parse("320000").unwrap(), unit: None };
        let held = Event::RoleGranted(Grant { id: Uuid::from_u128(1), role: Role::Helpdesk, scope });
        given::<Account>([registered(), held.clone()]).when(erase_with(nothing())).then_refused(&Rejection::RolesHeld);
        given::<Account>([registered(), held, Event::RoleRevoked { grant_id: Uuid::from_u128(1) }])
            .when(erase_with(nothing()))
            .then([erased()]);
    }

    #[test]
    fn a_restricted_account_gets_no_role_and_can_be_had_back() {
        let scope = Scope { division: Division::parse("320000").unwrap(), unit: None };
        let grant = Grant { id: Uuid::from_u128(1), role: Role::Helpdesk, scope };
        let granting = Command::GrantRole { grant, by: super::super::account::Authority::Bootstrap };
        given::<Account>([registered(), Event::Restricted]).when(granting.clone()).then_refused(&Rejection::Restricted);
        given::<Account>([registered(), Event::Restricted]).when(Command::Reinstate).then([Event::Reinstated]);
        given::<Account>([registered(), Event::Restricted, Event::Reinstated])
            .when(granting)
            .then([Event::RoleGranted(grant)]);
        given::<Account>([registered()]).when(Command::Reinstate).then_refused(&Rejection::NotRestricted);
    }

    #[test]
    fn who_is_forgotten_stays_so() {
        given::<Account>([registered(), erased()]).when(erase_with(nothing())).then_nothing();
        // In a log that has lost what came before.
        given::<Account>([erased()]).when(erase_with(nothing())).then_nothing();
        for command in [Command::CompleteProfile, Command::Reinstate] {
            given::<Account>([registered(), erased()]).when(command).then_refused(&Rejection::UnknownPerson);
        }
        given::<Account>([]).when(erase_with(nothing())).then_refused(&Rejection::UnknownPerson);
        assert!(Account::Erased(ERASURE).registered().is_none());
    }
}
