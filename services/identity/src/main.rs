//! The program `identity`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<identity::Identity>()
}
