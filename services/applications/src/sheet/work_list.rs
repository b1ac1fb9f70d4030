//! The work list of schools and points as a file: what is recorded, what is still missing, to be filled in and brought back.

use std::collections::BTreeSet;

use super::facts::{Column, FOR_PEOPLE, MOST_STOPS, StopCell};
use super::harmless;
use crate::domain::facts::Facts;
use crate::handle::FactsDue;

/// Begins a file, so that spreadsheets read it as UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The columns that facts, and the years that count for them, have something for; those that everybody has come always.
pub fn columns_of(due: &[(&Facts, &[i32])]) -> Vec<Column> {
    let facts = || due.iter().map(|(facts, _)| *facts);
    let counted: BTreeSet<i32> = due.iter().flat_map(|(_, years)| years.iter().copied()).collect();
    let graded = counted.iter().copied().chain(facts().flat_map(|facts| facts.grades.keys().copied()));
    let trained = counted.iter().copied().chain(facts().flat_map(|facts| facts.training_years.keys().copied()));
    let stops = facts().map(|facts| facts.interruptions.len()).filter(|stops| *stops <= MOST_STOPS).max();
    let conditions: BTreeSet<&str> =
        facts().flat_map(|facts| facts.others.iter().map(|(name, _)| name.as_str())).collect();

    let mut columns = vec![Column::Number, Column::Ethics];
    columns.extend(graded.collect::<BTreeSet<_>>().into_iter().map(Column::Grade));
    columns.push(Column::TrainingTotal);
    columns.extend(trained.collect::<BTreeSet<_>>().into_iter().map(Column::Training));
    let stops = 0..stops.unwrap_or_default().max(1);
    columns.extend(stops.flat_map(|place| StopCell::ALL.map(|cell| Column::Stop(place, cell))));
    columns.push(Column::Health);
    columns.extend(conditions.into_iter().map(|name| Column::Condition(name.to_owned())));
    columns.extend([Column::Probation, Column::Contract, Column::Note]);
    columns
}

/// The file.
pub fn write(due: &[FactsDue]) -> Result<String, csv::Error> {
    let columns = columns_of(&due.iter().map(|one| (&one.facts, one.years.as_slice())).collect::<Vec<_>>());
    let mut file = csv::Writer::from_writer(BYTE_ORDER_MARK.as_bytes().to_vec());
    let header = columns.iter().map(Column::name);
    file.write_record(header.chain(FOR_PEOPLE.map(str::to_owned)))?;
    for one in due {
        let cells = columns.iter().map(|column| match column {
            // White space in front keeps spreadsheets from taking 17 digits for an amount.
            Column::Number => format!("\t{}", one.number),
            Column::Note => harmless(one.note.as_deref().unwrap_or_default()),
            told => harmless(&told.cell(&one.facts)),
        });
        let missing = one.missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("、");
        let for_people = [harmless(&one.masked_name), one.ordinal.to_string(), missing];
        file.write_record(cells.chain(for_people))?;
    }
    let file = file.into_inner().map_err(csv::IntoInnerError::into_error)?;
    Ok(String::from_utf8(file).expect("what was written is text"))
}
