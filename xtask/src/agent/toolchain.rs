//! A Rust toolchain for a board's processor: rustup's, or Debian's where rustup's cannot be had.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::architecture::Architecture;
use super::debian;
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// The time that rustup may take to fetch an architecture's target.
const RUSTUP_PATIENCE: Duration = Duration::from_secs(120);

/// A compiler for one target.
#[derive(Debug)]
pub(super) struct Toolchain {
    target: &'static str,
    linker: Option<&'static str>,
    /// The compiler, when it is not the one that cargo takes by itself.
    rustc: Option<PathBuf>,
}

impl Toolchain {
    /// A toolchain for an architecture: rustup's if one of its targets is there or can be fetched, else Debian's
    /// compiler, unpacked below `target/lab`.
    ///
    /// # Errors
    /// [`Error::NoToolchain`] when there is neither, or what went wrong with Debian's.
    pub(super) fn find(workspace: &Workspace, architecture: &'static Architecture) -> Result<Self, Error> {
        let linker = architecture.linker;
        if architecture.emulator.is_none() {
            let none = Error::NoToolchain { architecture: architecture.name, tried: "this machine's own" };
            let target = *architecture.targets.first().ok_or(none)?;
            return Ok(Self { target, linker, rustc: None });
        }
        if let Some(target) = rustup_target(architecture) {
            return Ok(Self { target, linker, rustc: None });
        }
        let Some(library) = &architecture.debian else {
            return Err(Error::NoToolchain {
                architecture: architecture.name,
                tried: "rustup has no such target here, Debian no standard library",
            });
        };
        println!("agent: rustup has no target for {}; taking Debian's compiler", architecture.name);
        let rustc = debian::compiler(workspace, library)?;
        Ok(Self { target: library.target, linker, rustc: Some(rustc) })
    }

    /// The target triple.
    pub(super) fn target(&self) -> &'static str {
        self.target
    }

    /// Makes a cargo command use this toolchain.
    pub(super) fn apply(&self, cargo: &mut Command) {
        let target = self.target.to_uppercase().replace('-', "_");
        if let Some(linker) = self.linker {
            cargo.env(format!("CARGO_TARGET_{target}_LINKER"), linker);
        }
        // With these, cargo would leave out the configuration's own.
        cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        // In addition to those of the configuration.
        let flags: Vec<_> = sources_of_crates().iter().filter_map(|directory| without(directory)).collect();
        cargo.env(format!("CARGO_TARGET_{target}_RUSTFLAGS"), flags.join(" "));
        if let Some(rustc) = &self.rustc {
            cargo.env("RUSTC", rustc);
        }
    }
}

/// Where cargo keeps the sources of crates.
fn sources_of_crates() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cargo")));
    let sources = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    sources.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// The flag that leaves a directory out of the places of code in a program: they need not tell who built it, and take
/// room. None if cargo would take it for several flags.
fn without(directory: &Path) -> Option<String> {
    let directory = directory.to_str().filter(|text| !text.contains(char::is_whitespace))?;
    Some(format!("--remap-path-prefix={directory}/="))
}

/// The best of an architecture's targets that rustup has, or can fetch if it has none.
fn rustup_target(architecture: &Architecture) -> Option<&'static str> {
    let installed = process::answer(Command::new("rustup").args(["target", "list", "--installed"])).ok()?;
    let is_installed =
        |target: &&&'static str| installed.lines().any(|line| line == **target) && compiler_has(target);
    if let Some(target) = architecture.targets.iter().find(is_installed) {
        return Some(target);
    }
    println!("agent: asking rustup for a target for {}", architecture.name);
    let deadline = Instant::now() + RUSTUP_PATIENCE;
    let fetched = architecture.targets.iter().find(|target| rustup_fetches(target, deadline));
    fetched.copied().filter(|target| compiler_has(target))
}

/// Whether the compiler that cargo calls has the standard library of a target: it may be another one than rustup's.
fn compiler_has(target: &str) -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library = process::answer(Command::new(rustc).args(["--print", "target-libdir", "--target", target]));
    library.is_ok_and(|path| fs::read_dir(path.trim()).is_ok_and(|mut files| files.next().is_some()))
}

/// Tries to fetch a target, quietly: that it cannot be had is no error.
fn rustup_fetches(target: &str, deadline: Instant) -> bool {
    let mut command = Command::new("rustup");
    command.args(["target", "add", target]);
    let Ok(mut child) = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
    else {
        return false;
    };
    while Instant::now() < deadline {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) => std::thread::sleep(Duration::from_millis(100)),
            Err(_) => break,
        }
    }
    // It may have ended in the meantime, which is as good.
    let _ = child.kill();
    let _ = child.wait();
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toolchain_reaches_cargo_through_its_environment() {
        let toolchain = Toolchain {
            target: "armv7-unknown-linux-gnueabihf",
            linker: Some("arm-linux-gnueabihf-gcc"),
            rustc: Some("/x/rustc".into()),
        };
        let mut cargo = Command::new("cargo");
        toolchain.apply(&mut cargo);
        let value = |name: &str| cargo.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
        assert_eq!(
            value("CARGO_TARGET_ARMV7_UNKNOWN_LINUX_GNUEABIHF_LINKER"),
            Some("arm-linux-gnueabihf-gcc".as_ref())
        );
        assert_eq!(value("RUSTC"), Some("/x/rustc".as_ref()));
    }

    #[test]
    fn a_target_without_a_standard_library_is_not_taken() {
        let own = format!("{}-unknown-linux-gnu", env::consts::ARCH);
        assert!(compiler_has(&own), "{own} is this machine's own");
        assert!(!compiler_has("armv7-unknown-linux-nothing"));
        assert!(!compiler_has("mipsel-unknown-none"), "known, and not installed");
    }

    #[test]
    fn a_directory_that_cargo_would_cut_in_two_is_left_alone() {
        let flag = without(Path::new("/home/a/.cargo/registry/src/index"));
        assert_eq!(flag.as_deref(), Some("--remap-path-prefix=/home/a/.cargo/registry/src/index/="));
        assert_eq!(without(Path::new("/home/a b/.cargo")), None);
    }
}
