//! 审核层级: which agencies review an application, from the one that was chosen upwards.

use uuid::Uuid;

use crate::domain::rules::RuleSet;
use crate::domain::values::Level;

/// One level of a route and the agency that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Its level.
    pub level: Level,
    /// Its agency.
    pub agency: Uuid,
}

/// First level first; the last one concludes. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route(Vec<Step>);

impl Route {
    /// From its steps; `None` without any.
    pub fn new(steps: Vec<Step>) -> Option<Self> {
        (!steps.is_empty()).then_some(Self(steps))
    }

    /// The route of an application: the chosen agency and those above it (`chain`, lowest first). Levels without an
    /// agency are not in the chain and so are skipped; a province may configure fewer levels. Where none of its
    /// levels is left, the highest agency of the chain decides alone.
    pub fn of(chain: &[Step], rules: &RuleSet) -> Option<Self> {
        let kept: Vec<Step> = chain
            .iter()
            .copied()
            .filter(|step| rules.levels.is_empty() || rules.levels.contains(&step.level))
            .collect();
        if kept.is_empty() { Self::new(chain.last().copied().into_iter().collect()) } else { Self::new(kept) }
    }

    /// All steps, first level first.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The step at a place.
    pub fn step(&self, index: usize) -> Step {
        self.0[index.min(self.last_index())]
    }

    /// Place of the step that concludes.
    pub fn last_index(&self) -> usize {
        self.0.len() - 1
    }

    /// Place of a level, if it reviews.
    pub fn index_of(&self, level: Level) -> Option<usize> {
        self.0.iter().position(|step| step.level == level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registration::testing::rules;

    fn step(level: Level) -> Step {
        Step { level, agency: Uuid::from_u128(level as u128 + 1) }
    }

    fn levels(chain: &[Level], configured: &[Level]) -> Vec<Level> {
        let chain: Vec<Step> = chain.iter().copied().map(step).collect();
        let rules = RuleSet { levels: configured.to_vec(), ..rules() };
        Route::of(&chain, &rules).unwrap().steps().iter().map(|step| step.level).collect()
    }

    use Level::{City, County, Province};

    #[test]
    fn a_county_application_passes_county_city_and_province() {
        assert_eq!(levels(&[County, City, Province], &[]), [County, City, Province]);
    }

    #[test]
    fn the_citys_own_schools_begin_at_the_city() {
        assert_eq!(levels(&[City, Province], &[]), [City, Province]);
    }

    #[test]
    fn a_provinces_own_application_has_one_level() {
        assert_eq!(levels(&[Province], &[]), [Province]);
    }

    #[test]
    fn a_district_of_a_municipality_has_no_city_level() {
        assert_eq!(levels(&[County, Province], &[]), [County, Province]);
    }

    #[test]
    fn a_province_can_configure_fewer_levels() {
        assert_eq!(levels(&[County, City, Province], &[County, City]), [County, City]);
        assert_eq!(levels(&[County, City, Province], &[Province]), [Province]);
    }

    #[test]
    fn somebody_always_concludes() {
        assert_eq!(levels(&[City, Province], &[County]), [Province]);
        assert_eq!(Route::of(&[], &rules()), None);
    }
}
