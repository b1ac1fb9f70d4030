//! Published rule sets of every province, in the memory of every replica: on each day one of them is in force.

use std::collections::HashMap;
use std::sync::Arc;

use eventbus::{Event, LoadError, View, ViewError};
use prost::Message as _;
use proto::applications::v1 as wire;
use sqlx::{PgConnection, PgPool};
use time::Date;

use crate::domain::rules::RuleSet;
use crate::views::incomplete;
use crate::wire::parse_rule_set;

/// Name of the feed.
pub const RULES: &str = "rules";

/// Fed by the service's own events.
#[derive(Debug)]
pub struct Rules;

#[eventbus::async_trait]
impl View for Rules {
    fn name(&self) -> &'static str {
        RULES
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS rule_set ( \
             province text NOT NULL, version integer NOT NULL, body bytea NOT NULL, PRIMARY KEY (province, version))"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["rule_set"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<wire::RuleSetPublished>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events {
            let published: wire::RuleSetPublished = event.decode()?;
            let rules = published.rule_set.ok_or_else(|| incomplete(event))?;
            sqlx::query("INSERT INTO rule_set (province, version, body) VALUES ($1, $2, $3)")
                .bind(&rules.province)
                .bind(rules.version)
                .bind(rules.encode_to_vec())
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }
}

/// Every published rule set.
#[derive(Debug, Default)]
pub struct RuleBook {
    /// By province, oldest version first.
    provinces: HashMap<String, Vec<Arc<RuleSet>>>,
}

impl RuleBook {
    /// Reads them from the view.
    pub async fn load(pool: PgPool) -> Result<Self, LoadError> {
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT body FROM views.rule_set ORDER BY province, version").fetch_all(&pool).await?;
        let mut provinces: HashMap<String, Vec<Arc<RuleSet>>> = HashMap::new();
        for (body,) in rows {
            let rules =
                parse_rule_set(&wire::RuleSet::decode(body.as_slice())?).map_err(|_| "the view holds no rule set")?;
            provinces.entry(rules.province.clone()).or_default().push(Arc::new(rules));
        }
        Ok(Self { provinces })
    }

    /// The rule set of a province that is in force on a day: the newest of those that have come into force.
    pub fn in_force(&self, province: &str, on: Date) -> Option<&Arc<RuleSet>> {
        let holds = |rules: &&Arc<RuleSet>| rules.effective_from.is_none_or(|from| from <= on);
        self.versions(province).iter().rev().find(holds)
    }

    /// The rule sets that are in force on a day.
    pub fn all_in_force(&self, on: Date) -> impl Iterator<Item = &Arc<RuleSet>> {
        self.provinces.keys().filter_map(move |province| self.in_force(province, on))
    }

    /// All that a province has published, oldest first.
    pub fn versions(&self, province: &str) -> &[Arc<RuleSet>] {
        self.provinces.get(province).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::domain::registration::testing::rules;

    #[test]
    fn on_each_day_the_newest_version_that_has_come_into_force_holds() {
        let version = |version, effective_from| Arc::new(RuleSet { version, effective_from, ..rules() });
        let versions =
            vec![version(1, None), version(2, Some(date!(2027 - 01 - 01))), version(3, Some(date!(2026 - 12 - 01)))];
        let book = RuleBook { provinces: HashMap::from([("32".to_owned(), versions)]) };
        let on = |day| book.in_force("32", day).map(|rules| rules.version);
        assert_eq!(on(date!(2026 - 11 - 30)), Some(1));
        assert_eq!(on(date!(2026 - 12 - 01)), Some(3));
        assert_eq!(on(date!(2027 - 01 - 01)), Some(3), "an older version does not come back");
        assert_eq!(book.in_force("33", date!(2027 - 01 - 01)), None);
    }
}
