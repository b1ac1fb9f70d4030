//! Records are cut as the widely used reader cuts them, with the lines of the file, and never beyond the bound.

use proptest::prelude::*;

use super::*;

/// What comes of a file: line and cells of each record (`None` when too large), and how it ends.
type Outcome = (Vec<(i64, Option<Vec<String>>)>, Result<(), Stopped>);

fn records(file: &[u8], chunk: usize) -> Outcome {
    let (send, chunks) = mpsc::channel(file.len() + 1);
    for part in file.chunks(chunk) {
        send.try_send(Ok(Bytes::copy_from_slice(part))).unwrap();
    }
    drop(send);
    let (mut records, mut found) = (Records::new(chunks), Vec::new());
    loop {
        match records.read() {
            Ok(None) => return (found, Ok(())),
            Err(stopped) => return (found, Err(stopped)),
            Ok(Some(Record { line, cells })) => {
                let cells = cells.map(|cells| cells.text(Encoding::Utf8).unwrap());
                found.push((line, cells.map(|cells| cells.into_iter().map(Cow::into_owned).collect())));
            }
        }
    }
}

fn lines(file: &str) -> Vec<i64> {
    let (found, end) = records(file.as_bytes(), 5);
    assert_eq!(end, Ok(()));
    found.into_iter().map(|(line, _)| line).collect()
}

#[test]
fn a_line_is_the_one_that_an_editor_shows() {
    assert_eq!(lines("a\nb\nc"), [1, 2, 3]);
    assert_eq!(lines("a\n\n\nb\n\nc\n\n"), [1, 4, 6]);
    assert_eq!(lines("a\r\n\r\n\r\nb\r\n"), [1, 4]);
    assert_eq!(lines("a\r\rb\r"), [1, 3]);
    assert_eq!(lines("\n\u{20}\na"), [2, 3]);
    assert_eq!(lines("a,\"x\ny\r\nz\"\nb"), [1, 4]);
    assert_eq!(lines("\u{feff}"), [0; 0]);
    let (found, _) = records("\u{feff}\n\"a\"\nb".as_bytes(), 100);
    assert_eq!(found, [(2, Some(vec!["a".to_owned()])), (3, Some(vec!["b".to_owned()]))]);
}

#[test]
fn a_record_that_is_too_large_is_let_go_and_the_next_one_is_read() {
    let fits = "x".repeat(LARGEST_RECORD - 1);
    let long = "x".repeat(LARGEST_RECORD * 3 + 1);
    let wide = ",".repeat(MOST_CELLS * 3);
    let (found, end) = records(format!("{fits}\n{long}\n\n{wide}\na").as_bytes(), 1_000);
    let found: Vec<_> = found.into_iter().map(|(line, cells)| (line, cells.map(|cells| cells[0].len()))).collect();
    assert_eq!(found, [(1, Some(fits.len())), (2, None), (4, None), (5, Some(1))]);
    assert_eq!(end, Ok(()));
}

#[test]
fn a_quote_that_stays_open_ends_the_reading_at_its_line() {
    let (found, end) = records(b"a\n\nb,\"c\nd\n", 3);
    assert_eq!((found.len(), end), (1, Err(Stopped::QuoteNotClosed { line: 3 })));
    let (found, end) = records(b"a\n\"", 3);
    assert_eq!((found.len(), end), (1, Err(Stopped::QuoteNotClosed { line: 2 })));
    let (found, end) = records(b"a\n\"b\"", 3);
    assert_eq!((found.len(), end), (2, Ok(())));
}

#[test]
fn behind_an_open_quote_no_more_is_taken_than_a_record_may_hold() {
    let (send, chunks) = mpsc::channel::<Chunk>(1_000);
    send.try_send(Ok(Bytes::from_static(b"a\nb,\"c\n"))).unwrap();
    let line = Bytes::from("x,y\n".repeat(250));
    for _ in 0..500 {
        send.try_send(Ok(line.clone())).unwrap();
    }
    let mut records = Records::new(chunks);
    assert!(records.read().is_ok_and(|record| record.is_some()));
    assert_eq!(records.read().err(), Some(Stopped::QuoteNotClosed { line: 2 }));
    drop(send);
    assert!(records.chunks.len() >= 500 - LARGEST_RECORD / line.len() - 1, "{} chunks are left", records.chunks.len());
}

