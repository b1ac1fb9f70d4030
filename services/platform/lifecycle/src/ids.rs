//! The one place where a program draws random ids.

use uuid::Uuid;

/// A random UUID (version 4): ids say nothing, neither who nor when.
pub fn random() -> Uuid {
    uuid::Builder::from_random_bytes(bits().to_be_bytes()).into_uuid()
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
}
