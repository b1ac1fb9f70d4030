//! The most memory that a process ever had, as the kernel counts it.

use cluster::failure::Doing as _;
use cluster::{Failure, Result};

/// The high-water mark of a running process's resident memory.
pub fn bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).doing(|| format!("read {path}"))?;
    let kibibytes =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map(|count: u64| count * 1024).ok_or_else(|| Failure::new(format!("{path} tells no high-water mark")))
}

/// Fails when a process had more than it may.
pub fn at_most(peak: u64, most: u64) -> Result<()> {
    if peak < most { Ok(()) } else { Err(Failure::new(format!("the service took {peak} bytes, not less than {most}"))) }
}
