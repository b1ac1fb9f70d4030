//! Who changes directory and plans, and how far their responsibility reaches.

use super::division::Code;

/// Somebody who may change things within some divisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Officer {
    /// As the log writes it: `person:<uuid>`, `system`.
    pub actor: String,
    /// The divisions that they are responsible for.
    pub reach: Vec<Code>,
}

impl Officer {
    /// The installation itself: responsible everywhere.
    pub fn system() -> Self {
        Self { actor: "system".to_owned(), reach: vec![Code::NATION] }
    }

    /// Whether they are responsible for a division.
    pub fn is_responsible_for(&self, division: Code) -> bool {
        self.reach.iter().any(|reach| reach.covers(division))
    }
}
