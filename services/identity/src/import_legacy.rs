//! The command `import-legacy`: reads the accounts of the old system from a file, line by line, and reports what cannot be taken.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};

use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime};

use crate::domain::contact::{self, ContactFlaw};
use crate::domain::document::DocumentFlaw;
use crate::domain::document_table::DocumentTypes;
use crate::domain::recovery::is_legacy;
use crate::error::Error;
use crate::handle::{Handle, LegacyAccount, today};

/// Columns of the file, in this order.
const HEADER: [&str; 3] = ["number", "name", "created_at"];
/// Bytes of the longest line; a longer one is rejected without being kept.
const LONGEST_LINE: u64 = 1024;
/// Accounts that are looked up together.
const BATCH: usize = 500;

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportDone {
    /// Lines of the file, without the header.
    pub rows: usize,
    /// Accounts that are new here.
    pub imported: usize,
    /// Accounts whose number has one already.
    pub known: usize,
    /// Lines that cannot be taken.
    pub rejected: usize,
}

/// Why a file was not imported, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The report cannot be written.
    #[error("cannot write {}", path.display())]
    Report {
        /// The file.
        path: PathBuf,
        /// Why.
        source: csv::Error,
    },
    /// The first line says something else.
    #[error("{}: the first line must be number,name,created_at", path.display())]
    Header {
        /// The file.
        path: PathBuf,
    },
    /// Something does not answer. What was imported stays; the same file may be imported again.
    #[error("the import failed")]
    Failed(#[from] Error),
}

/// A field that keeps its line from being taken, and why; never what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Problem(&'static str, &'static str);

/// Imports a file. Nothing is kept of it but one batch of lines.
pub async fn import(handle: &Handle, path: &Path, report: &Path, dry_run: bool) -> Result<ImportDone, ImportError> {
    let unreadable = |source| ImportError::Read { path: path.to_owned(), source };
    let unwritable = |source| ImportError::Report { path: report.to_owned(), source };
    let mut lines = Lines { file: BufReader::new(File::open(path).map_err(unreadable)?), line: Vec::new() };
    match lines.next_line().map_err(unreadable)? {
        Some(Ok(header)) if cells(header.trim_start_matches('\u{feff}')).is_some_and(|cells| cells == HEADER) => {}
        _ => return Err(ImportError::Header { path: path.to_owned() }),
    }
    let mut report_file = csv::Writer::from_path(report).map_err(unwritable)?;
    report_file.write_record(["line", "field", "reason"]).map_err(unwritable)?;
    let today = today();
    let (mut done, mut batch) = (ImportDone::default(), Vec::with_capacity(BATCH));
    loop {
        let line = lines.next_line().map_err(unreadable)?;
        let at_end = line.is_none();
        if let Some(line) = line {
            done.rows += 1;
            match line.map_err(|problem| vec![problem]).and_then(|line| parse(line, &handle.document_types, today)) {
                Ok(account) => batch.push(account),
                Err(problems) => {
                    done.rejected += 1;
                    let number = (done.rows + 1).to_string();
                    for Problem(field, reason) in problems {
                        report_file.write_record([number.as_str(), field, reason]).map_err(unwritable)?;
                    }
                }
            }
        }
        if batch.len() == BATCH || at_end {
            let taken = handle.import_legacy(&batch, dry_run).await?;
            (done.imported, done.known) = (done.imported + taken.imported, done.known + taken.known);
            batch.clear();
        }
        if at_end {
            report_file.flush().map_err(|source| unwritable(source.into()))?;
            return Ok(done);
        }
    }
}

/// The lines of a file that nobody vouches for.
struct Lines {
    file: BufReader<File>,
    line: Vec<u8>,
}

impl Lines {
    /// The next line; `None` at the end. Of one that is too long nothing is kept.
    fn next_line(&mut self) -> io::Result<Option<Result<&str, Problem>>> {
        self.line.clear();
        if self.file.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let mut too_long = false;
        while !self.line.ends_with(b"\n") && self.line.len() as u64 > LONGEST_LINE {
            too_long = true;
            self.line.clear();
            self.file.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut self.line)?;
        }
        if too_long {
            return Ok(Some(Err(Problem("", "TOO_LONG"))));
        }
        Ok(Some(std::str::from_utf8(&self.line).map_err(|_| Problem("", "NOT_UTF8"))))
    }
}

/// The cells of a line; `None` when it is none of CSV.
fn cells(line: &str) -> Option<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(line.as_bytes());
    let record = reader.records().next()?.ok()?;
    Some(record.iter().map(|cell| cell.trim().to_owned()).collect())
}

/// Reads a line, or says all that is wrong with it.
fn parse(line: &str, types: &DocumentTypes, today: Date) -> Result<LegacyAccount, Vec<Problem>> {
    let Some(Ok([number, name, created_at])) = cells(line).map(<[String; 3]>::try_from) else {
        return Err(vec![Problem("", "MALFORMED")]);
    };
    let mut problems = Vec::new();
    let document = types.on(today).judge(&number, today);
    let document = document.map_err(|flaw| problems.push(Problem("number", number_flaw(flaw)))).ok();
    let name = contact::name(&name).map_err(|flaw| problems.push(Problem("name", name_flaw(flaw)))).ok();
    let created_at = match OffsetDateTime::parse(&created_at, &Rfc3339) {
        Ok(at) if is_legacy(at) => Some(at),
        Ok(_) => {
            problems.push(Problem("created_at", "NOT_LEGACY"));
            None
        }
        Err(_) => {
            problems.push(Problem("created_at", if created_at.is_empty() { "REQUIRED" } else { "MALFORMED" }));
            None
        }
    };
    match (document, name, created_at) {
        (Some(document), Some(name), Some(created_at)) => Ok(LegacyAccount { document, name, created_at }),
        _ => Err(problems),
    }
}

fn number_flaw(flaw: DocumentFlaw) -> &'static str {
    match flaw {
        DocumentFlaw::Empty => "REQUIRED",
        DocumentFlaw::Shape => "MALFORMED",
        DocumentFlaw::Province => "UNKNOWN_PROVINCE",
        DocumentFlaw::Date => "IMPOSSIBLE_DATE",
        DocumentFlaw::CheckDigit => "WRONG_CHECK_DIGIT",
        DocumentFlaw::OtherType => "OTHER_DOCUMENT_TYPE",
        DocumentFlaw::NonChineseResident => "NON_CHINESE_RESIDENT",
    }
}

fn name_flaw(flaw: ContactFlaw) -> &'static str {
    match flaw {
        ContactFlaw::Empty => "REQUIRED",
        ContactFlaw::Shape => "MALFORMED",
    }
}
