//! The certificate register of a province: sync, matching, manual entry.
