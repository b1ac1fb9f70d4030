//! A part of the register's file as a workbook, in which every certificate has another subject than before.

use std::path::Path;

use cluster::Result;
use cluster::failure::Doing as _;
use rust_xlsxwriter::Workbook;

/// Where the subject stands, and what it is.
const SUBJECT: (usize, &str) = (4, "综合实践");

/// Writes the first rows of the text.
pub fn write(path: &Path, csv: &Path, rows: u32) -> Result<()> {
    let doing = || format!("write {}", path.display());
    let mut reader = csv::Reader::from_path(csv).doing(doing)?;
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, reader.headers().doing(doing)?).doing(doing)?;
    for (record, row) in reader.records().zip(1..=rows) {
        let record = record.doing(doing)?;
        let cells = record.iter().enumerate().map(|(place, cell)| if place == SUBJECT.0 { SUBJECT.1 } else { cell });
        sheet.write_row(row, 0, cells).doing(doing)?;
    }
    workbook.save(path).doing(doing)
}
