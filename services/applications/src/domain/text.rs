//! Texts that applicants read and agree to, named by version and digest.

/// Which text somebody agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextRef {
    /// From 1.
    pub version: u32,
    /// SHA-256 of the body, hex.
    pub digest: String,
}
