//! The five services: their names and their places in everything that is numbered.

use serde::{Deserialize, Serialize};

/// A gRPC service of Dingzhu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// People, accounts, staff.
    Identity,
    /// The register of certificates.
    Certificates,
    /// Where and when.
    Scheduling,
    /// Registrations.
    Applications,
    /// Messages.
    Notifications,
}

impl Service {
    /// All, in the order of their ports and of their start.
    pub const ALL: [Self; 5] =
        [Self::Identity, Self::Certificates, Self::Scheduling, Self::Applications, Self::Notifications];

    /// The name of package, binary, database, NATS user and environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Certificates => "certificates",
            Self::Scheduling => "scheduling",
            Self::Applications => "applications",
            Self::Notifications => "notifications",
        }
    }

    /// The name of its stream in JetStream.
    pub fn stream(self) -> String {
        self.name().to_uppercase()
    }

    /// The service with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.name() == name)
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
