//! Passwords: hashed with argon2id and a pepper, on as many threads as there are cores, behind a bounded queue.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{Output, PasswordHash, PasswordHasher as _, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::chance;
use crate::error::Error;

/// RELIABILITY "Security": 19 MiB, two passes, one lane; about 22 ms.
pub const MEMORY_KIB: u32 = 19 * 1024;
/// As above.
pub const PASSES: u32 = 2;
/// As above.
pub const LANES: u32 = 1;
/// Passwords that may wait for each core: the last of them is answered after about a second.
const WAITING_PER_CORE: usize = 32;

/// What the password of nobody is compared with, so that it costs what somebody's does: made with these parameters, of nothing.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password on its way; shown nowhere, wiped when dropped.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Hashes and verifies passwords. Clones share the queue.
#[derive(Clone)]
pub struct Hasher {
    pepper: Arc<Zeroizing<Vec<u8>>>,
    cores: Arc<Semaphore>,
    queue: Arc<Semaphore>,
    /// The memory of each core, kept from one password to the next, rather than asked of the system and cleared each time.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

/// A place in the queue: whoever has one will be served.
#[derive(Debug)]
pub struct Waiting {
    hasher: Hasher,
    waited: OwnedSemaphorePermit,
}

/// A place at a core: whoever has one is served.
#[derive(Debug)]
pub struct Place {
    hasher: Hasher,
    _core: OwnedSemaphorePermit,
    _waited: OwnedSemaphorePermit,
}

impl Password {
    /// Takes a password over.
    pub fn new(password: String) -> Self {
        Self(Zeroizing::new(password))
    }
}

impl Hasher {
    /// With the pepper of this deployment, for this many cores.
    pub fn new(pepper: Vec<u8>, cores: usize) -> Self {
        Self {
            pepper: Arc::new(Zeroizing::new(pepper)),
            cores: Arc::new(Semaphore::new(cores)),
            queue: Arc::new(Semaphore::new(cores + cores * WAITING_PER_CORE)),
            memory: Arc::default(),
        }
    }

    /// Enters the queue; refuses at once when too many wait already.
    pub fn enter(&self) -> Result<Waiting, Error> {
        let waited = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| Error::Busy)?;
        Ok(Waiting { hasher: self.clone(), waited })
    }

    /// Waits for a core; refuses at once when too many wait already.
    pub async fn admit(&self) -> Result<Place, Error> {
        Ok(self.enter()?.core().await)
    }

    fn hash(&self, password: &Password) -> String {
        let salt = SaltString::encode_b64(&chance::bytes::<16>()).expect("16 bytes are a salt");
        let hash = self.argon2().hash_password(password.0.as_bytes(), &salt).expect("the parameters are valid");
        hash.to_string()
    }

    /// Whether a password is the one behind a PHC string of argon2id.
    fn verify(&self, password: &Password, known: &str) -> bool {
        self.again(password, known).is_some_and(|(known, again)| known == again)
    }

    /// What a PHC string holds, and what a password makes of its parameters and salt; they compare in constant time. `None` for
    /// what is no such string.
    fn again(&self, password: &Password, known: &str) -> Option<(Output, Output)> {
        let known = PasswordHash::new(known).ok()?;
        let params = Params::try_from(&known).ok()?;
        if known.algorithm != Algorithm::Argon2id.ident() || known.version != Some(Version::V0x13.into()) {
            return None;
        }
        let (mut salt, expected) = ([0; Salt::MAX_LENGTH], known.hash?);
        let salt = known.salt?.decode_b64(&mut salt).ok()?;
        let blocks = params.block_count();
        let argon2 = Argon2::new_with_secret(&self.pepper, Algorithm::Argon2id, Version::V0x13, params).ok()?;
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        memory.resize(blocks, Block::default());
        let again = Output::init_with(expected.len(), |out| {
            Ok(argon2.hash_password_into_with_memory(password.0.as_bytes(), salt, out, &mut memory)?)
        });
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        Some((expected, again.ok()?))
    }

    fn argon2(&self) -> Argon2<'_> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are valid");
        Argon2::new_with_secret(&self.pepper, Algorithm::Argon2id, Version::V0x13, params)
            .expect("a pepper of 32 bytes is short enough")
    }
}