#[test]
fn a_broken_upload_is_told_apart_from_the_end() {
    let (send, chunks) = mpsc::channel(2);
    send.try_send(Ok(Bytes::from_static(b"a\nb"))).unwrap();
    send.try_send(Err(UploadBroken)).unwrap();
    let mut records = Records::new(chunks);
    assert!(records.read().is_ok_and(|record| record.is_some()));
    assert_eq!(records.read().err(), Some(Stopped::Broken(UploadBroken)));
}

#[test]
fn both_encodings_are_read_and_neither_guesses() {
    let text = "证件号码,\"姓名,\"\"\",㐀𠮷";
    let expected = ["证件号码", "姓名,\"", "㐀𠮷"];
    for (bytes, encoding, other) in [
        (text.as_bytes().to_vec(), Encoding::Utf8, None),
        (GB18030.encode(text).0.into_owned(), Encoding::Gb18030, Some(Encoding::Utf8)),
    ] {
        let (send, chunks) = mpsc::channel::<Chunk>(100);
        bytes.chunks(3).for_each(|part| send.try_send(Ok(Bytes::copy_from_slice(part))).unwrap());
        drop(send);
        let mut records = Records::new(chunks);
        let cells = records.read().unwrap().unwrap().cells.unwrap();
        assert_eq!(cells.text(encoding).unwrap(), expected);
        assert!(other.is_none_or(|other| cells.text(other).is_none()));
    }
}

fn read_elsewhere(file: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

proptest! {
    /// Also the quotes that stand where they should not.
    #[test]
    fn records_are_those_of_the_widely_used_reader(file in "[a-c,\"\r\n]{0,60}", chunk in 1_usize..20) {
        let (found, end) = records(file.as_bytes(), chunk);
        let mut expected = read_elsewhere(&file);
        // Behind an open quote one more line is a part of the last cell, and a record of its own else.
        let one_more = read_elsewhere(&format!("{file}\n,")).len();
        prop_assert_eq!(end.is_err(), one_more == expected.len());
        if end.is_err() {
            // It takes the open quote's record for a whole one.
            expected.pop();
        }
        prop_assert_eq!(found.iter().map(|(_, cells)| cells.clone().unwrap()).collect::<Vec<_>>(), expected);
        prop_assert!(found.is_sorted_by(|(one, _), (other, _)| one < other));
        let breaks = file.matches("\r\n").count() + file.replace("\r\n", "").matches(['\r', '\n']).count();
        prop_assert!(found.iter().all(|(line, _)| *line <= i64::try_from(breaks).unwrap() + 1));
    }

    #[test]
    fn chunks_make_no_difference(file in "[a,\"\r\n\u{feff}证]{0,60}", chunk in 3_usize..20) {
        prop_assert_eq!(records(file.as_bytes(), chunk), records(file.as_bytes(), 1_000));
    }
}

/// What a reader gets of these parts.
async fn received(parts: Vec<Option<Bytes>>) -> Vec<Chunk> {
    let (send, mut reader) = mpsc::channel(8);
    receive(futures::stream::iter(parts), send, UploadBroken).await;
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.recv().await {
        chunks.push(chunk);
    }
    chunks
}

#[tokio::test]
async fn an_upload_breaks_off_at_what_is_no_chunk_or_too_large_a_one() {
    let chunk = |bytes: usize| Some(Bytes::from(vec![b'a'; bytes]));
    let whole = received(vec![chunk(1), chunk(LARGEST_CHUNK)]).await;
    assert_eq!(whole, [Ok(chunk(1).unwrap()), Ok(chunk(LARGEST_CHUNK).unwrap())]);
    for wrong in [None, chunk(LARGEST_CHUNK + 1)] {
        let broken = received(vec![chunk(1), wrong, chunk(1)]).await;
        assert_eq!(broken, [Ok(chunk(1).unwrap()), Err(UploadBroken)], "and nothing of what follows");
    }
}
