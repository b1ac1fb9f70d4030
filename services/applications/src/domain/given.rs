//! What a row of a school's file says of the facts (DOMAIN 2.3b); where it says nothing, what was recorded stays.

use crate::domain::facts::Facts;

/// The facts of a row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Given {
    /// Those that it tells; the interruptions, if any, are all there are.
    pub facts: Facts,
    /// It tells that there was no interruption.
    pub uninterrupted: bool,
}

impl Given {
    /// The facts as they are after it.
    pub fn over(&self, recorded: Facts) -> Facts {
        let Self { facts, uninterrupted } = self.clone();
        let mut after = recorded;
        after.ethics = facts.ethics.or(after.ethics);
        after.grades.extend(facts.grades);
        after.training_total = facts.training_total.or(after.training_total);
        after.training_years.extend(facts.training_years);
        if uninterrupted || !facts.interruptions.is_empty() {
            after.interruptions = facts.interruptions;
        }
        after.health = facts.health.or(after.health);
        for (name, met) in facts.others {
            match after.others.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = met,
                None => after.others.push((name, met)),
            }
        }
        after.probation = facts.probation.or(after.probation);
        after.contract = facts.contract.or(after.contract);
        after
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use time::macros::date;

    use super::*;
    use crate::domain::facts::{Finding, Grade, Interruption, LeaveReason};

    fn stop(semesters: f64) -> Interruption {
        let (from, to) = (date!(2024 - 02 - 01), date!(2024 - 07 - 01));
        Interruption { from, to, semesters, reason: LeaveReason::Study, approved: true }
    }

    fn recorded() -> Facts {
        Facts {
            ethics: Some(Finding::Passed),
            grades: BTreeMap::from([(2024, Grade::Qualified), (2025, Grade::Qualified)]),
            training_total: Some(360.0),
            interruptions: vec![stop(1.0), stop(2.0)],
            others: vec![("普通话达标".to_owned(), false)],
            ..Facts::default()
        }
    }

    #[test]
    fn what_is_not_told_stays() {
        assert_eq!(Given::default().over(recorded()), recorded());
    }

    #[test]
    fn what_is_told_takes_the_place_of_what_was_recorded() {
        let facts = Facts {
            grades: BTreeMap::from([(2025, Grade::Excellent), (2026, Grade::Basic)]),
            interruptions: vec![stop(0.5)],
            others: vec![("普通话达标".to_owned(), true), ("住房".to_owned(), true)],
            health: Some(Finding::Failed),
            ..Facts::default()
        };
        let after = Given { facts, uninterrupted: false }.over(recorded());
        let grades = [(2024, Grade::Qualified), (2025, Grade::Excellent), (2026, Grade::Basic)];
        assert_eq!(after.grades, BTreeMap::from(grades));
        assert_eq!(after.interruptions, [stop(0.5)]);
        assert_eq!(after.others, [("普通话达标".to_owned(), true), ("住房".to_owned(), true)]);
        let (ethics, training) = (Some(Finding::Passed), Some(360.0));
        assert_eq!((after.ethics, after.training_total, after.health), (ethics, training, Some(Finding::Failed)));
    }

    #[test]
    fn interruptions_go_only_when_it_is_told_that_there_were_none() {
        let none = Given { facts: Facts::default(), uninterrupted: true };
        assert_eq!(none.over(recorded()).interruptions, []);
    }
}
