//! Work lists and their counts: which applications a viewer has before them, and how many.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::{Handle, Viewer};
use crate::domain::directory::Directory;
use crate::domain::registration::Officer;
use crate::error::Error;
use crate::views::applications::{Counted, Dimension, Filter, Group, MOST_GROUPS, Row, Scope, Selection};

/// How many applications a group holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Of the group itself.
    pub count: i64,
    /// Of groups by agency: with those of the agencies below it.
    pub with_below: i64,
}

impl Handle {
    /// What a filter means for a viewer today: of their units for staff who do not ask for their own, else of their own.
    pub fn selection(&self, viewer: &Viewer, filter: Filter) -> Result<Selection, Error> {
        Ok(select(viewer, filter, self.directory()?.as_ref()))
    }

    /// A page of a list, newest submission first.
    pub async fn list(&self, selection: &Selection, before: Option<i64>, at_most: usize) -> Result<Vec<Row>, Error> {
        Ok(self.0.tables.applications(selection, before, at_most).await?)
    }

    /// How many a list holds, in all and by group.
    pub async fn count(&self, selection: &Selection, by: &[Dimension]) -> Result<(i64, BTreeMap<Group, Count>), Error> {
        let counted = self.0.tables.count_applications(selection, by).await?;
        if counted.len() > MOST_GROUPS {
            return Err(Error::TooManyGroups);
        }
        let total = counted.iter().map(|counted| counted.count).sum();
        let groups =
            if by.is_empty() { BTreeMap::new() } else { sum_up(selection, &counted, self.directory()?.as_ref()) };
        Ok((total, groups))
    }
}

/// What a filter means for a viewer by this directory.
pub(super) fn select(viewer: &Viewer, filter: Filter, directory: &Directory) -> Selection {
    let agencies = filter.agency.map(|agency| agencies_of(agency, filter.without_below, directory));
    let scope = if filter.own { Scope::Own(viewer.person) } else { scope_of(viewer, directory) };
    Selection { scope, filter, agencies }
}

/// Whose applications a viewer sees: those of their units, or their own where they hold none.
pub(super) fn scope_of(viewer: &Viewer, directory: &Directory) -> Scope {
    let Officer { schools, points, agencies, .. } = viewer.officer.clone();
    if schools.is_empty() && points.is_empty() && agencies.is_empty() {
        return Scope::Own(viewer.person);
    }
    let agencies = agencies.into_iter().flat_map(|agency| directory.reviewed_by(agency)).collect();
    Scope::Units { schools, points, agencies }
}

/// The agencies that a filter by one means.
pub(super) fn agencies_of(agency: Uuid, without_below: bool, directory: &Directory) -> Vec<Uuid> {
    if without_below { vec![agency] } else { directory.reviewed_by(agency) }
}

/// The groups, each with those of the agencies below its own: as far as scope and filter reach, so that nobody learns of
/// others' applications, and a part is not taken for a whole.
fn sum_up(selection: &Selection, counted: &[Counted], directory: &Directory) -> BTreeMap<Group, Count> {
    let reaches = |agency: &Uuid| {
        let by_scope = matches!(&selection.scope, Scope::Units { agencies, .. } if agencies.contains(agency));
        by_scope && selection.agencies.as_ref().is_none_or(|agencies| agencies.contains(agency))
    };
    let mut groups: BTreeMap<Group, Count> = BTreeMap::new();
    for Counted { group, count } in counted {
        let own = groups.entry(*group).or_default();
        own.count += count;
        own.with_below += count;
        let chain = group.agency.map(|agency| directory.chain(agency)).unwrap_or_default();
        let above = chain.iter().map(|step| step.agency).filter(|above| Some(*above) != group.agency && reaches(above));
        for above in above {
            groups.entry(Group { agency: Some(above), ..*group }).or_default().with_below += count;
        }
    }
    groups
}
