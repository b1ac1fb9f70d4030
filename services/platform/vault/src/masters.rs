//! Who wraps person keys: master keys from a file or the environment, or a service that never gives its key away.

use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::key::MasterKey;
use crate::store::VaultError;

/// What wrapping and unwrapping give, in their time: a KMS is asked over the network.
pub type Wrapping<'a, T> = Pin<Box<dyn Future<Output = Result<T, VaultError>> + Send + 'a>>;

/// A file with master keys is read again when a key is to be wrapped, though not more often than this.
const READ_AGAIN: Duration = Duration::from_secs(1);

/// A wrapped key.
#[derive(Clone, Debug)]
pub struct Wrapped {
    /// What is stored.
    pub bytes: Vec<u8>,
    /// Name of the master key that wrapped it, which may change at any time.
    pub master: String,
}

/// Wraps keys for their owners. [`KeyRing`] is the one that comes along; a KMS is another.
pub trait MasterKeys: fmt::Debug + Send + Sync + 'static {
    /// Name of the key that wraps now.
    fn current(&self) -> String;

    /// Wraps a key for its owner under the current master key.
    fn wrap<'a>(&'a self, owner: Uuid, key: &'a [u8; 32]) -> Wrapping<'a, Wrapped>;

    /// Unwraps what the master key of this name wrapped for this owner; of no name what was wrapped before there were any.
    fn unwrap<'a>(
        &'a self,
        master: Option<&'a str>,
        owner: Uuid,
        wrapped: &'a [u8],
    ) -> Wrapping<'a, Zeroizing<[u8; 32]>>;

    /// The secret that keyed hashes rest on in a key database from before they had one of their own; `None` where it is not known.
    fn first_index_root(&self) -> Option<Zeroizing<[u8; 32]>> {
        None
    }
}

/// Master keys in the memory of this process: the current one first, then those that still unwrap.
#[derive(Clone, Debug)]
pub struct KeyRing(Vec<MasterKey>);

impl KeyRing {
    /// Reads one key a line, 64 hex digits each, the current one first; commas separate as well.
    pub fn parse(text: &str) -> Option<Self> {
        let words = text.split([',', '\n']).map(str::trim).filter(|word| !word.is_empty());
        let keys: Option<Vec<MasterKey>> = words.map(MasterKey::parse).collect();
        keys.filter(|keys| !keys.is_empty()).map(Self)
    }

    fn first(&self) -> &MasterKey {
        self.0.first().expect("a ring has a key")
    }
}

impl From<MasterKey> for KeyRing {
    fn from(key: MasterKey) -> Self {
        Self(vec![key])
    }
}

impl MasterKeys for KeyRing {
    fn current(&self) -> String {
        self.first().id().to_owned()
    }

    fn wrap<'a>(&'a self, owner: Uuid, key: &'a [u8; 32]) -> Wrapping<'a, Wrapped> {
        Box::pin(async move { Ok(Wrapped { bytes: self.first().wrap(owner, key), master: self.current() }) })
    }

    fn unwrap<'a>(
        &'a self,
        master: Option<&'a str>,
        owner: Uuid,
        wrapped: &'a [u8],
    ) -> Wrapping<'a, Zeroizing<[u8; 32]>> {
        let mut named = self.0.iter().filter(move |key| master.is_none_or(|id| id == key.id()));
        Box::pin(async move { named.find_map(|key| key.unwrap(owner, wrapped)).ok_or(VaultError::Unwrap) })
    }

    fn first_index_root(&self) -> Option<Zeroizing<[u8; 32]>> {
        // Nothing was ever rotated there, so there was one key; of several nobody could say which.
        let [only] = self.0.as_slice() else { return None };
        Some(Zeroizing::new(*only.secret()))
    }
}

/// A ring that stands in a file: whoever changes the file changes it for every replica that runs.
#[derive(Debug)]
pub(crate) struct KeyFile {
    path: PathBuf,
    /// The ring as it was read, and when.
    read: Mutex<(Arc<KeyRing>, Instant)>,
}

impl KeyFile {
    fn open(path: PathBuf) -> Result<Self, VaultError> {
        let ring = Arc::new(read_ring(&path)?);
        Ok(Self { path, read: Mutex::new((ring, Instant::now())) })
    }

    /// The ring as it stood in the file so long ago at most.
    fn ring(&self, at_most: Duration) -> Arc<KeyRing> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.1.elapsed() >= at_most {
            match read_ring(&self.path) {
                Ok(ring) => read.0 = Arc::new(ring),
                // It is being written at this moment, perhaps.
                Err(error) => tracing::warn!(%error, "the master keys are still those that were read before"),
            }
            read.1 = Instant::now();
        }
        Arc::clone(&read.0)
    }
}

