//! The program `certificates`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<certificates::Certificates>()
}