impl Waiting {
    /// Waits for a core.
    pub async fn core(self) -> Place {
        let core = Arc::clone(&self.hasher.cores).acquire_owned().await.expect("the semaphore is never closed");
        Place { hasher: self.hasher, _core: core, _waited: self.waited }
    }
}

impl Place {
    /// The PHC string of a password.
    pub async fn hash(self, password: Password) -> String {
        self.run(move |hasher| hasher.hash(&password)).await
    }

    /// Whether a password is the one behind the PHC string. Without one the same work is done, and the answer is no.
    pub async fn verify(self, password: Password, known: Option<String>) -> bool {
        self.run(move |hasher| {
            let known = known.as_deref();
            hasher.verify(&password, known.unwrap_or(NOBODYS)) && known.is_some()
        })
        .await
    }

    /// The place goes along, so that it is kept until the work is done, whoever has gone meanwhile.
    async fn run<T: Send + 'static>(self, work: impl FnOnce(&Hasher) -> T + Send + 'static) -> T {
        match tokio::task::spawn_blocking(move || work(&self.hasher)).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> Hasher {
        Hasher::new(vec![7; 32], 1)
    }

    fn password(text: &str) -> Password {
        Password::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_verifies_against_its_own_hash_and_pepper_only() {
        let hash = hasher().admit().await.unwrap().hash(password("abcdef1#")).await;
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher().admit().await.unwrap().verify(password("abcdef1#"), Some(hash.clone())).await);
        assert!(!hasher().admit().await.unwrap().verify(password("abcdef1%"), Some(hash.clone())).await);
        assert!(!hasher().admit().await.unwrap().verify(password("abcdef1#"), None).await);
        let other = Hasher::new(vec![8; 32], 1);
        assert!(!other.admit().await.unwrap().verify(password("abcdef1#"), Some(hash)).await);
    }

    #[test]
    fn what_is_no_hash_of_ours_is_the_hash_of_no_password() {
        let hash = hasher().hash(&password("abcdef1#"));
        assert!(hasher().verify(&password("abcdef1#"), &hash));
        let others = [("$argon2id", "$argon2i"), ("v=19", "v=16"), ("m=19456", "m=1"), ("$v=19", ""), ("t=2", "t=3")];
        for (ours, other) in others {
            assert!(!hasher().verify(&password("abcdef1#"), &hash.replacen(ours, other, 1)), "{other} for {ours}");
        }
        assert!(!hasher().verify(&password("abcdef1#"), "") && !hasher().verify(&password("abcdef1#"), &hash[..40]));
    }

    #[test]
    fn nobodys_password_costs_what_somebodys_does_in_the_same_memory() {
        let hasher = hasher();
        let hash = hasher.hash(&password("abcdef1#"));
        let params = |known: &str| Params::try_from(&PasswordHash::new(known).unwrap()).unwrap();
        assert_eq!(params(NOBODYS), params(&hash));
        assert!(hasher.again(&password("abcdef1#"), NOBODYS).is_some() && hasher.verify(&password("abcdef1#"), &hash));
        assert_eq!(hasher.memory.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let one = hasher().admit().await.unwrap().hash(password("abcdef1#")).await;
        let other = hasher().admit().await.unwrap().hash(password("abcdef1#")).await;
        assert_ne!(one, other);
    }

    #[tokio::test]
    async fn one_more_than_can_wait_is_refused_at_once() {
        let hasher = hasher();
        let running = hasher.admit().await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING_PER_CORE).map(|_| Box::pin(hasher.admit())).collect();
        for place in &mut waiting {
            assert!(futures::poll!(place.as_mut()).is_pending());
        }
        assert!(matches!(hasher.admit().await, Err(Error::Busy)));
        assert!(matches!(hasher.enter(), Err(Error::Busy)));
        drop(running);
        assert!(waiting.remove(0).await.is_ok(), "whoever waits longest is served next");
        let again = Box::pin(hasher.admit());
        assert!(futures::poll!(again).is_pending(), "a place that was given back can be waited in");
    }

    #[test]
    fn a_password_does_not_show_itself() {
        assert_eq!(format!("{:?}", password("abcdef1#")), "Password(…)");
    }
}
