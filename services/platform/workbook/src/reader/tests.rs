//! What the child writes for the cells of a sheet.

use std::io::Cursor;

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};

use super::*;

fn csv(fill: impl FnOnce(&mut Worksheet)) -> String {
    let mut workbook = Workbook::new();
    fill(workbook.add_worksheet());
    workbook.add_worksheet().write(0, 0, "第二张表").unwrap();
    let mut output = Vec::new();
    write_csv(Cursor::new(workbook.save_to_buffer().unwrap()), &mut output).unwrap();
    String::from_utf8(output).unwrap()
}

#[test]
fn each_row_of_the_first_sheet_is_a_line() {
    let text = csv(|sheet| {
        sheet.write(0, 0, "姓名").unwrap();
        sheet.write(0, 1, "证书号码").unwrap();
        sheet.write(3, 1, "20103203221000001").unwrap();
        sheet.write(5, 0, "示\n例\"一\"").unwrap();
    });
    assert_eq!(text, "\"姓名\",\"证书号码\"\n\n\n\"\",\"20103203221000001\"\n\n\"示 例\"\"一\"\"\"\n");
}

#[test]
fn a_cell_is_what_the_sheet_shows_and_what_lost_its_digits_shows_it() {
    let text = csv(|sheet| {
        let day = Format::new().set_num_format("yyyy-mm-dd");
        sheet.write_with_format(0, 0, ExcelDateTime::from_ymd(2010, 6, 15).unwrap(), &day).unwrap();
        sheet.write(0, 1, 3).unwrap();
        sheet.write(0, 2, 20_103_203_221_000_001_f64).unwrap();
        sheet.write(0, 3, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
        sheet.write(0, 4, true).unwrap();
        sheet.write(0, 5, 123_456_789_012_345_f64).unwrap();
    });
    assert_eq!(text, "\"2010-06-15\",\"3\",\"2.0103203221e16\",\"#DIV/0!\",\"true\",\"123456789012345\"\n");
}

#[test]
fn a_row_is_never_wider_than_says_that_it_is_too_wide() {
    let text = csv(|sheet| {
        sheet.write(0, 16_383, "x").unwrap();
    });
    assert_eq!(text.matches(',').count(), MOST_COLUMNS - 1);
}

#[test]
fn what_is_no_workbook_is_refused() {
    let mut workbook = Workbook::new();
    workbook.add_worksheet().write(0, 0, "姓名").unwrap();
    let whole = workbook.save_to_buffer().unwrap();
    for file in [b"PK\x03\x04".to_vec(), whole[..whole.len() / 2].to_vec(), Vec::new()] {
        assert!(write_csv(Cursor::new(file), &mut Vec::new()).is_err());
    }
}
