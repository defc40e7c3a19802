//! Boards and persistent root filesystems are used by one run at a time.

use std::fs;
use std::path::Path;

use crate::board::lease::{Held, Holder, Key, Lease};
use crate::board::{Bench, Board, ConsoleTarget};
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
        if let ConsoleTarget::Line(Target::Serial { path, .. }) = &board.console {
            check_permission(path).map_err(|error| {
                Fault::from_error(Class::Bench, format!("board `{}`", board.name), &error)
            })?;
        }
        keys.extend(board_keys(bench, board)?);
    }
    acquire(&keys, out.display().to_string(), plan.job_name.clone(), since)
}

/// Takes `board` for a command that has no job; `command` is shown to whoever wants it meanwhile.
///
/// # Errors
/// A fault that names the run that has it.
pub fn take_board(bench: &Bench, board: &Board, command: String) -> Result<Lease, Fault> {
    acquire(&board_keys(bench, board)?, command, String::new(), jiff::Timestamp::now())
}

/// Who has `board`, or what its console is on.
///
/// # Errors
/// Where the path of the bench file cannot be resolved.
pub fn board_held(bench: &Bench, board: &Board) -> Result<Held, Fault> {
    let all = board_keys(bench, board)?;
    Ok(all.iter().map(Key::held).find(|held| *held != Held::Free).unwrap_or(Held::Free))
}

/// What a board is leased by: itself, and what its console is on.
fn board_keys(bench: &Bench, board: &Board) -> Result<Vec<Key>, Fault> {
    let key = Key::board(&bench.path, &board.name)
        .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
    let console = match &board.console {
        ConsoleTarget::Line(Target::Serial { path, .. }) => Some(Key::device(path)),
        ConsoleTarget::Line(Target::Tcp { host, port } | Target::Telnet { host, port }) => {
            Some(Key::port(host, *port))
        }
        ConsoleTarget::Line(Target::Command(_)) | ConsoleTarget::Qemu(_) | ConsoleTarget::None => None,
    };
    Ok(std::iter::once(key).chain(console).collect())
}

fn acquire(keys: &[Key], run: String, job: String, since: jiff::Timestamp) -> Result<Lease, Fault> {
    Lease::acquire(keys, &Holder::this(run, job, since))
        .map_err(|error| Fault::from_error(error.class(), "leases", &error).with_optional_help(error.help()))
}

/// The lease of a persistent root filesystem. The directory that it is to be in is made: its path must be the same for
/// all who come after.
fn rootfs_key(bench: &Bench, name: &str) -> Result<Key, Fault> {
    let directory = persistent_directory(Some(bench))?;
    let key = fs::create_dir_all(&directory).and_then(|()| Key::persistent_rootfs(&directory, name));
    key.map_err(|error| Fault::from_error(Class::Infrastructure, directory.display().to_string(), &error))
}
