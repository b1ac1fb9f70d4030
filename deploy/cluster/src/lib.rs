//! Runs Dingzhu on one machine: PostgreSQL, nats-server, the services; also the tests' harness.

pub mod actor;
pub mod bootstrap;
pub mod call;
pub mod database;
pub mod environment;
pub mod failure;
mod folder;
pub mod gates;
pub mod install;
pub mod journey;
pub mod layout;
pub mod nats;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod proxy;
pub mod register;
pub mod running;
pub mod secrets;
pub mod seed;
pub mod services;
pub mod session;
pub mod settings;
pub mod test_env;
pub mod totp;
pub mod up;
pub mod wait;
pub mod walk;

pub use failure::{Failure, Result};
pub use running::Cluster;
pub use services::Service;

/// The root of the source tree this program was built from.
pub fn root() -> std::path::PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("deploy/cluster lies two folders below the root").to_path_buf()
}
