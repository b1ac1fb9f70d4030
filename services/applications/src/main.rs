//! The program `applications`.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main::<applications::Applications>()
}
