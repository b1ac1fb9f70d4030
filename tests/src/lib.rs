//! Journeys, faults, house rules and benchmarks of the whole cluster: here, what the benchmarks share.

pub mod submissions;

use std::process::ExitCode;

/// The one in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// How a benchmark ends.
pub fn ended(measured: cluster::Result<()>) -> ExitCode {
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}
