//! The child that reads a workbook from its input and writes the first sheet as CSV to its output, a line a row. It trusts nothing, and has nothing.

use std::fs::File;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::os::fd::AsFd as _;
use std::process::ExitCode;

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};
use nix::sys::resource::{Resource, setrlimit};

use super::Flaw;

#[cfg(test)]
mod tests;

/// What makes a program of this service the child.
pub const ARGUMENT: &str = "read-workbook";

/// Bytes of memory and seconds of work that it may take: enough for a million rows.
const MEMORY: u64 = 512 * 1024 * 1024;
const SECONDS: u64 = 120;
/// Rows and columns of the largest sheet that spreadsheets make; of the columns a file of ours needs few.
const MOST_ROWS: u32 = 1_048_576;
const MOST_COLUMNS: usize = 129;
/// Numbers from here on have lost their last digits: a number of a certificate or a person has to be text.
const EXACT: f64 = 1e15;

const ENCRYPTED: u8 = 10;
const MALFORMED: u8 = 11;
const UNLIMITED: u8 = 12;

/// Whether this program was started to be the child.
pub fn is_asked_for() -> bool {
    std::env::args_os().nth(1).is_some_and(|argument| argument == ARGUMENT)
}

/// What an exit code of the child means.
pub fn flaw(code: i32) -> Flaw {
    match u8::try_from(code) {
        Ok(ENCRYPTED) => Flaw::Encrypted,
        Ok(UNLIMITED) => Flaw::NoReader,
        // A panic within the library, too.
        _ => Flaw::Malformed,
    }
}

/// Is the child.
pub fn run() -> ExitCode {
    let limits = [
        (Resource::RLIMIT_AS, MEMORY),
        (Resource::RLIMIT_CPU, SECONDS),
        (Resource::RLIMIT_FSIZE, 0),
        // What it has in memory stays there.
        (Resource::RLIMIT_CORE, 0),
    ];
    let limited = limits.into_iter().all(|(resource, most)| setrlimit(resource, most, most).is_ok());
    let (input, output) = (io::stdin(), io::stdout());
    let ends = (input.as_fd().try_clone_to_owned(), output.as_fd().try_clone_to_owned());
    let (true, (Ok(input), Ok(output))) = (limited, ends) else { return ExitCode::from(UNLIMITED) };
    match write_csv(File::from(input), BufWriter::new(File::from(output))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(XlsxError::Password) => ExitCode::from(ENCRYPTED),
        Err(_) => ExitCode::from(MALFORMED),
    }
}

/// Writes the rows of the first sheet, each in the line of its number.
fn write_csv(input: impl Read + Seek, mut output: impl Write) -> Result<(), XlsxError> {
    let mut workbook = Xlsx::new(input)?;
    let sheet = workbook.sheet_names().into_iter().next().ok_or(XlsxError::Unexpected("no sheet"))?;
    let mut cells = workbook.worksheet_cells_reader(&sheet)?;
    let (mut line, mut row): (u32, Vec<String>) = (0, Vec::new());
    while let Some(cell) = cells.next_cell()? {
        let (number, column) = cell.get_position();
        if number < line || number >= MOST_ROWS {
            return Err(XlsxError::Unexpected("a row out of place"));
        }
        while line < number {
            write_row(&mut output, &mut row)?;
            line += 1;
        }
        // One column more than any file of ours has says enough of the others.
        let column = usize::try_from(column).unwrap_or(MOST_COLUMNS).min(MOST_COLUMNS - 1);
        if column >= row.len() {
            row.resize(column + 1, String::new());
        }
        row[column] = render(cell.get_value());
    }
    write_row(&mut output, &mut row)?;
    Ok(output.flush()?)
}

/// A line of CSV, quoted; nothing but its end for a row without content.
fn write_row(output: &mut impl Write, row: &mut Vec<String>) -> io::Result<()> {
    if row.iter().any(|cell| !cell.is_empty()) {
        for (place, cell) in row.iter().enumerate() {
            let separator = if place == 0 { "" } else { "," };
            write!(output, "{separator}\"{}\"", cell.replace('"', "\"\""))?;
        }
    }
    row.clear();
    output.write_all(b"\n")
}

/// A cell as a file has it; what has lost digits, or has no result, shows it.
fn render(value: &DataRef<'_>) -> String {
    let text = match value {
        DataRef::Empty => String::new(),
        DataRef::String(text) | DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.abs() < EXACT => number.to_string(),
        DataRef::Float(number) => format!("{number:e}"),
        DataRef::Bool(value) => value.to_string(),
        DataRef::DateTime(time) if time.is_datetime() => {
            let (year, month, day, ..) = time.to_ymd_hms_milli();
            format!("{year:04}-{month:02}-{day:02}")
        }
        DataRef::DateTime(time) => time.as_f64().to_string(),
        DataRef::Error(error) => error.to_string(),
    };
    // A line of the output is a row of the sheet.
    text.replace(['\r', '\n'], " ")
}
