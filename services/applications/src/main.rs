//! The program `applications`.

use std::process::ExitCode;

use workbook::reader;

fn main() -> ExitCode {
    // The child that reads somebody's workbook has no settings, no database and no keys.
    if reader::is_asked_for() { reader::run() } else { service::main::<applications::Applications>() }
}
