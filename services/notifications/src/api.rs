//! The gRPC services: parse, call, render.

mod convert;
mod export;
mod notices;
mod secrets;
mod status;
mod templates;

pub use export::Export;
pub use notices::Notices;
pub use secrets::Secrets;
pub use templates::Templates;
