//! A folder in the place of a provider: one file per message, named so that they sort by time, complete or not there.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use uuid::Uuid;

/// The folder; only the service's own account can look into what is made here.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes it where it is missing.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|error| format!("the folder {} cannot be made: {error}", path.display()))?;
        Ok(Self { path: path.to_owned() })
    }

    /// Writes one message. A repetition replaces the first file by an equal one.
    pub(super) async fn put(&self, id: Uuid, at: OffsetDateTime, extension: &str, bytes: Vec<u8>) -> io::Result<()> {
        let folder = self.path.clone();
        let name = format!("{}-{id}.{extension}", stamp(at));
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &bytes)).await;
        written.unwrap_or_else(|panic| Err(io::Error::other(panic)))
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = folder.join(format!(".{name}.{}", lifecycle::ids::random().simple()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&unfinished, folder.join(name))?;
        fs::File::open(folder)?.sync_all()
    })();
    if written.is_err() {
        // What failed half way is of no use to anybody; if it cannot be removed either, its name tells what it is.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// `20261123T080000.000001Z`
fn stamp(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}.{:06}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.microsecond()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use time::macros::datetime;

    use super::*;

    #[tokio::test]
    async fn a_message_is_one_private_file_and_a_repetition_replaces_it() {
        let outside = tempfile::tempdir().unwrap();
        let path = outside.path().join("mail");
        let folder = Folder::open(&path).unwrap();
        let at = datetime!(2026-11-23 16:00:00.000001 +8);
        for _ in 0..2 {
            folder.put(Uuid::from_u128(1), at, "eml", b"text".to_vec()).await.unwrap();
        }
        let files: Vec<_> = path.read_dir().unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].file_name(), "20261123T080000.000001Z-00000000-0000-0000-0000-000000000001.eml");
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(fs::read(files[0].path()).unwrap(), b"text");
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_an_error_and_leaves_nothing_behind() {
        let outside = tempfile::tempdir().unwrap();
        let path = outside.path().join("mail");
        let folder = Folder::open(&path).unwrap();
        fs::remove_dir(&path).unwrap();
        let put = folder.put(Uuid::from_u128(1), datetime!(2026-11-23 08:00 UTC), "eml", Vec::new()).await;
        assert_eq!(put.unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
