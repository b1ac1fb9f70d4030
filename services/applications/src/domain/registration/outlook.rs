//! 规则试算: what a rule set leads to for an application, by what is recorded of it now.

use time::Date;

use crate::domain::assessment::{Assessment, Missing, missing};
use crate::domain::registration::filing::earliest;
use crate::domain::registration::state::{Application, Phase, Registration};
use crate::domain::route::{Route, Step};
use crate::domain::rules::{RuleRef, RuleSet, SchoolKind, SchoolScope};
use crate::domain::values::{Level, Restriction};

/// What is known of an application beside its record.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Its agency and those above it, lowest first.
    pub chain: Vec<Step>,
    /// A restriction of the certificate.
    pub restriction: Option<Restriction>,
    /// What its school is; `None` for one that is closed meanwhile.
    pub school: Option<SchoolKind>,
}

/// What a rule set leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The rule set.
    pub rules: RuleRef,
    /// What the recorded facts lead to; `None` for a withdrawn application.
    pub assessment: Option<Assessment>,
    /// First day on which the certificate takes a new application, or took this one while it lives; only for its newest.
    pub earliest: Option<Date>,
    /// Facts that are still asked for, while it lives.
    pub missing: Vec<Missing>,
    /// Levels that would review it if it were filed today, while it lives.
    pub levels: Vec<Level>,
    /// Whether its school is in scope; true where it does not live any more or the school is not known.
    pub in_scope: bool,
}

/// In what two outlooks can differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aspect {
    /// Proposal or articles.
    Proposal,
    /// Day of admission.
    Earliest,
    /// Facts that are asked for.
    Missing,
    /// Levels of review.
    Route,
    /// Schools in scope.
    Scope,
}

impl Registration {
    /// What a rule set leads to for one of the record's applications.
    pub fn outlook(&self, application: &Application, rules: &RuleSet, around: &Surroundings) -> Outlook {
        let lives = application.lives();
        let is_newest = self.applications.last().is_some_and(|newest| newest.number == application.number);
        let facts = application.facts.clone().unwrap_or_default();
        let route = Route::of(&around.chain, rules).filter(|_| lives);
        let nature = &application.form.school_nature;
        let takes = |kind| rules.schools_in_scope.contains(&SchoolScope::of(kind, nature));
        Outlook {
            rules: rules.reference(),
            assessment: (application.phase != Phase::Withdrawn)
                .then(|| self.assess(application, rules, around.restriction)),
            earliest: earliest(self, rules).filter(|_| is_newest),
            missing: if lives { missing(&facts, rules, &self.check(application, rules)) } else { Vec::new() },
            levels: route.map(|route| route.steps().iter().map(|step| step.level).collect()).unwrap_or_default(),
            in_scope: !lives || around.school.is_none_or(takes),
        }
    }
}

impl Outlook {
    /// In what the other one differs; sentences that only name another bound are no difference.
    pub fn differences(&self, other: &Self) -> Vec<Aspect> {
        let judged = |outlook: &Self| {
            let assessment = outlook.assessment.as_ref()?;
            Some((assessment.proposal, assessment.articles.clone()))
        };
        let aspects = [
            (Aspect::Proposal, judged(self) != judged(other)),
            (Aspect::Earliest, self.earliest != other.earliest),
            (Aspect::Missing, self.missing != other.missing),
            (Aspect::Route, self.levels != other.levels),
            (Aspect::Scope, self.in_scope != other.in_scope),
        ];
        aspects.into_iter().filter(|(_, differs)| *differs).map(|(aspect, _)| aspect).collect()
    }
}

#[cfg(test)]
mod tests {
    use decider::Decider as _;
    use time::macros::date;

    use super::*;
    use crate::domain::assessment::Proposal;
    use crate::domain::registration::testing::*;
    use crate::domain::registration::{Event, Registrations};
    use crate::domain::values::Conclusion;

    fn around() -> Surroundings {
        Surroundings { chain: directory().chain(COUNTY), restriction: None, school: Some(SchoolKind::School) }
    }

    fn recorded() -> Event {
        Event::FactsRecorded { number: number(1), facts: Box::new(facts()), by: None }
    }

    fn differences(history: &[Event], change: impl FnOnce(&mut RuleSet)) -> Vec<Aspect> {
        let state = Registrations::fold(history);
        let (application, before) = (state.applications.last().unwrap(), rules());
        let mut after = rules();
        change(&mut after);
        let outlook = |rules| state.outlook(application, rules, &around());
        outlook(&before).differences(&outlook(&after))
    }

    #[test]
    fn the_same_rules_change_nothing() {
        assert_eq!(differences(&[submitted(1, 2), recorded()], |rules| rules.version = 9), []);
    }

    #[test]
    fn more_hours_defer_whoever_has_fewer_with_the_article() {
        let history = [prior(1, Conclusion::Qualified, date!(2021 - 11 - 23)), submitted(1, 2), recorded()];
        let more = |rules: &mut RuleSet| rules.training_per_cycle_min = 400.0;
        assert_eq!(differences(&history, more), [Aspect::Proposal]);
        let state = Registrations::fold(&history);
        let after = RuleSet { training_per_cycle_min: 400.0, ..rules() };
        let assessment = state.outlook(&state.applications[0], &after, &around()).assessment.unwrap();
        assert_eq!((assessment.proposal, assessment.articles), (Proposal::Deferred, vec!["9.1".to_owned()]));
    }

    #[test]
    fn another_interval_moves_the_day_of_admission() {
        let history = [prior(1, Conclusion::Qualified, date!(2021 - 11 - 23)), submitted(1, 2), recorded()];
        let longer = |rules: &mut RuleSet| rules.interval_months = 58;
        assert_eq!(differences(&history, longer), [Aspect::Earliest]);
        assert_eq!(differences(&[submitted(1, 1)], longer), [], "nothing keeps a first registration");
    }

    #[test]
    fn a_full_check_asks_for_more_facts_of_a_first_registration() {
        let full = |rules: &mut RuleSet| rules.first_registration_full_check = true;
        assert_eq!(differences(&[submitted(1, 1)], full), [Aspect::Missing]);
    }

    #[test]
    fn fewer_levels_change_the_route_and_fewer_schools_the_scope() {
        let levels = |rules: &mut RuleSet| rules.levels = vec![Level::Province];
        assert_eq!(differences(&[submitted(1, 1)], levels), [Aspect::Route]);
        let scope = |rules: &mut RuleSet| rules.schools_in_scope = vec![SchoolScope::Private];
        assert_eq!(differences(&[submitted(1, 1)], scope), [Aspect::Scope]);
    }

    #[test]
    fn what_is_withdrawn_or_concluded_is_not_reviewed_again() {
        let withdrawn = [submitted(1, 1), Event::ApplicationWithdrawn(number(1))];
        let all = |rules: &mut RuleSet| {
            rules.levels = vec![Level::Province];
            rules.schools_in_scope = vec![SchoolScope::Private];
            rules.first_registration_full_check = true;
        };
        assert_eq!(differences(&withdrawn, all), []);
        let concluded = [submitted(1, 1), recorded(), concluded_as(Conclusion::Qualified, &[])];
        assert_eq!(differences(&concluded, all), [], "and its facts do for a cycle too");
    }
}
