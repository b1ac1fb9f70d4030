//! A workbook (XLSX) becomes CSV in a child process: this service's own program without settings, database or keys, within limits of
//! memory and time, so that whatever the file holds ends in a refusal and never in a dead service.

pub mod reader;

use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use lifecycle::{Lifecycle, OnDeath};
use nix::sys::memfd::{MFdFlags, memfd_create};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

/// Bytes of the largest workbook: some million rows.
const LARGEST: usize = 64 * 1024 * 1024;
/// A child that has not written for so long is ended.
const PATIENCE: Duration = Duration::from_secs(60);
/// Children of this process that are at work at a time; the next workbook waits.
static CHILDREN: Semaphore = Semaphore::const_new(2);
/// Bytes that are taken from the child at a time.
const PIECE: usize = 64 * 1024;
/// How a workbook begins: it is a ZIP archive.
const ZIP: &[u8] = b"PK\x03\x04";
/// How an encrypted workbook begins, and one of the time before XLSX.
const COMPOUND: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// What spreadsheets write where a formula has no result.
pub const FORMULA_ERRORS: [&str; 8] = ["#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#DATA!"];

/// A piece of a file, or the news that no more will come although the file has not ended.
pub type Chunk = records::Chunk<Broken>;

/// Why no more will come of a file that has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The upload ended before.
    #[error("the upload broke off")]
    Upload,
    /// The workbook cannot be read further.
    #[error("the workbook cannot be read: {0:?}")]
    Workbook(Flaw),
}

/// Why a workbook cannot be read, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It has a password, or is of an older kind.
    Encrypted,
    /// It is damaged, or another kind of file.
    Malformed,
    /// Larger, or in need of more memory or time, than any file of ours is.
    TooLarge,
    /// The child cannot be started.
    NoReader,
}

/// What reads workbooks, where there are any.
#[derive(Clone, Debug)]
pub struct Workbooks {
    /// The program that becomes the child.
    pub program: PathBuf,
    /// Tasks.
    pub lifecycle: Lifecycle,
}

impl Workbooks {
    /// The chunks of a CSV file as they come, or those that a workbook becomes; once others are read, when many come together.
    pub fn as_csv(&self, mut chunks: mpsc::Receiver<Chunk>, waiting: usize) -> mpsc::Receiver<Chunk> {
        let (send, csv) = mpsc::channel(waiting);
        let program = self.program.clone();
        self.lifecycle.spawn("workbook", OnDeath::IsItsEnd, async move {
            let outcome = match beginning(&mut chunks).await {
                Ok(begin) if begin.starts_with(ZIP) => convert(program, begin, chunks, &send).await,
                Ok(begin) if begin.starts_with(COMPOUND) => Err(Broken::Workbook(Flaw::Encrypted)),
                Ok(begin) => pass_on(begin, chunks, &send).await,
                Err(broken) => Err(broken),
            };
            if let Err(broken) = outcome {
                // Whoever stopped reading needs no telling.
                let _ = send.send(Err(broken)).await;
            }
        });
        csv
    }
}

/// Enough of a file to see what it is.
async fn beginning(chunks: &mut mpsc::Receiver<Chunk>) -> Result<Bytes, Broken> {
    let mut begin = BytesMut::new();
    while begin.len() < COMPOUND.len()
        && let Some(chunk) = chunks.recv().await
    {
        begin.extend_from_slice(&chunk?);
    }
    Ok(begin.freeze())
}

async fn pass_on(begin: Bytes, mut chunks: mpsc::Receiver<Chunk>, send: &mpsc::Sender<Chunk>) -> Result<(), Broken> {
    if send.send(Ok(begin)).await.is_err() {
        return Ok(());
    }
    while let Some(chunk) = chunks.recv().await {
        if send.send(Ok(chunk?)).await.is_err() {
            break;
        }
    }
    Ok(())
}

async fn convert(
    program: PathBuf,
    begin: Bytes,
    mut chunks: mpsc::Receiver<Chunk>,
    send: &mpsc::Sender<Chunk>,
) -> Result<(), Broken> {
    let no_reader = |error: io::Error| {
        tracing::error!(%error, "workbooks cannot be read");
        Broken::Workbook(Flaw::NoReader)
    };
    // In memory that nobody else sees: it is full of people.
    let file = memfd_create("workbook", MFdFlags::MFD_CLOEXEC).map_err(|error| no_reader(error.into()))?;
    let mut file = File::from(file);
    file.write_all(&begin).map_err(no_reader)?;
    let mut length = begin.len();
    while let Some(chunk) = chunks.recv().await {
        let chunk = chunk?;
        length += chunk.len();
        if length > LARGEST {
            return Err(Broken::Workbook(Flaw::TooLarge));
        }
        file.write_all(&chunk).map_err(no_reader)?;
    }
    file.rewind().map_err(no_reader)?;
    let _turn = tokio::select! {
        turn = CHILDREN.acquire() => turn.expect("it is never closed"),
        // Whoever would read it is gone.
        () = send.closed() => return Ok(()),
    };
    let mut child = Command::new(program)
        .arg(reader::ARGUMENT)
        .env_clear()
        // The limit of memory is the kernel's: nothing is reserved that is not used.
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(OwnedFd::from(file))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(no_reader)?;
    let outcome = take(&mut child, send).await;
    // Ended by itself, or now.
    let _ = child.kill().await;
    outcome
}

/// Passes on what the child writes, and finds out how it ended.
async fn take(child: &mut Child, send: &mpsc::Sender<Chunk>) -> Result<(), Broken> {
    let mut output = child.stdout.take().expect("the output is piped");
    loop {
        let mut piece = BytesMut::with_capacity(PIECE);
        match timeout(PATIENCE, output.read_buf(&mut piece)).await {
            Ok(Ok(0)) => break,
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return Err(Broken::Workbook(Flaw::TooLarge)),
        }
        if send.send(Ok(piece.freeze())).await.is_err() {
            return Ok(());
        }
    }
    let flaw = match timeout(PATIENCE, child.wait()).await {
        Ok(Ok(status)) if status.success() => return Ok(()),
        Ok(Ok(status)) => match status.code() {
            Some(code) => reader::flaw(code),
            // By the kernel, for its memory or time.
            None => Flaw::TooLarge,
        },
        Ok(Err(_)) | Err(_) => Flaw::TooLarge,
    };
    Err(Broken::Workbook(flaw))
}
