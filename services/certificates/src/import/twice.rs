//! Rows of a file that say something else than an earlier row about the same thing: the later one is refused, since the file would
//! change the record each time it comes, and neither row is right for sure.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hasher as _};

use super::file::{Problem, Row, Says};
use crate::domain::certificate::{Source, Standing};
use crate::domain::number::FIRST_YEAR;

#[cfg(test)]
mod tests;

/// Entries that are remembered at most, in 13 MiB: one for each certificate and for each registration after its first. What comes behind
/// them in a larger file is not compared.
const MOST: usize = 917_504;

/// Names a number, and who speaks of it or which registration is told of.
type Key = [u8; 7];
/// Tells apart what is said of the certificate (3 bytes), and of its first registration (2; none where they are 0).
type Words = [u8; 5];

/// What the rows of a file have said so far.
pub struct Given(HashMap<Key, Words>);

impl Given {
    /// Of a file of which nothing was read. Room for all is there at once: growing would take half as much again.
    pub fn nothing() -> Self {
        Self(HashMap::with_capacity(MOST))
    }

    /// The row, unless an earlier one contradicts it. Restrictions are told apart by their decisions, and may follow each other.
    pub fn judge(&mut self, row: Row) -> Result<Row, Vec<Problem>> {
        if self.agrees(&row) {
            return Ok(row);
        }
        let sentence = "文件中已有同一证书号码而内容不同的一行，本行未采用，请核实后只保留正确的一行。";
        Err(vec![Problem { line: row.line, field: "证书号码", reason: "GIVEN_TWICE", sentence }])
    }

    fn agrees(&mut self, row: &Row) -> bool {
        let Says::Certificate { details, source, prior, standing, personal } = &row.says else { return true };
        let Some(number) = compact(&personal.number) else { return true };
        let said = (details.kind.digit(), &details.subject, &details.issuing_agency, details.issue_date);
        let [one, two, three, ..] =
            words(&(said, &personal.holder_number, &personal.holder_name, is_deleted(*standing)));
        let registration = prior.map(|prior| {
            let [one, two, ..] = words(&(prior.conclusion as u8, prior.concluded));
            (prior.ordinal, [one.max(1), two])
        });
        let first = registration.filter(|(ordinal, _)| *ordinal == 1).map_or([0; 2], |(_, said)| said);
        let certificate = [one, two, three, first[0], first[1]];
        let by_registration = u64::from(*source == Source::PriorRegistration);
        let agrees = match self.entry(key(number, by_registration)) {
            None => true,
            Some(Entry::Vacant(vacant)) => {
                vacant.insert(certificate);
                true
            }
            Some(Entry::Occupied(mut known)) => {
                let [.., one, two] = *known.get();
                let is_new = [one, two] == [0; 2];
                let agrees = known.get()[..3] == certificate[..3] && (is_new || first == [0; 2] || first == [one, two]);
                if agrees && is_new {
                    known.insert(certificate);
                }
                agrees
            }
        };
        let Some((ordinal @ 2.., [one, two])) = registration.filter(|_| agrees) else { return agrees };
        let said = [one, two, 0, 0, 0];
        self.entry(key(number, u64::from(ordinal))).is_none_or(|entry| *entry.or_insert(said) == said)
    }

    /// `None` where no more is remembered.
    fn entry(&mut self, key: Key) -> Option<Entry<'_, Key, Words>> {
        if self.0.len() < MOST || self.0.contains_key(&key) { Some(self.0.entry(key)) } else { None }
    }
}

/// A number in 50 bits: its year, counted, and the thirteen digits behind. Numbers of 15 digits tell of the years up to 1999.
fn compact(number: &str) -> Option<u64> {
    let (year, behind) = number.split_at_checked(number.len().checked_sub(13)?)?;
    let first = u64::try_from(FIRST_YEAR).ok()?;
    let year: u64 = year.parse().ok()?;
    let lane = if number.len() == 15 { (year + 1900).checked_sub(first)? } else { year.checked_sub(first)? + 4 };
    Some(lane * 10_u64.pow(13) + behind.parse::<u64>().ok()?)
}

/// `tag` is 0 for 认定历史库, 1 for 认定正式表, and from 2 on the ordinal of a registration.
fn key(number: u64, tag: u64) -> Key {
    let [_, key @ ..] = (number << 5 | tag).to_be_bytes();
    key
}

fn is_deleted(standing: Standing) -> bool {
    standing == Standing::Deleted
}

fn words(said: &impl std::hash::Hash) -> [u8; 8] {
    let mut hasher = DefaultHasher::new();
    said.hash(&mut hasher);
    hasher.finish().to_be_bytes()
}
