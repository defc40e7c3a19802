//! Boards are used by one run at a time.

use std::path::Path;

use crate::board::lease::{Holder, Key, Lease, state_directory};
use crate::board::{Bench, ConsoleTarget};
use crate::fault::{Class, Fault};
use crate::link::Target;
use crate::plan::{NodeKind, Plan};

/// Takes all boards of a plan, or none: a board that another run holds is refused at once.
///
/// `out` names the run to whoever wants the same boards meanwhile.
///
/// # Errors
/// A fault that names the other run.
pub fn lease_boards(plan: &Plan, bench: &Bench, out: &Path, since: jiff::Timestamp) -> Result<Lease, Fault> {
    let mut keys = Vec::new();
    for node in &plan.nodes {
        let NodeKind::Board { board } = &node.kind else { continue };
        let key = Key::board(&bench.path, &board.name)
            .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
        keys.push(key);
        if let ConsoleTarget::Line(Target::Serial { path, .. }) = &board.console {
            keys.push(Key::device(path));
        }
    }
    let holder =
        Holder { pid: std::process::id(), run: out.display().to_string(), job: plan.job_name.clone(), since };
    Lease::acquire(&state_directory(|name| std::env::var_os(name)), &keys, &holder)
        .map_err(|error| Fault::from_error(Class::Infrastructure, "boards", &error))
}
