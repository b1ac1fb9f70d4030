//! Published texts, newest of each province and name in the memory of every replica.

use std::collections::HashMap;
use std::sync::Arc;

use eventbus::{Event, LoadError, View, ViewError};
use proto::applications::v1 as wire;
use sqlx::{PgConnection, PgPool};

use crate::domain::text::{Text, TextRef, known_name};
use crate::views::incomplete;

/// Name of the feed.
pub const TEXTS: &str = "texts";

/// Fed by the service's own events.
#[derive(Debug)]
pub struct Texts;

#[eventbus::async_trait]
impl View for Texts {
    fn name(&self) -> &'static str {
        TEXTS
    }

    fn schema(&self) -> &'static str {
        "CREATE TABLE IF NOT EXISTS text ( \
             province text NOT NULL, name text NOT NULL, version integer NOT NULL, digest text NOT NULL, \
             body text NOT NULL, PRIMARY KEY (province, name, version))"
    }

    fn tables(&self) -> &'static [&'static str] {
        &["text"]
    }

    fn concerns(&self, event: &Event) -> bool {
        event.is::<wire::TextPublished>()
    }

    async fn apply(&self, tx: &mut PgConnection, events: &[Event]) -> Result<(), ViewError> {
        for event in events {
            let published: wire::TextPublished = event.decode()?;
            let text = published.text.ok_or_else(|| incomplete(event))?;
            sqlx::query("INSERT INTO text (province, name, version, digest, body) VALUES ($1, $2, $3, $4, $5)")
                .bind(&text.province)
                .bind(&text.name)
                .bind(text.version)
                .bind(&text.digest)
                .bind(&text.body)
                .execute(&mut *tx)
                .await?;
        }
        Ok(())
    }
}

/// The newest texts of provinces.
#[derive(Debug, Default)]
pub struct TextBook {
    provinces: HashMap<String, HashMap<&'static str, Arc<Text>>>,
}

impl TextBook {
    /// Reads them from the view.
    pub async fn load(pool: PgPool) -> Result<Self, LoadError> {
        let rows: Vec<(String, String, i32, String, String)> = sqlx::query_as(
            "SELECT DISTINCT ON (province, name) province, name, version, digest, body FROM views.text \
             ORDER BY province, name, version DESC",
        )
        .fetch_all(&pool)
        .await?;
        let mut provinces: HashMap<_, HashMap<_, _>> = HashMap::new();
        for (province, name, version, digest, body) in rows {
            let name = known_name(&name).ok_or("the view holds a text of no known name")?;
            let reference = TextRef { version: u32::try_from(version)?, digest };
            let text = Text { name, province: Some(province.clone()), reference, body: body.into() };
            provinces.entry(province).or_default().insert(name, Arc::new(text));
        }
        Ok(Self { provinces })
    }

    /// What a province shows, if it has published that.
    pub fn find(&self, province: &str, name: &'static str) -> Option<&Arc<Text>> {
        self.provinces.get(province)?.get(name)
    }

    /// Whether some province shows this.
    pub fn shows(&self, name: &'static str, reference: &TextRef) -> bool {
        self.provinces.values().filter_map(|texts| texts.get(name)).any(|text| text.reference == *reference)
    }
}
