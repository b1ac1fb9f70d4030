//! Certificates that fall due: whose they are to look at, and when they do by the rules in force today.

use lifecycle::clock;
use time::Date;
use uuid::Uuid;

use super::lists::{agencies_of, scope_of};
use super::{Handle, Viewer};
use crate::domain::calendar::shanghai_date;
use crate::domain::registration::{Due, DueState};
use crate::error::Error;
use crate::store::record;
use crate::views::applications::{MOST_GROUPS, Scope};
use crate::views::due::{Cycles, DueFilter, DueGroup, DueRow, DueSelection, Newest};

/// A certificate with its due dates.
#[derive(Debug)]
pub struct DueCertificate {
    /// As the view has it.
    pub row: DueRow,
    /// When it falls due.
    pub due: Due,
    /// Where it stands today.
    pub state: DueState,
}

impl Handle {
    /// What a filter means for a viewer today: of their units for staff who do not ask for their `own`, else all of their own.
    pub fn due_selection(&self, viewer: &Viewer, filter: DueFilter, own: bool) -> Result<DueSelection, Error> {
        let directory = self.directory()?;
        let agencies = filter.agency.map(|agency| agencies_of(agency, filter.without_below, &directory));
        let book = self.0.rules.require()?;
        let cycles = Cycles {
            provinces: book
                .all_in_force(shanghai_date(clock::now()))
                .map(|rules| (rules.province.clone(), rules.cycle_months))
                .collect(),
            national: self.0.shipped.national.cycle_months,
        };
        let scope = if own { Scope::Own(viewer.person) } else { scope_of(viewer, &directory) };
        Ok(DueSelection { scope, filter, agencies, cycles })
    }

    /// A page of a list, soonest expiry first.
    pub async fn list_due(
        &self,
        selection: &DueSelection,
        after: Option<(Date, Uuid)>,
        at_most: usize,
    ) -> Result<Vec<DueCertificate>, Error> {
        let today = shanghai_date(clock::now());
        let mut rows = self.0.tables.due(selection, after, at_most).await?;
        if matches!(selection.scope, Scope::Own(_)) {
            self.tell_own(&mut rows).await?;
        }
        let rows = rows.into_iter();
        rows.map(|row| {
            let province = row.held.newest.as_ref().map_or("", |newest| newest.province.as_str());
            let due = Due::of(&row.held.standings(), self.rules(province)?.as_ref());
            Ok(DueCertificate { state: due.state(today), row, due })
        })
        .collect()
    }

    /// To its holder a certificate is told with its newest application, also where no conclusion stands yet: by its record.
    async fn tell_own(&self, rows: &mut [DueRow]) -> Result<(), Error> {
        let directory = self.directory()?;
        let certificates: Vec<Uuid> = rows.iter().map(|row| row.certificate).collect();
        let records = record::load_many(&self.0.log, &certificates).await?;
        for row in rows {
            let record = records.get(&row.certificate);
            let newest = record.and_then(|record| record.live().or_else(|| record.applications.last()));
            let Some(newest) = newest.filter(|newest| newest.merged_into.is_none()) else { continue };
            let agency = directory.agencies.get(&newest.place.agency).ok_or(Error::NotReady)?;
            row.held.newest = Some(Newest::of(newest.number, newest.place, &agency.division));
            row.applied = newest.lives();
        }
        Ok(())
    }

    /// How many expire in each half-year, by agency.
    pub async fn count_due(&self, selection: &DueSelection) -> Result<Vec<DueGroup>, Error> {
        let groups = self.0.tables.count_due(selection, shanghai_date(clock::now())).await?;
        if groups.len() > MOST_GROUPS { Err(Error::TooManyGroups) } else { Ok(groups) }
    }
}
