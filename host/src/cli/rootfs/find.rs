//! Which root filesystem is meant, and the right to use it.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::{KeptArgs, KeptName};
use crate::board::lease::{Holder, Key, Lease};
use crate::cli::message::Failure;
use crate::cli::run::load_bench_if_any;
use crate::document::is_name;
use crate::fault::{Class, Fault};
use crate::rootfs::{Difference, Layer, Origin, remove_kept};
use crate::run::persistent_directory;

/// An opened root filesystem.
pub(super) struct Opened {
    pub(super) layer: Layer,
    pub(super) origin: Origin,
    /// Of a persistent one.
    pub(super) lease: Option<Lease>,
}

impl Opened {
    /// Where a path of the board is in the layer.
    pub(super) fn in_layer(&self, path: &Path) -> PathBuf {
        let path = path.strip_prefix("/").unwrap_or(path);
        Path::new("/").join(self.origin.root.trim_start_matches('/')).join(path)
    }

    /// A difference with its path on the board, where it is one that the board can see.
    pub(super) fn on_board(&self, difference: &Difference) -> Difference {
        let mut difference = difference.clone();
        let below = difference.path.strip_prefix(self.origin.root.as_bytes());
        if let Some(below) = below.filter(|below| below.starts_with(b"/")) {
            difference.path = below.to_vec();
        }
        difference
    }
}

/// Where a root filesystem is, and the right to use it.
struct Found {
    directory: PathBuf,
    lease: Option<Lease>,
}

/// A fault of the bench PC with the root filesystem that the user named.
pub(super) fn fault(kept: &KeptArgs, error: &dyn std::error::Error) -> Fault {
    Fault::from_error(Class::Infrastructure, kept.rootfs.to_string(), error)
}

/// Opens it for the subcommand `verb`; what had to be repaired is told.
pub(super) fn open(kept: &KeptArgs, verb: &str) -> Result<Opened, Failure> {
    let Found { directory, lease } = find(kept, verb)?;
    let origin = Origin::read(&directory).map_err(|error| fault(kept, &error))?;
    let (layer, repairs) = origin.open(&directory).map_err(|error| fault(kept, &error))?;
    let mut stderr = io::stderr().lock();
    for repair in repairs {
        // The repair is done whether or not it can be told.
        let _ = writeln!(stderr, "repaired: {repair}");
    }
    Ok(Opened { layer, origin, lease })
}

/// Removes it.
pub(super) fn remove(kept: &KeptArgs) -> Result<(), Failure> {
    let found = find(kept, "rm")?;
    remove_kept(&found.directory).map_err(|error| fault(kept, &error))?;
    drop(found.lease);
    Ok(())
}

fn find(kept: &KeptArgs, verb: &str) -> Result<Found, Failure> {
    match &kept.rootfs {
        KeptName::Run(run) => Ok(Found { directory: of_run(run, kept.node.as_deref())?, lease: None }),
        KeptName::Persistent(name) => {
            let all = persistent_directory(load_bench_if_any(&kept.bench)?.as_ref())?;
            let directory = all.join(name);
            if !is_name(name) || !directory.is_dir() {
                let text =
                    format!("there is no persistent root filesystem of this name in {}", all.display());
                let fault = Fault::new(Class::Usage, kept.rootfs.to_string(), text);
                return Err(fault.with_help("`host-runner rootfs list` names them").into());
            }
            let key = Key::persistent_rootfs(&all, name).map_err(|error| fault(kept, &error))?;
            let lease = Lease::acquire(&[key], &holder(verb)).map_err(|error| {
                Fault::from_error(error.class(), kept.rootfs.to_string(), &error)
                    .with_optional_help(error.help())
            })?;
            Ok(Found { directory, lease: Some(lease) })
        }
    }
}

/// This command, for those who want the same root filesystem meanwhile.
fn holder(verb: &str) -> Holder {
    Holder::this(format!("host-runner rootfs {verb}"), String::new(), jiff::Timestamp::now())
}

/// The node's root filesystem in the directory of a run.
fn of_run(run: &Path, node: Option<&str>) -> Result<PathBuf, Fault> {
    let all = run.join("rootfs");
    if let Some(node) = node {
        return Ok(all.join(node));
    }
    let names: Vec<String> = fs::read_dir(&all)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    let fault = |text: String| Fault::new(Class::Usage, run.display().to_string(), text);
    match names.as_slice() {
        [name] => Ok(all.join(name)),
        [] if !run.is_dir() => Err(fault("there is no such directory".to_owned())
            .with_help("give the directory that `host-runner run` wrote its results to")),
        [] => Err(fault("this run has kept no root filesystem".to_owned())
            .with_help("`host-runner run --keep-rootfs` keeps them")),
        names => {
            let text = format!("several nodes of this run have a root filesystem: {}", names.join(", "));
            Err(fault(text).with_help("choose one with --node"))
        }
    }
}
