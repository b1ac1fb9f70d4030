//! Generated secrets: one file each that only its owner may read, made once and kept.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use ed25519_dalek::SigningKey;

use crate::Result;
use crate::failure::Doing as _;

/// The secret in `path`; drawn and written (mode 0600) where there is no such file: 32 random bytes, as 64 hex digits.
pub fn keep(path: &Path) -> Result<String> {
    if path.exists() {
        let text = fs::read_to_string(path).doing(|| format!("read {}", path.display()))?;
        return Ok(text.trim().to_owned());
    }
    let secret = hex::encode(rand::random::<[u8; 32]>());
    write(path, &secret)?;
    Ok(secret)
}

/// Writes a file that only its owner may read, in place of what is there.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let doing = || format!("write {}", path.display());
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).doing(doing)?;
    }
    // A new file beside it and a rename: never half a secret, never one with the mode of an older file.
    let fresh = path.with_extension("new");
    let _ = fs::remove_file(&fresh);
    let mut open = OpenOptions::new();
    let mut file = open.write(true).create_new(true).mode(0o600).open(&fresh).doing(doing)?;
    file.write_all(text.as_bytes()).doing(doing)?;
    file.sync_all().doing(doing)?;
    fs::rename(&fresh, path).doing(doing)
}

/// The public half, as 64 hex digits, of the Ed25519 seed that [`keep`] has drawn.
pub fn public_key(seed: &str) -> Result<String> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(seed, &mut bytes).doing(|| "read an Ed25519 seed".into())?;
    Ok(hex::encode(SigningKey::from_bytes(&bytes).verifying_key().to_bytes()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_drawn_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity").join("master-key");
        let first = keep(&path).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(keep(&path).unwrap(), first);
        assert_ne!(keep(&folder.path().join("other")).unwrap(), first);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
