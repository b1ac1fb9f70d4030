//! 规则试算: a province's applications under a rule set that is not published, page by page over the views and the log;
//! nothing is recorded.

use std::sync::Arc;

use uuid::Uuid;

use super::{Handle, Key};
use crate::domain::directory::Directory;
use crate::domain::registration::{Aspect, Outlook, Surroundings};
use crate::domain::rules::RuleSet;
use crate::error::Error;
use crate::store::record;

/// Applications of one page, each with the history of its certificate.
const PAGE: i64 = 500;

/// What is compared with what, and over which applications.
#[derive(Debug)]
pub struct DryRun {
    in_force: Arc<RuleSet>,
    tried: RuleSet,
    directory: Arc<Directory>,
    /// Of the province, in the order in which they are gone through.
    agencies: Vec<Uuid>,
}

/// An application's place in the order of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Cursor {
    /// Its agency.
    pub agency: Uuid,
    /// Position of its submission.
    pub position: i64,
}

/// One application that was looked at.
#[derive(Debug)]
pub struct Replayed {
    /// Where.
    pub place: Cursor,
    /// Which.
    pub key: Key,
    /// Under the rule set in force.
    pub before: Outlook,
    /// Under the one that is tried.
    pub after: Outlook,
    /// In what they differ.
    pub differences: Vec<Aspect>,
}

impl Handle {
    /// Prepares to try a rule set on its province.
    pub fn dry_run(&self, tried: RuleSet) -> Result<DryRun, Error> {
        let (directory, in_force) = (self.directory()?, self.rules(&tried.province)?);
        let newest = self.published_rules(&tried.province)?.last().map_or(0, |rules| rules.version);
        let tried = RuleSet { version: newest + 1, ..tried };
        let of_the_province = directory.agencies.iter().filter(|(_, of)| of.division.starts_with(&tried.province));
        let mut agencies: Vec<Uuid> = of_the_province.map(|(id, _)| *id).collect();
        agencies.sort_unstable();
        self.0.certificates.require()?;
        Ok(DryRun { in_force, tried, directory, agencies })
    }

    /// The applications behind a place, at most a page, and where the next page begins; `None` where there is none.
    pub async fn replay(&self, run: &DryRun, after: Cursor) -> Result<(Vec<Replayed>, Option<Cursor>), Error> {
        let Some(agency) = run.agencies.iter().copied().find(|agency| *agency >= after.agency) else {
            return Ok((Vec::new(), None));
        };
        let behind = if agency == after.agency { after.position } else { 0 };
        let filed = self.0.tables.filed_with(agency, behind, PAGE).await?;
        let next = match filed.last() {
            Some((_, _, position)) if i64::try_from(filed.len()).is_ok_and(|count| count == PAGE) => {
                Some(Cursor { agency, position: *position })
            }
            _ => run.agencies.iter().copied().find(|next| *next > agency).map(|agency| Cursor { agency, position: 0 }),
        };
        let certificates: Vec<Uuid> = filed.iter().map(|(certificate, ..)| *certificate).collect();
        let records = record::load_many(&self.0.log, &certificates).await?;
        let restrictions = self.0.tables.restrictions(&certificates).await?;
        // The log may be ahead of the list: what it says of an application counts.
        let known = filed.iter().filter_map(|(certificate, number, _)| records.get(certificate)?.application(*number));
        let schools: Vec<Uuid> = known.map(|application| application.place.school).collect();
        let schools = self.0.tables.schools(&schools).await?;
        let chain = run.directory.chain(agency);
        let mut replayed = Vec::with_capacity(filed.len());
        for (certificate, number, position) in filed {
            let Some(record) = records.get(&certificate) else { continue };
            let Some(application) = record.application(number) else { continue };
            let around = Surroundings {
                chain: chain.clone(),
                restriction: restrictions.get(&certificate).copied(),
                school: schools.get(&application.place.school).copied(),
            };
            let before = record.outlook(application, &run.in_force, &around);
            let after = record.outlook(application, &run.tried, &around);
            let differences = before.differences(&after);
            let (place, key) = (Cursor { agency, position }, Key { certificate, number });
            replayed.push(Replayed { place, key, before, after, differences });
        }
        Ok((replayed, next))
    }
}
