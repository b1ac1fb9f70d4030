//! 发证机关: which agency of the directory a name on a seal stands for, as it was called on the day of issue.

use std::collections::{BTreeMap, HashMap};

use time::Date;
use uuid::Uuid;

use super::name;

#[cfg(test)]
mod tests;

/// An education authority through the days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agency {
    /// In the service scheduling.
    pub id: Uuid,
    /// Six digits: 320300.
    pub division: String,
    /// By the first day of each name; the first one holds since [`Date::MIN`].
    pub names: BTreeMap<Date, String>,
    /// Its end, be it past or to come.
    pub abolition: Option<Abolition>,
}

/// The end of an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abolition {
    /// First day without it.
    pub on: Date,
    /// Who goes on with what it did.
    pub successor: Option<Uuid>,
}

impl Agency {
    /// What it is called on a day, be it after its end.
    pub fn name_on(&self, day: Date) -> &str {
        self.names.range(..=day).next_back().map_or("", |(_, name)| name)
    }

    /// Its end, if that has come by a day.
    pub fn ended_by(&self, day: Date) -> Option<Abolition> {
        self.abolition.filter(|abolition| abolition.on <= day)
    }

    /// Two digits of GB/T 2260.
    pub fn province(&self) -> &str {
        self.division.get(..2).unwrap_or_default()
    }
}

/// Whom the name on a seal stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer<'d> {
    /// The one agency that was called so on the day.
    Known(&'d Agency),
    /// The one agency that had the name, but on other days only.
    NamedOtherwise(&'d Agency),
    /// The one agency that had the name, and had ended by the day.
    Ended(&'d Agency, Abolition, Option<&'d Agency>),
    /// One of several that have it or had it (鼓楼区教育局); which one is not known.
    Several,
    /// No agency ever had the name.
    Unknown,
}

impl<'d> Issuer<'d> {
    /// The agency, where it is known which one is meant.
    pub fn agency(self) -> Option<&'d Agency> {
        match self {
            Self::Known(agency) | Self::NamedOtherwise(agency) | Self::Ended(agency, ..) => Some(agency),
            Self::Several | Self::Unknown => None,
        }
    }
}

/// All agencies, as of one position of scheduling's log.
#[derive(Clone, Debug, Default)]
pub struct Agencies {
    known: HashMap<Uuid, Agency>,
    /// All that ever had a name, by its letters.
    named: HashMap<String, Vec<Uuid>>,
}

impl FromIterator<Agency> for Agencies {
    fn from_iter<I: IntoIterator<Item = Agency>>(agencies: I) -> Self {
        let known: HashMap<Uuid, Agency> = agencies.into_iter().map(|agency| (agency.id, agency)).collect();
        let mut named: HashMap<String, Vec<Uuid>> = HashMap::new();
        for agency in known.values() {
            for name in agency.names.values() {
                let so_called = named.entry(name::letters(name)).or_default();
                // The same name twice in its history.
                if !so_called.contains(&agency.id) {
                    so_called.push(agency.id);
                }
            }
        }
        Self { known, named }
    }
}

impl Agencies {
    /// Whom the name on a seal stands for; of several that lie in different provinces the one of the number's is meant.
    pub fn issuer(&self, seal: &str, issued: Date, province: Option<&str>) -> Issuer<'_> {
        let so_called = self.named.get(&name::letters(seal)).into_iter().flatten();
        let mut so_called: Vec<&Agency> = so_called.filter_map(|id| self.known.get(id)).collect();
        if so_called.iter().any(|agency| Some(agency.province()) == province) {
            so_called.retain(|agency| Some(agency.province()) == province);
        }
        let was_called_so =
            |agency: &&&Agency| agency.ended_by(issued).is_none() && name::is_same(agency.name_on(issued), seal);
        let then: Vec<&Agency> = so_called.iter().filter(was_called_so).copied().collect();
        match (&then[..], &so_called[..]) {
            ([agency], _) => Issuer::Known(agency),
            ([], [agency]) => match agency.ended_by(issued) {
                Some(end) => Issuer::Ended(agency, end, end.successor.and_then(|id| self.known.get(&id))),
                None => Issuer::NamedOtherwise(agency),
            },
            ([], []) => Issuer::Unknown,
            _ => Issuer::Several,
        }
    }

    /// Who does on a day what an agency did: itself, or its successors' successor; nobody where an end names none.
    pub fn present<'d>(&'d self, agency: &'d Agency, day: Date) -> Option<&'d Agency> {
        let mut present = agency;
        // Each ends before its successor; a directory that says otherwise does not lead in circles.
        for _ in 0..self.known.len() {
            match present.ended_by(day) {
                None => return Some(present),
                Some(end) => present = self.known.get(&end.successor?)?,
            }
        }
        None
    }
}
