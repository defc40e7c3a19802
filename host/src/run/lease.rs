//! Boards are used by one run at a time.

use std::path::Path;

use crate::board::lease::{Holder, Key, Lease};
use crate::board::{Bench, ConsoleTarget};
use crate::fault::{Class, Fault};
use crate::link::{Target, check_permission};
use crate::plan::{NodeKind, Plan};

/// Takes all boards of a plan, or none: a board that another run holds is refused at once.
///
/// `out` names the run to whoever wants the same boards meanwhile.
///
/// # Errors
/// A fault that names the other run, or a serial port that this user may not open.
pub fn lease_boards(plan: &Plan, bench: &Bench, out: &Path, since: jiff::Timestamp) -> Result<Lease, Fault> {
    let mut keys = Vec::new();
    for node in &plan.nodes {
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
            ConsoleTarget::Line(Target::Command(_)) | ConsoleTarget::Qemu(_) => {}
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
        .map_err(|error| Fault::from_error(error.class(), "boards", &error).with_optional_help(error.help()))
}
