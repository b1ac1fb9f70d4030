//! The program `scheduling`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<scheduling::Scheduling>()
}
