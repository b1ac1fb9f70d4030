//! Free TCP ports: none is handed out twice while the process that asked for it lives, whichever process asks next.

use std::fs::{self, File, OpenOptions};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use crate::failure::Doing as _;
use crate::{Failure, Result};

/// Below the kernel's range of outgoing ports, so that no client's connection sits on a port between asking and listening.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// Locks held until this process ends; each is a file named after its port.
static CLAIMED: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port on 127.0.0.1 that nobody listens on and nobody else was given.
pub fn free() -> Result<u16> {
    let folder = std::env::temp_dir().join(format!("dingzhu-ports-{}", nix::unistd::getuid()));
    fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    let span = RANGE.end - RANGE.start;
    let first = rand::random_range(0..span);
    for offset in 0..span {
        let port = RANGE.start + (first + offset) % span;
        let path = folder.join(port.to_string());
        let mut open = OpenOptions::new();
        let file = open.create(true).write(true).truncate(false).open(&path);
        let file = file.doing(|| format!("open {}", path.display()))?;
        if file.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            CLAIMED.lock().expect("no holder of this lock panics").push(file);
            return Ok(port);
        }
    }
    Err(Failure::new("no free port between 20000 and 32000 on 127.0.0.1"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn no_port_is_given_twice() {
        let ports: Vec<u16> = (0..200).map(|_| super::free().unwrap()).collect();
        let distinct: HashSet<u16> = ports.iter().copied().collect();
        assert_eq!(distinct.len(), ports.len());
    }
}
