//! Process groups of the programs that are started: git, console programs, power commands.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// Kills a program's process group when dropped: what the program has started outlives it otherwise.
///
/// The program must lead its group (`process_group(0)`).
#[derive(Debug)]
pub(crate) struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    /// The group that `leader` leads; none if it has been waited for.
    pub(crate) fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Lets the group be: its leader has been waited for, and its number may be another's from now on.
    pub(crate) fn release(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended by itself just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
