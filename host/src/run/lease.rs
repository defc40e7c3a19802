//! Boards and persistent root filesystems are used by one run at a time.

use std::fs;
use std::path::Path;

use crate::board::lease::{Holder, Key, Lease};
use crate::board::{Bench, ConsoleTarget};
use crate::fault::{Class, Fault};
use crate::link::{Target, check_permission};
use crate::plan::{NodeKind, Plan};
use crate::run::bench::persistent_directory;

/// Takes all boards and persistent root filesystems of a plan, or none: what another run holds is refused at once.
///
/// `out` names the run to whoever wants the same meanwhile.
///
/// # Errors
/// A fault that names the other run, a serial port that this user may not open, or no place for root filesystems.
pub fn take_leases(plan: &Plan, bench: &Bench, out: &Path, since: jiff::Timestamp) -> Result<Lease, Fault> {
    let mut keys = Vec::new();
    for node in &plan.nodes {
        for rootfs in node.persistent_rootfs() {
            keys.push(rootfs_key(bench, &rootfs.value)?);
        }
        let NodeKind::Board { board } = &node.kind else { continue };
        let key = Key::board(&bench.path, &board.name)
            .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
        keys.push(key);
        match &board.console {
            ConsoleTarget::Line(Target::Serial { path, .. }) => {
                check_permission(path).map_err(|error| {
                    Fault::from_error(Class::Bench, format!("board `{}`", board.name), &error)
                })?;
                keys.push(Key::device(path));
            }
            ConsoleTarget::Line(Target::Tcp { host, port } | Target::Telnet { host, port }) => {
                keys.push(Key::port(host, *port));
            }
            ConsoleTarget::Line(Target::Command(_)) | ConsoleTarget::Qemu(_) | ConsoleTarget::None => {}
        }
    }
    let holder = Holder {
        pid: std::process::id(),
        user: rustix::process::getuid().as_raw(),
        run: out.display().to_string(),
        job: plan.job_name.clone(),
        since,
    };
    Lease::acquire(&keys, &holder)
        .map_err(|error| Fault::from_error(error.class(), "leases", &error).with_optional_help(error.help()))
}

/// The lease of a persistent root filesystem. The directory that it is to be in is made: its path must be the same for
/// all who come after.
fn rootfs_key(bench: &Bench, name: &str) -> Result<Key, Fault> {
    let directory = persistent_directory(Some(bench))?;
    let key = fs::create_dir_all(&directory).and_then(|()| Key::persistent_rootfs(&directory, name));
    key.map_err(|error| Fault::from_error(Class::Infrastructure, directory.display().to_string(), &error))
}
