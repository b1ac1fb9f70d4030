//! Who wraps person keys: master keys from a file or the environment, or a service that never gives its key away.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::str::FromStr;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::key::MasterKey;
use crate::store::VaultError;

/// What wrapping and unwrapping give, in their time: a KMS is asked over the network.
pub type Wrapping<'a, T> = Pin<Box<dyn Future<Output = Result<T, VaultError>> + Send + 'a>>;

/// Wraps keys for their owners. [`KeyRing`] is the one that comes along; a KMS is another.
pub trait MasterKeys: fmt::Debug + Send + Sync + 'static {
    /// Name of the key that wraps from now on.
    fn current(&self) -> &str;

    /// Wraps a key for its owner under the current master key.
    fn wrap<'a>(&'a self, owner: Uuid, key: &'a [u8; 32]) -> Wrapping<'a, Vec<u8>>;

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
    fn current(&self) -> &str {
        self.first().id()
    }

    fn wrap<'a>(&'a self, owner: Uuid, key: &'a [u8; 32]) -> Wrapping<'a, Vec<u8>> {
        Box::pin(async move { Ok(self.first().wrap(owner, key)) })
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

/// Where keys are.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)] // every part of the flags is called Settings
pub struct Settings {
    /// PostgreSQL URL of the service's key database.
    #[arg(long, env = "DINGZHU_KEYS_DATABASE_URL", hide_env_values = true)]
    pub keys_database_url: String,
    /// File with the master keys, 64 hex digits a line: the current one, then those that still unwrap.
    #[arg(long, env = "DINGZHU_MASTER_KEY_FILE", required_unless_present = "master_keys")]
    pub master_key_file: Option<PathBuf>,
    /// The same from the environment, separated by commas, in place of the file; a flag would be seen by everybody.
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

impl Settings {
    /// Reads the ring from the environment, or else from the file.
    pub(crate) fn ring(&self) -> Result<KeyRing, VaultError> {
        if let Some(Secret(text)) = &self.master_keys {
            return KeyRing::parse(text).ok_or(VaultError::MasterKeyFormat { path: "DINGZHU_MASTER_KEYS".into() });
        }
        let path = self.master_key_file.clone().unwrap_or_default();
        let read = std::fs::read_to_string(&path).map(Zeroizing::new);
        let text = read.map_err(|source| VaultError::MasterKeyFile { path: path.clone(), source })?;
        KeyRing::parse(&text).ok_or(VaultError::MasterKeyFormat { path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(file: Option<PathBuf>, text: Option<&str>) -> Settings {
        let master_keys = text.map(|text| text.parse().unwrap());
        Settings { keys_database_url: String::new(), master_key_file: file, master_keys }
    }

    #[test]
    fn the_first_key_of_a_ring_is_the_current_one() {
        let (one, other) = ("0f".repeat(32), "0e".repeat(32));
        for text in [format!("{one}\n{other}\n"), format!("{one}, {other}")] {
            let ring = KeyRing::parse(&text).unwrap();
            assert_eq!((ring.current(), ring.0.len()), (MasterKey::parse(&one).unwrap().id(), 2));
        }
        assert!(KeyRing::parse("").is_none());
        assert!(KeyRing::parse(&format!("{one}\nshort")).is_none());
    }

    #[test]
    fn the_environment_comes_before_the_file_and_neither_shows_a_key() {
        let both = settings(Some("nowhere".into()), Some(&"0f".repeat(32)));
        assert!(both.ring().is_ok());
        assert!(!format!("{both:?}").contains("0f0f"));
        assert!(matches!(settings(Some("nowhere".into()), None).ring(), Err(VaultError::MasterKeyFile { .. })));
        assert!(matches!(settings(None, Some("x")).ring(), Err(VaultError::MasterKeyFormat { .. })));
    }
}
