//! The board's root: a real Debian for armhf, with its maintainer scripts run under emulation.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

use super::prepare::Lab;
use super::{binfmt, ids};
use crate::apt::{self, DPKG_OPTIONS, access_settings};
use crate::error::Error;
use crate::process;
use crate::stamp::Inputs;

/// The root file system, in the lab: as jobs describe it, a compressed tar.
pub(super) const ARCHIVE: &str = "artifacts/debian-armhf-rootfs.tar.gz";

/// systemd and sshd, what the tests call, and what the jobs' `install: deps` name.
const PACKAGES: &str =
    "systemd-sysv,udev,dbus,openssh-server,iproute2,iputils-ping,ntpdate,kmod,procps,net-tools,lsb-release";

/// What the root file system is made from.
///
/// # Errors
/// When its sources cannot be read.
pub(super) fn inputs(lab: &Lab) -> Result<Inputs, Error> {
    Inputs::default().text(PACKAGES).text(&DPKG_OPTIONS.join(" ")).tree(&lab.sources.join("rootfs"))
}

/// Builds the root file system: minutes.
///
/// # Errors
/// When programs for Arm cannot be run, the user has no ids for it, or mmdebstrap fails.
pub(super) fn make(lab: &Lab) -> Result<(), Error> {
    ids::check()?;
    binfmt::enable()?;
    let source = lab.source()?;
    let tar = lab.scratch.join("rootfs.tar");
    println!(
        "lab: the root file system takes about three minutes; progress: {}",
        lab.log("rootfs").display()
    );
    let mut build;
    if apt::is_root() {
        // What is left behind by a build that was killed is removed with the scratch directory. The system's /proc and /sys
        // must not be mounted there then: they are in a namespace that ends with the build.
        build = Command::new("unshare");
        build.args(["--mount", "--propagation=private", "mmdebstrap"]).env("TMPDIR", &lab.scratch);
    } else {
        build = Command::new("mmdebstrap");
        // What it would choose by itself where a namespace is refused cannot run programs for Arm.
        build.arg("--mode=unshare");
    }
    build
        .args(["--architectures=armhf", "--variant=minbase", "--format=tar"])
        .arg(format!("--include={PACKAGES}"));
    build.args(DPKG_OPTIONS.map(|option| format!("--dpkgopt={option}")));
    build.args(access_settings()?.into_iter().map(|setting| format!("--aptopt={setting}")));
    let sources = readable_copy(&lab.sources.join("rootfs"))?;
    build.arg(format!("--customize-hook={}", sources.path().join("rootfs/customize.sh").display()));
    // The hook leaves the lists of the root's own archive there, and no others.
    build.arg("--skip=cleanup/apt/lists");
    build.arg(&source.suite).arg(&tar).arg(source.line(&[]));
    process::logged(&mut build, &lab.log("rootfs"))?;
    let archive = lab.scratch.join("rootfs.tar.gz");
    compress(&tar, &archive).map_err(Error::file("cannot write", &archive))?;
    lab.finish(&archive, ARCHIVE)
}

/// Copies the hook and its files to where the user that mmdebstrap becomes in a namespace may read them; the
/// repository may be in a private home directory.
fn readable_copy(directory: &Path) -> Result<TempDir, Error> {
    let copy = tempfile::tempdir().map_err(Error::file("cannot write in", &std::env::temp_dir()))?;
    process::show(Command::new("cp").arg("--recursive").arg(directory).arg(copy.path()))?;
    process::show(Command::new("chmod").args(["--recursive", "a+rX"]).arg(copy.path()))?;
    Ok(copy)
}

/// Compresses for speed: the archive does not leave this machine.
fn compress(tar: &Path, archive: &Path) -> io::Result<()> {
    let mut encoder = GzEncoder::new(BufWriter::new(File::create(archive)?), Compression::fast());
    io::copy(&mut BufReader::with_capacity(1 << 20, File::open(tar)?), &mut encoder)?;
    encoder.finish()?.flush()
}
