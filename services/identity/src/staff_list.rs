//! The file of a staff list: its encoding, its columns, its rows. The source is untrusted.

use std::borrow::Cow;

use encoding_rs::GB18030;

/// Headers of the columns, which may stand in any order.
pub const COLUMNS: [&str; 6] = ["证件类型", "证件号码", "姓名", "角色", "行政区划", "单位"];
/// Bytes of the largest file; it is held in memory while it is read.
pub const LARGEST_FILE: usize = 4 * 1024 * 1024;
/// Rows of the longest file.
pub const MOST_ROWS: usize = 10_000;

/// A row as it stands in the file.
pub struct Row {
    /// Line of the file; the header is 1.
    pub line: i64,
    /// In the order of [`COLUMNS`], without blanks around them.
    pub cells: [String; 6],
}

/// Why a file cannot be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileFlaw {
    /// Neither UTF-8 nor GB18030, or not a table.
    #[error("the file is not text")]
    NotText,
    /// The header leaves out a column.
    #[error("the column {0} is missing")]
    ColumnMissing(&'static str),
    /// More rows than are taken at once.
    #[error("the file has too many rows")]
    TooManyRows,
}

/// All rows of a file.
pub fn read(file: &[u8]) -> Result<Vec<Row>, FileFlaw> {
    let text = decode(file).ok_or(FileFlaw::NotText)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|_| FileFlaw::NotText)?;
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        let found = header.iter().position(|cell| cell.trim() == column);
        *place = found.ok_or(FileFlaw::ColumnMissing(column))?;
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|_| FileFlaw::NotText)?;
        if rows.len() == MOST_ROWS {
            return Err(FileFlaw::TooManyRows);
        }
        let line = record.position().map_or(0, |position| line(&text, position));
        let cells = places.map(|place| record.get(place).unwrap_or_default().trim().to_owned());
        rows.push(Row { line, cells });
    }
    Ok(rows)
}

/// The line at which a record begins; its position is the one before the empty lines that were passed over.
fn line(text: &str, position: &csv::Position) -> i64 {
    let at = usize::try_from(position.byte()).unwrap_or(usize::MAX).min(text.len());
    let rest = &text.as_bytes()[at..];
    let passed = rest.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).filter(|byte| **byte == b'\n');
    position.line().cast_signed() + i64::try_from(passed.count()).unwrap_or(i64::MAX)
}

/// UTF-8, with or without a byte order mark; what is none is GB18030, as spreadsheets in China save it.
fn decode(file: &[u8]) -> Option<Cow<'_, str>> {
    let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
    match std::str::from_utf8(file) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => GB18030.decode_without_bom_handling_and_without_replacement(file),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "姓名,证件类型,证件号码,角色,行政区划,单位,备注\n 示例一 ,居民身份证,1,学校老师,320302,x,无\n\"示例\n二\",,,,,\r\n\r\n\n短\n";

    fn lines(file: &[u8]) -> Vec<(i64, String, String)> {
        let rows = read(file).unwrap().into_iter();
        rows.map(|row| (row.line, row.cells[0].clone(), row.cells[2].clone())).collect()
    }

    #[test]
    fn columns_stand_anywhere_and_lines_are_those_of_the_file() {
        let expected = [(2, "居民身份证", "示例一"), (3, "", "示例\n二"), (7, "", "短")];
        let expected = expected.map(|(line, kind, name)| (line, kind.to_owned(), name.to_owned()));
        assert_eq!(lines(FILE.as_bytes()), expected);
        assert_eq!(lines(format!("\u{feff}{FILE}").as_bytes()), expected);
        assert_eq!(lines(&GB18030.encode(FILE).0), expected);
    }

    #[test]
    fn what_is_no_list_is_refused_as_a_whole() {
        let flaw = |file: &[u8]| read(file).err();
        assert_eq!(flaw(b""), Some(FileFlaw::ColumnMissing("证件类型")));
        assert_eq!(flaw("证件类型,证件号码,姓名,角色,单位\n".as_bytes()), Some(FileFlaw::ColumnMissing("行政区划")));
        assert_eq!(flaw(b"\xff\xff\xff"), Some(FileFlaw::NotText));
        let header = "证件类型,证件号码,姓名,角色,行政区划,单位\n";
        assert_eq!(read(format!("{header}{}", "x\n".repeat(MOST_ROWS)).as_bytes()).unwrap().len(), MOST_ROWS);
        assert_eq!(flaw(format!("{header}{}", "x\n".repeat(MOST_ROWS + 1)).as_bytes()), Some(FileFlaw::TooManyRows));
    }
}
