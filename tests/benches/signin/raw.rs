//! The reference: argon2id with the service's parameters, on every core, and nothing else.

use std::thread::{available_parallelism, scope};
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Params, Version};
use identity::hashing::{LANES, MEMORY_KIB, PASSES};

/// How long it is measured.
const FOR: Duration = Duration::from_secs(2);

/// Hashes per second of all cores together.
pub fn per_second() -> f64 {
    let start = Instant::now();
    let hashes: u32 = scope(|scope| {
        let cores = available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| hash_for(FOR))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a hash does not fail")).sum()
    });
    f64::from(hashes) / start.elapsed().as_secs_f64()
}

fn hash_for(time: Duration) -> u32 {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are valid");
    let pepper = [7; 32];
    let argon2 = Argon2::new_with_secret(&pepper, Algorithm::Argon2id, Version::V0x13, params);
    let argon2 = argon2.expect("a pepper of 32 bytes is short enough");
    let (start, mut hashes) = (Instant::now(), 0);
    while start.elapsed() < time {
        let mut hash = [0; 32];
        argon2.hash_password_into(b"passwort1#", b"0123456789abcdef", &mut hash).expect("the parameters are valid");
        std::hint::black_box(hash);
        hashes += 1;
    }
    hashes
}
