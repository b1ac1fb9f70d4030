//! The stored form of a published rule set.

use prost::{Message as _, Name as _};
use proto::applications::v1::RuleSetPublished;

use crate::domain::rules::RuleSet;
use crate::wire;

/// Kind and payload.
pub fn published(rules: &RuleSet) -> (String, Vec<u8>) {
    let message = RuleSetPublished { rule_set: Some(wire::rule_set(rules)) };
    (RuleSetPublished::full_name(), message.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::registration::testing::rules;

    /// As the first version of this program wrote it, before grades, schools, limits and a first day could be said.
    const FIRST: &str = "0a230a02333210011836203c280532013139000000000080764049000000000000f03f5001";

    fn decoded(payload: &[u8]) -> RuleSet {
        let message = RuleSetPublished::decode(payload).unwrap();
        wire::parse_rule_set(&message.rule_set.unwrap()).unwrap()
    }

    #[test]
    fn a_rule_set_of_the_first_version_holds_as_it_did_then() {
        assert_eq!(decoded(&hex::decode(FIRST).unwrap()), rules());
    }

    #[test]
    fn a_rule_set_comes_back_from_its_stored_form() {
        use crate::domain::facts::Grade;
        use crate::domain::rules::SchoolScope;
        let rules = RuleSet {
            qualifying_grades: vec![Grade::Excellent, Grade::Qualified, Grade::Basic],
            schools_in_scope: vec![SchoolScope::Public, SchoolScope::AfterSchool],
            review_working_days: 60,
            publicity_working_days: 7,
            reconsideration_days: 30,
            litigation_months: 3,
            effective_from: Some(time::macros::date!(2027 - 01 - 01)),
            ..rules()
        };
        assert_eq!(decoded(&published(&rules).1), rules);
    }
}
