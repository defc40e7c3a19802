//! What a changed inode costs: memory, and time to open the layer again. Each in a process of its own.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use host_runner::rootfs::{CreateMode, Credential, Ino, Layer, LayerOptions, Lower, SetAttributes};

use super::SHA256;

const NEW_FILES: u64 = 100_000;
const FILES_IN_DIRECTORY: u64 = 1000;

/// What is done to a layer.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Work {
    /// `chown -R` of everything.
    Chown,
    /// Many new, empty files.
    Create,
}

/// Measures every work.
pub(super) fn measure(tar: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "{:<44}{:>9}{:>9}{:>9}", "layer", "inodes", "B each", "open ms")?;
    for (work, name) in [("chown", "chown -R of all files"), ("create", "new files, 1000 a directory")] {
        let mut measured = Command::new(std::env::current_exe()?);
        measured.args(["--work", work, "--archive"]).arg(tar);
        let output = measured.output()?;
        if !output.status.success() {
            return Err(format!("{measured:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        write!(out, "{name:<44}{}", String::from_utf8_lossy(&output.stdout))?;
    }
    Ok(())
}

/// Does the work in this process, which does nothing else, and prints what it cost.
pub(super) fn work(work: Work, tar: &Path, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let lower = Arc::new(Lower::from_index(tar, SHA256).ok_or("the index was not loaded")?);
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("layer");
    let layer = Layer::new(Arc::clone(&lower), path.clone(), LayerOptions::default())?;
    layer.keep();
    let before = resident()?;
    let changed = match work {
        Work::Chown => chown(&layer, lower.inode_count())?,
        Work::Create => create(&layer)?,
    };
    let each = (resident()?.saturating_sub(before) << 10) / changed;
    let id = layer.id();
    drop(layer);
    let started = Instant::now();
    let (again, repairs) = Layer::open(lower, path, LayerOptions::default())?;
    let opened = started.elapsed();
    if !repairs.is_empty() || again.id() != id {
        return Err("the layer is not what it was".into());
    }
    writeln!(out, "{changed:>9}{each:>9}{:>9.1}", opened.as_secs_f64() * 1000.0)?;
    Ok(())
}

fn chown(layer: &Layer, inodes: u64) -> Result<u64, Box<dyn Error>> {
    let attributes = SetAttributes { uid: Some(1000), gid: Some(1000), ..SetAttributes::default() };
    for number in 0..u32::try_from(inodes)? {
        let ino = Ino::new(Ino::ROOT.get() + number).ok_or("not an inode number")?;
        layer.set_attributes(ino, &attributes, None, &Credential::root())?;
    }
    Ok(inodes)
}

fn create(layer: &Layer) -> Result<u64, Box<dyn Error>> {
    let root = Credential::root();
    for number in 0..NEW_FILES {
        let directory = format!("/new/{}", number / FILES_IN_DIRECTORY);
        if number % FILES_IN_DIRECTORY == 0 {
            layer.make_dirs(&directory, 0o755)?;
        }
        let parent = layer.find(&directory)?.ino;
        let mode = CreateMode::Guarded(SetAttributes::with_mode(0o644));
        layer.create(parent, format!("some-file-{number:05}.so.1.2.3").as_bytes(), mode, &root)?;
    }
    Ok(NEW_FILES)
}

/// Memory of this process in KiB.
fn resident() -> Result<u64, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.split_whitespace().next().ok_or("no VmRSS")?.parse()?)
}
