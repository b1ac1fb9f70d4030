//! The gRPC services: parse, call, render.

mod convert;
mod notices;
mod secrets;
mod status;
mod templates;

pub use notices::Notices;
pub use secrets::Secrets;
pub use templates::Templates;
