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
