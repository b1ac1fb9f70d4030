//! Comma-separated records out of chunks of any size: one at a time, within a bound, each with the line at which it begins.

use std::borrow::Cow;

use bytes::{Buf as _, Bytes};
use csv_core::{ReadRecordResult, Reader};
use encoding_rs::GB18030;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;

#[cfg(test)]
mod tests;

/// Bytes of the largest record, without its quotes: far more than the columns of a register hold.
pub const LARGEST_RECORD: usize = 16 * 1024;
/// Bytes of the largest chunk of a file on its way.
pub const LARGEST_CHUNK: usize = 64 * 1024;
/// Cells of the widest record.
const MOST_CELLS: usize = 128;
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A piece of the file, or the news that no more will come although the file has not ended.
pub type Chunk<B = UploadBroken> = Result<Bytes, B>;

/// The upload ended before the file did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the upload broke off")]
pub struct UploadBroken;

/// Why nothing more of a file can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stopped<B = UploadBroken> {
    /// No more of it comes, for this reason.
    #[error(transparent)]
    Broken(#[from] B),
    /// A cell's quote is still open after all that a record may hold, or at the end of the file: where the next record
    /// begins is not known.
    #[error("a quote of the record at line {line} is not closed")]
    QuoteNotClosed {
        /// At which the record begins; the file's first is 1.
        line: i64,
    },
}

/// Hands the chunks of an upload to whoever reads it, until it ends or breaks off: by a chunk that is too large, or by `None`, which stands
/// for a part that is no chunk and for a caller that vanished.
pub async fn receive<B>(
    mut parts: impl Stream<Item = Option<Bytes>> + Unpin,
    reader: mpsc::Sender<Chunk<B>>,
    broken: B,
) {
    while let Some(part) = parts.next().await {
        let Some(chunk) = part.filter(|chunk| chunk.len() <= LARGEST_CHUNK) else {
            // Who has stopped reading needs no telling.
            return drop(reader.send(Err(broken)).await);
        };
        // The reader has stopped by itself and said why.
        if reader.send(Ok(chunk)).await.is_err() {
            return;
        }
    }
}

/// How the text of a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// With or without a byte order mark.
    Utf8,
    /// As spreadsheets in China save it; GBK and GB2312 are parts of it.
    Gb18030,
}

/// A record.
pub struct Record<'r> {
    /// Line at which it begins; the file's first is 1.
    pub line: i64,
    /// `None` when it is larger than [`LARGEST_RECORD`] or wider than any table.
    pub cells: Option<Cells<'r>>,
}

/// The cells of a record, not yet read as text.
#[derive(Clone, Copy)]
pub struct Cells<'r> {
    bytes: &'r [u8],
    ends: &'r [usize],
}

impl<'r> Cells<'r> {
    /// All cells of a header as text, and the encoding that the whole file has, since a header can be read in one alone; `None` where it can
    /// be read in neither.
    pub fn header(self) -> Option<(Vec<Cow<'r, str>>, Encoding)> {
        let read = |encoding| Some((self.text(encoding)?, encoding));
        read(Encoding::Utf8).or_else(|| read(Encoding::Gb18030))
    }

    /// All cells as text; `None` when one of them is none in this encoding.
    pub fn text(self, encoding: Encoding) -> Option<Vec<Cow<'r, str>>> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        let cells = begins.zip(self.ends).map(|(begin, end)| &self.bytes[begin..*end]);
        cells
            .map(|cell| match encoding {
                Encoding::Utf8 => std::str::from_utf8(cell).ok().map(Cow::Borrowed),
                Encoding::Gb18030 => GB18030.decode_without_bom_handling_and_without_replacement(cell),
            })
            .collect()
    }
}

/// The records of a file. Holds one chunk and one record, whatever the file holds; blocks while it waits for a chunk.
pub struct Records<B = UploadBroken> {
    chunks: mpsc::Receiver<Chunk<B>>,
    chunk: Bytes,
    parser: Reader,
    cells: Box<[u8]>,
    ends: Box<[usize]>,
    /// Line of the next byte.
    line: i64,
    /// The last byte ended a line that a line feed may still belong to.
    after_return: bool,
    begun: bool,
    place: Place,
}

/// Where in a cell the next byte stands: the parser knows, but does not tell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Beginning,
    Within,
    WithinQuotes,
    /// Behind a quote that ends the quoted part, unless another one follows.
    BehindQuote,
}

impl Place {
    fn behind(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::WithinQuotes, b'"') => Self::BehindQuote,
            (Self::Beginning | Self::BehindQuote, b'"') | (Self::WithinQuotes, _) => Self::WithinQuotes,
            (Self::Beginning | Self::Within | Self::BehindQuote, b',' | b'\r' | b'\n') => Self::Beginning,
            (Self::Beginning | Self::Within | Self::BehindQuote, _) => Self::Within,
        }
    }
}

impl<B> Records<B> {
    /// Of the file that comes in these chunks.
    pub fn new(chunks: mpsc::Receiver<Chunk<B>>) -> Self {
        let mut parser = Reader::new();
        // It passes over a byte order mark at its own beginning when the chunk happens to hold the whole of it: we do that.
        parser.read_record(b"\n", &mut [0; 1], &mut [0; 1]);
        Self {
            chunks,
            chunk: Bytes::new(),
            parser,
            cells: vec![0; LARGEST_RECORD].into(),
            ends: vec![0; MOST_CELLS].into(),
            line: 1,
            after_return: false,
            begun: false,
            place: Place::Beginning,
        }
    }

    /// The next record that is no empty line; `None` at the end of the file.
    pub fn read(&mut self) -> Result<Option<Record<'_>>, Stopped<B>> {
        if !self.pass_over_empty_lines()? {
            return Ok(None);
        }
        let line = self.line;
        let (mut written, mut ended, mut fits) = (0, 0, true);
        loop {
            let more = self.await_bytes()?;
            if !more && self.place == Place::WithinQuotes {
                return Err(Stopped::QuoteNotClosed { line });
            }
            let (result, read, wrote, ends) =
                self.parser.read_record(&self.chunk, &mut self.cells[written..], &mut self.ends[ended..]);
            self.pass(read);
            (written, ended) = (written + wrote, ended + ends);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    if self.place == Place::WithinQuotes {
                        return Err(Stopped::QuoteNotClosed { line });
                    }
                    // The rest of the line is read and let go.
                    (written, ended, fits) = (0, 0, false);
                }
                ReadRecordResult::Record => {
                    let cells = Cells { bytes: &self.cells[..written], ends: &self.ends[..ended] };
                    return Ok(Some(Record { line, cells: fits.then_some(cells) }));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// Between two records; false when the file ends here.
    fn pass_over_empty_lines(&mut self) -> Result<bool, B> {
        while self.await_bytes()? {
            if !std::mem::replace(&mut self.begun, true) && self.chunk.starts_with(BYTE_ORDER_MARK) {
                self.chunk.advance(BYTE_ORDER_MARK.len());
            }
            let breaks = self.chunk.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
            self.pass(breaks);
            if !self.chunk.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Waits until the chunk in hand holds something; false at the end of the file.
    fn await_bytes(&mut self) -> Result<bool, B> {
        while self.chunk.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Lets go of bytes that were read, counts their lines, which end in `\n`, `\r\n` or `\r`, and follows their quotes.
    fn pass(&mut self, count: usize) {
        for byte in &self.chunk[..count] {
            self.place = self.place.behind(*byte);
            self.line += i64::from(*byte == b'\r' || *byte == b'\n' && !self.after_return);
            self.after_return = *byte == b'\r';
        }
        self.chunk.advance(count);
    }
}
