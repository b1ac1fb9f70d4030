//! The folder that a private server works in: kept, or removed with the server's handle.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::Result;
use crate::failure::Doing as _;

/// Where a server keeps its things.
#[derive(Debug)]
pub(crate) enum Folder {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Folder {
    /// A folder that stays; made when there is none.
    pub(crate) fn kept(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).doing(|| format!("create {}", path.display()))?;
        Ok(Self::Kept(path.to_path_buf()))
    }

    /// A folder that goes with this value.
    pub(crate) fn temporary(name: &str) -> Result<Self> {
        let made = tempfile::Builder::new().prefix(&format!("dingzhu-{name}-")).tempdir();
        Ok(Self::Temporary(made.doing(|| "create a temporary folder".into())?))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}
