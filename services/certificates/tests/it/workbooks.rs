//! A register's workbook is taken as its CSV is; a hostile one ends in a refusal, and the service lives on.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use bytes::Bytes;
use certificates::Certificates;
use certificates::config::Settings;
use flate2::{Compress, Compression, FlushCompress};
use futures::stream;
use lifecycle::Lifecycle;
use proto::certificates::v1 as wire;
use proto::certificates::v1::import_register_request::Part;
use proto::certificates::v1::sync_client::SyncClient;
use proto::identity::v1::Role;
use rust_xlsxwriter::{Formula, Workbook};
use service::testing::{Running, start};
use tokio::sync::mpsc;
use uuid::Uuid;
use workbook::Workbooks;

use crate::identity::{self, People};
use crate::sync::{TEACHER, eventually, listed, options};

const HEADER: [&str; 7] = ["证件号码", "姓名", "证书号码", "资格种类", "任教学科", "认定机构", "签发日期"];

async fn running() -> Running<Certificates> {
    let people = People::default();
    people.add(&TEACHER);
    let program = env!("CARGO_BIN_EXE_certificates").into();
    let settings = Settings { workbook_reader: Some(program), ..Settings::default() };
    start::<Certificates>(settings, vec![identity::start(&people).await]).await
}

/// Imports a workbook; gives its last report, its rejected rows, and the reason that ended it.
async fn import(
    running: &Running<Certificates>,
    file: &[u8],
) -> (wire::ImportRegisterResponse, Vec<wire::RejectedRow>, Option<String>) {
    let officer = running.staff(Uuid::from_u128(0x0ff1), Role::RegisterOfficer, "32", None).await;
    // The first pieces are shorter than what tells a workbook from a text.
    let (first, rest) = file.split_at(3.min(file.len()));
    let chunks = std::iter::once(first).chain(rest.chunks(60_000)).map(|chunk| Part::Chunk(chunk.to_vec().into()));
    let parts: Vec<_> = std::iter::once(Part::Options(options()))
        .chain(chunks)
        .map(|part| wire::ImportRegisterRequest { part: Some(part) })
        .collect();
    let mut answers = SyncClient::new(officer).import_register(stream::iter(parts)).await.unwrap().into_inner();
    let (mut last, mut rejected) = (wire::ImportRegisterResponse::default(), Vec::new());
    loop {
        match answers.message().await {
            Ok(Some(report)) => {
                rejected.extend(report.rejected_rows.clone());
                last = report;
            }
            Ok(None) => return (last, rejected, None),
            Err(status) => {
                let refusal = rpc::Refusal::from_status(&status);
                assert!(!refusal.sentence.is_empty());
                return (last, rejected, Some(refusal.reason));
            }
        }
    }
}

fn row(number: &'static str) -> [&'static str; 7] {
    [TEACHER.number, TEACHER.name, number, "小学教师资格", "语文", "徐州市教育局", "2010-06-15"]
}