impl MasterKeys for KeyFile {
    fn current(&self) -> String {
        self.ring(READ_AGAIN).current()
    }

    fn wrap<'a>(&'a self, owner: Uuid, key: &'a [u8; 32]) -> Wrapping<'a, Wrapped> {
        Box::pin(async move { self.ring(READ_AGAIN).wrap(owner, key).await })
    }

    fn unwrap<'a>(
        &'a self,
        master: Option<&'a str>,
        owner: Uuid,
        wrapped: &'a [u8],
    ) -> Wrapping<'a, Zeroizing<[u8; 32]>> {
        Box::pin(async move {
            match self.ring(Duration::MAX).unwrap(master, owner, wrapped).await {
                // Another replica has read a newer file.
                Err(VaultError::Unwrap) => self.ring(Duration::ZERO).unwrap(master, owner, wrapped).await,
                unwrapped => unwrapped,
            }
        })
    }

    fn first_index_root(&self) -> Option<Zeroizing<[u8; 32]>> {
        self.ring(READ_AGAIN).first_index_root()
    }
}

fn read_ring(path: &Path) -> Result<KeyRing, VaultError> {
    let read = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = read.map_err(|source| VaultError::MasterKeyFile { path: path.to_owned(), source })?;
    KeyRing::parse(&text).ok_or_else(|| VaultError::MasterKeyFormat { path: path.to_owned() })
}

/// Where keys are.
#[derive(Clone, clap::Args)]
#[group(skip)] // every part of the flags is called Settings
pub struct Settings {
    /// PostgreSQL URL of the service's key database.
    #[arg(long, env = "DINGZHU_KEYS_DATABASE_URL", hide_env_values = true)]
    pub keys_database_url: String,
    /// File with the master keys, 64 hex digits a line: the current one, then those that still unwrap. A change counts without a restart.
    #[arg(long, env = "DINGZHU_MASTER_KEY_FILE", required_unless_present = "master_keys")]
    pub master_key_file: Option<PathBuf>,
    /// The same from the environment, separated by commas, in place of the file; a flag would be seen by everybody. A change needs a
    /// restart.
    #[arg(long, env = "DINGZHU_MASTER_KEYS", hide = true, hide_env_values = true)]
    pub master_keys: Option<Secret>,
}

/// Text that does not show itself, and is wiped when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The URL may hold a password and is not shown.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("master_key_file", &self.master_key_file).finish_non_exhaustive()
    }
}

impl Settings {
    /// The ring from the environment, or else from the file.
    pub(crate) fn masters(&self) -> Result<Arc<dyn MasterKeys>, VaultError> {
        if let Some(Secret(text)) = &self.master_keys {
            let ring = KeyRing::parse(text);
            let ring = ring.ok_or(VaultError::MasterKeyFormat { path: "DINGZHU_MASTER_KEYS".into() })?;
            return Ok(Arc::new(ring));
        }
        Ok(Arc::new(KeyFile::open(self.master_key_file.clone().unwrap_or_default())?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(file: Option<PathBuf>, text: Option<&str>) -> Settings {
        let master_keys = text.map(|text| text.parse().unwrap());
        Settings {
            keys_database_url: "postgres://keys:hunter2@localhost/keys".to_owned(),
            master_key_file: file,
            master_keys,
        }
    }

    #[test]
    fn the_first_key_of_a_ring_is_the_current_one() {
        let (one, other) = ("0f".repeat(32), "0e".repeat(32));
        for text in [format!("{one}\n{other}\n"), format!("{one}, {other}")] {
            let ring = KeyRing::parse(&text).unwrap();
            assert_eq!((ring.current(), ring.0.len()), (MasterKey::parse(&one).unwrap().id().to_owned(), 2));
        }
        assert!(KeyRing::parse("").is_none());
        assert!(KeyRing::parse(&format!("{one}\nshort")).is_none());
    }

    #[test]
    fn the_environment_comes_before_the_file_and_neither_shows_a_key_or_a_password() {
        let both = settings(Some("nowhere".into()), Some(&"0f".repeat(32)));
        assert!(both.masters().is_ok());
        assert!(!format!("{both:?}").contains("0f0f"));
        assert!(!format!("{both:?}").contains("hunter2"));
        assert!(matches!(settings(Some("nowhere".into()), None).masters(), Err(VaultError::MasterKeyFile { .. })));
        assert!(matches!(settings(None, Some("x")).masters(), Err(VaultError::MasterKeyFormat { .. })));
    }
}
