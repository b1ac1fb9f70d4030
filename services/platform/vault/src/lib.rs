//! Sealed personal data: person keys wrapped by a master key, sealing, keyed hashes, masking.
