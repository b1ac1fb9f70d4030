//! The program `notifications`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<notifications::Notifications>()
}
