//! Rule sets of provinces: published as events, the next version each time; which of them holds on a day.

use std::sync::Arc;

use time::Date;
use uuid::Uuid;

use super::publishing::Publication;
use super::{Asked, Handle};
use crate::domain::rules::{RuleRef, RuleSet};
use crate::error::Error;
use crate::store::rules::published;

/// Namespace of the streams of rule sets: one for each province, for ever.
const NAMESPACE: Uuid = Uuid::from_u128(0x3d1c_5a90_6f0b_4f7e_9c55_1f0e_7b2a_8d46);

impl Handle {
    /// The rule set of a province that is in force on a day, or the national one.
    pub fn rules_on(&self, province: &str, on: Date) -> Result<Arc<RuleSet>, Error> {
        let book = self.0.rules.require()?;
        Ok(Arc::clone(book.in_force(province, on).unwrap_or(&self.0.shipped.national)))
    }

    /// A version of a province's rule sets, as decisions name it.
    pub fn rules_of_version(&self, named: &RuleRef) -> Result<Arc<RuleSet>, Error> {
        let book = self.0.rules.require()?;
        let mut known = book.versions(&named.province).iter().chain([&self.0.shipped.national]);
        let found = known.find(|rules| rules.reference() == *named);
        found.map(Arc::clone).ok_or(Error::NotFound { kind: "rule set" })
    }

    /// All that a province has published, oldest first.
    pub fn published_rules(&self, province: &str) -> Result<Vec<Arc<RuleSet>>, Error> {
        Ok(self.0.rules.require()?.versions(province).to_vec())
    }

    /// Publishes the next version of a province's rule set; `render` makes the answer from it. Answer and position.
    pub async fn publish_rules(
        &self,
        asked: &Asked,
        rules: &RuleSet,
        render: fn(u32) -> Vec<u8>,
    ) -> Result<(Vec<u8>, i64), Error> {
        let stream = Uuid::new_v5(&NAMESPACE, rules.province.as_bytes());
        let next =
            |version| Publication { event: published(&RuleSet { version, ..rules.clone() }), answer: render(version) };
        self.publish(asked, stream, &rules.province, next).await
    }
}
