//! Pages of a register's source, by the contract in the README: asked for, read within bounds, turned into rows.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use gateway::{Gateway, Trouble};
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::domain::source::{Claims, Place};
use crate::import::file::{Batch, Limits, Problem, Register};

/// Rows that are asked for at once.
pub const LIMIT: usize = 500;
/// Bytes of the largest answer.
const LARGEST: usize = 4 * 1024 * 1024;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A page as the source answers it.
#[derive(Deserialize)]
pub struct Page {
    count: u64,
    remaining: u64,
    rows: Vec<PageRow>,
}

#[derive(Deserialize)]
struct PageRow {
    id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    changed_at: OffsetDateTime,
    cells: HashMap<String, String>,
}

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPage {
    /// Another try may succeed.
    Passing {
        /// For the log.
        problem: &'static str,
        /// How long the source wants to be left alone.
        retry_after: Option<Duration>,
    },
    /// The run ends, for this reason.
    Lasting(&'static str),
}

/// Its name below the source's address.
pub const fn name(register: Register) -> &'static str {
    match register {
        Register::Certificates => "certificates",
        Register::Restrictions => "restrictions",
    }
}

/// Asks for the page that follows a place, once.
pub async fn fetch(gateway: &Gateway, register: Register, after: Option<Place>) -> Result<Page, NoPage> {
    let after = after.map(|place| {
        let changed_at =
            place.changed_at.format(&Rfc3339).expect("a time of the database has four digits for its year");
        format!("&after={changed_at},{}", place.id)
    });
    let path = format!("/{}?limit={LIMIT}{}", name(register), after.unwrap_or_default());
    let body = gateway.get(&path, LARGEST, PATIENCE).await.map_err(|trouble| match trouble {
        Trouble::Passing { problem, retry_after } => NoPage::Passing { problem, retry_after },
        Trouble::Lasting("size") => NoPage::Lasting("SOURCE_TOO_LARGE"),
        Trouble::Lasting(_) => NoPage::Lasting("SOURCE_REFUSES"),
    })?;
    let text = std::str::from_utf8(&body).map_err(|_| NoPage::Lasting("SOURCE_NOT_UTF8"))?;
    let page: Page = serde_json::from_str(text).map_err(|_| NoPage::Lasting("SOURCE_MALFORMED"))?;
    let coarse = |row: &PageRow| row.changed_at.nanosecond().is_multiple_of(1_000);
    if page.rows.iter().all(coarse) { Ok(page) } else { Err(NoPage::Lasting("SOURCE_MALFORMED")) }
}

impl Page {
    /// What is to be compared.
    pub fn claims(&self) -> Claims {
        let place = |row: &PageRow| Place { changed_at: row.changed_at.to_offset(UtcOffset::UTC), id: row.id };
        Claims { count: self.count, remaining: self.remaining, places: self.rows.iter().map(place).collect() }
    }

    /// Its rows, as those of a file whose lines are the places in the page, from 1; `refused` ids are not believed.
    pub fn rows(&self, limits: &Limits, refused: impl Fn(Uuid) -> bool) -> Batch {
        let header: Vec<Cow<'_, str>> = limits.register.headers().map(Cow::Borrowed).collect();
        let columns = limits.register.columns(0, &header).expect("the header is whole");
        let row = |(row, line): (&PageRow, i64)| {
            if refused(row.id) {
                let sentence = "数据源在同一页中以同一编号给出了多条记录，均未采用，请数据提供方核实。";
                return Err(vec![Problem { line, field: "", reason: "DUPLICATE_ID", sentence }]);
            }
            let cell = |name: &Cow<'_, str>| Cow::Borrowed(row.cells.get(name.as_ref()).map_or("", String::as_str));
            let cells: Vec<Cow<'_, str>> = header.iter().map(cell).collect();
            limits.row(&columns, &cells, line)
        };
        self.rows.iter().zip(1..).map(row).collect()
    }
}