fn workbook(rows: &[[&'static str; 7]]) -> Workbook {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet();
    sheet.write_row(0, 0, HEADER).unwrap();
    for (row, number) in rows.iter().zip(1..) {
        sheet.write_row(number, 0, *row).unwrap();
    }
    workbook
}

#[tokio::test]
async fn a_workbook_is_taken_as_its_text_is() {
    let running = running().await;
    let file = workbook(&[row("20103203221000001"), row("20103203221000002")]).save_to_buffer().unwrap();
    let (last, rejected, refusal) = import(&running, &file).await;
    assert_eq!((last.done, last.rows_read, last.added, rejected, refusal), (true, 2, 2, Vec::new(), None));
    assert_eq!(listed(&running, TEACHER.id, 2).await[0].subject, "语文");
    let (last, _, _) = import(&running, &file).await;
    assert_eq!((last.done, last.added, last.unchanged), (true, 0, 2));
}

#[tokio::test]
async fn a_sheet_says_of_the_certificate_itself_what_a_file_says() {
    let running = running().await;
    let mut workbook = workbook(&[row("20103203221000001"), row("20103203221000002"), row("20103203221000003")]);
    let sheet = workbook.worksheet_from_index(0).unwrap();
    sheet.write(0, 7, "状态").unwrap();
    sheet.write(1, 7, 1).unwrap();
    sheet.write(2, 7, "正常").unwrap();
    sheet.write(3, 7, 3).unwrap();
    let (last, rejected, refusal) = import(&running, &workbook.save_to_buffer().unwrap()).await;
    assert_eq!((last.done, last.added, refusal), (true, 2, None));
    let rejected: Vec<_> = rejected.iter().map(|row| (row.line, row.field.as_str(), row.reason.as_str())).collect();
    assert_eq!(rejected, [(4, "状态", "UNKNOWN_STATUS")]);
    eventually("the restriction", async || {
        let listed = listed(&running, TEACHER.id, 2).await;
        let restricted: Vec<_> = listed.iter().filter(|one| one.restricted).map(|one| &one.masked_number).collect();
        (restricted == ["2010***********01"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_formula_without_a_result_and_a_number_without_its_digits_are_rejected_with_their_row() {
    let running = running().await;
    let mut workbook = workbook(&[row("20103203221000001"), row("20103203221000002"), row("20103203221000003")]);
    let sheet = workbook.worksheet_from_index(0).unwrap();
    sheet.write(2, 4, Formula::new("=NA()").set_result("#N/A")).unwrap();
    sheet.write(3, 2, 20_103_203_221_000_003_f64).unwrap();
    let (last, rejected, refusal) = import(&running, &workbook.save_to_buffer().unwrap()).await;
    assert_eq!((last.done, last.added, refusal), (true, 1, None));
    let rejected: Vec<_> = rejected.iter().map(|row| (row.line, row.field.as_str(), row.reason.as_str())).collect();
    assert_eq!(rejected, [(3, "任教学科", "FORMULA_ERROR"), (4, "证书号码", "NOT_A_CERTIFICATE_NUMBER")]);
}

/// A ZIP archive whose last entry is given as the deflated bytes of so many.
fn archive(entries: &[(&str, &str)], last: &str, deflated: &[u8], size: u32) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    let plain = entries.iter().map(|(name, text)| (*name, 0_u16, text.as_bytes(), u32::try_from(text.len()).unwrap()));
    for (name, method, bytes, size) in plain.chain([(last, 8, deflated, size)]) {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let offset = u32::try_from(file.len()).unwrap();
        let (length, name_length) = (u32::try_from(bytes.len()).unwrap(), u16::try_from(name.len()).unwrap());
        let mut common = Vec::new();
        common.write_all(&20_u16.to_le_bytes()).unwrap();
        common.write_all(&0_u16.to_le_bytes()).unwrap();
        common.write_all(&method.to_le_bytes()).unwrap();
        common.write_all(&[0; 4]).unwrap();
        common.write_all(&crc.sum().to_le_bytes()).unwrap();
        common.write_all(&length.to_le_bytes()).unwrap();
        common.write_all(&size.to_le_bytes()).unwrap();
        common.write_all(&name_length.to_le_bytes()).unwrap();
        common.write_all(&0_u16.to_le_bytes()).unwrap();
        file.extend([b"PK\x03\x04".as_slice(), &common, name.as_bytes(), bytes].concat());
        directory.extend([b"PK\x01\x02\x14\x00".as_slice(), &common, &[0; 10], &offset.to_le_bytes()].concat());
        directory.extend(name.as_bytes());
    }
    let count = u16::try_from(entries.len() + 1).unwrap().to_le_bytes();
    let (size, offset) = (u32::try_from(directory.len()).unwrap(), u32::try_from(file.len()).unwrap());
    let end = [b"PK\x05\x06\0\0\0\0".as_slice(), &count, &count, &size.to_le_bytes(), &offset.to_le_bytes(), &[0; 2]];
    [file, directory, end.concat()].concat()
}

/// A workbook of some megabytes whose one cell holds two gigabytes.
fn bomb() -> Vec<u8> {
    const MEBIBYTES: usize = 2_048;
    let mut compress = Compress::new(Compression::best(), false);
    let mut deflated = |bytes: &[u8]| {
        let mut output = Vec::with_capacity(bytes.len() + 1_024);
        compress.compress_vec(bytes, &mut output, FlushCompress::Full).unwrap();
        output
    };
    let opening = deflated(
        b"<worksheet xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><sheetData><row r=\"1\"><c r=\"A1\" t=\"inlineStr\"><is><t>",
    );
    // Fully flushed, so that the same bytes can stand behind themselves.
    let filling = deflated(&vec![b'x'; 1024 * 1024]);
    let sheet = [opening, filling.repeat(MEBIBYTES)].concat();
    let entries = [
        (
            "_rels/.rels",
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>",
        ),
        (
            "xl/workbook.xml",
            "<workbook xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><sheets><sheet name=\"x\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\"><Relationship Id=\"rId1\" Type=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet\" Target=\"worksheets/sheet1.xml\"/></Relationships>",
        ),
    ];
    archive(&entries, "xl/worksheets/sheet1.xml", &sheet, u32::try_from(MEBIBYTES * 1024 * 1024).unwrap())
}

#[tokio::test]
async fn what_no_workbook_is_ends_in_a_refusal_and_the_service_lives_on() {
    let running = running().await;
    let whole = workbook(&[row("20103203221000001")]).save_to_buffer().unwrap();
    let encrypted = [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".as_slice(), &[0; 4_096]].concat();
    let damaged = whole[..whole.len() / 2].to_vec();
    let other = archive(&[("mimetype", "application/epub+zip")], "x", b"\x03\x00", 0);
    for (file, reason) in [
        (encrypted, "WORKBOOK_ENCRYPTED"),
        (b"PK\x03\x04 and nothing that follows".to_vec(), "WORKBOOK_MALFORMED"),
        (damaged, "WORKBOOK_MALFORMED"),
        (other, "WORKBOOK_MALFORMED"),
        ([b"PK\x03\x04".to_vec(), vec![0; 65 * 1024 * 1024]].concat(), "WORKBOOK_TOO_LARGE"),
        (bomb(), "WORKBOOK_TOO_LARGE"),
    ] {
        let (last, _, refusal) = import(&running, &file).await;
        assert_eq!((last.done, last.added, refusal.as_deref()), (false, 0, Some(reason)));
    }
    let failed = running.service.ground.log.read(0, 1_000).await.unwrap();
    assert_eq!(failed.iter().filter(|event| event.kind.ends_with("SyncFailed")).count(), 6);
    let (last, _, refusal) = import(&running, &whole).await;
    assert_eq!((last.done, last.added, refusal), (true, 1, None));
}

/// Stands for the reader: says how many like it are at work.
const COUNTS: &str = "#!/bin/sh
: > \"$0.$$\"
set -- \"$0\".*
echo $#
/bin/sleep 0.2
/bin/rm \"$0.$$\"
";

#[tokio::test]
async fn two_workbooks_are_read_at_a_time_and_the_others_wait() {
    let files = tempfile::tempdir().unwrap();
    let program = files.path().join("reader");
    std::fs::write(&program, COUNTS).unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let workbooks = Workbooks { program, lifecycle: Lifecycle::new(Duration::from_secs(5)) };
    let begin = || {
        let (send, chunks) = mpsc::channel(1);
        send.try_send(Ok(Bytes::from_static(b"PK\x03\x04 and what follows"))).unwrap();
        workbooks.as_csv(chunks, 1)
    };
    let mut most = 0;
    for mut csv in std::iter::repeat_with(begin).take(6).collect::<Vec<_>>() {
        let mut text = Vec::new();
        while let Some(chunk) = csv.recv().await {
            text.extend(chunk.unwrap());
        }
        most = most.max(std::str::from_utf8(&text).unwrap().trim().parse().unwrap());
    }
    assert!((1..=2).contains(&most), "{most}");
}
