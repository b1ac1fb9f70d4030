//! The one place where a program draws random ids.

use uuid::Uuid;

/// A random UUID (version 4): ids say nothing, neither who nor when.
pub fn random() -> Uuid {
    uuid::Builder::from_random_bytes(bits().to_be_bytes()).into_uuid()
}

/// A UUID of version 7: random, and greater than one that was drawn a millisecond before. For what is found by its id in a large index,
/// which then grows at its end; it says when it was drawn.
pub fn in_time() -> Uuid {
    let millis = u64::try_from(crate::clock::now().unix_timestamp_nanos() / 1_000_000).unwrap_or_default();
    let [_, _, _, _, _, _, random @ ..] = bits().to_be_bytes();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// 128 random bits from the thread's cryptographic generator; asking the kernel for each id would cost a microsecond.
pub fn bits() -> u128 {
    rand::random()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_ids_are_of_version_4_and_differ() {
        let (one, other) = (random(), random());
        assert_ne!(one, other);
        assert_eq!(one.get_version(), Some(uuid::Version::Random));
        assert_eq!(one.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn ids_in_time_are_of_version_7_and_grow() {
        let one = in_time();
        std::thread::sleep(std::time::Duration::from_millis(2));
        let other = in_time();
        assert!(other > one && other.as_bytes()[6..] != one.as_bytes()[6..]);
        assert_eq!(one.get_version(), Some(uuid::Version::SortRand));
        assert_eq!(one.get_variant(), uuid::Variant::RFC4122);
    }
}
