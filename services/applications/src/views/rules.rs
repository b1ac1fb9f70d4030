//! Published rule sets, newest of each province in the memory of every replica.

use std::collections::HashMap;
use std::sync::Arc;

use eventbus::{Event, LoadError, View, ViewError};
use prost::Message as _;
use proto::applications::v1 as wire;
use sqlx::{PgConnection, PgPool};

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

/// The rule sets in force.
#[derive(Debug, Default)]
pub struct RuleBook {
    provinces: HashMap<String, Arc<RuleSet>>,
}

impl RuleBook {
    /// Reads them from the view.
    pub async fn load(pool: PgPool) -> Result<Self, LoadError> {
        let rows: Vec<(Vec<u8>,)> =
            sqlx::query_as("SELECT body FROM views.rule_set ORDER BY province, version").fetch_all(&pool).await?;
        let mut provinces = HashMap::new();
        for (body,) in rows {
            let rules =
                parse_rule_set(&wire::RuleSet::decode(body.as_slice())?).map_err(|_| "the view holds no rule set")?;
            provinces.insert(rules.province.clone(), Arc::new(rules));
        }
        Ok(Self { provinces })
    }

    /// All that are published.
    pub fn all(&self) -> impl Iterator<Item = &Arc<RuleSet>> {
        self.provinces.values()
    }

    /// The rule set of a province, if it has published one.
    pub fn find(&self, province: &str) -> Option<&Arc<RuleSet>> {
        self.provinces.get(province)
    }
}
