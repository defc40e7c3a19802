//! Messages from the runner to the agent: requests, in the imperative.

use serde::{Deserialize, Serialize};

use crate::helper::Reply;

/// One message from the runner to the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostToAgent<'a> {
    /// Opens `path` for writing below the agent's own directory, creating parent directories.
    ///
    /// Answered with [`FileDone`](crate::AgentToHost::FileDone) once [`CloseFile`](Self::CloseFile) was handled.
    OpenFile {
        /// Path relative to the agent's directory, without `..`.
        path: &'a str,
        /// Permission bits, as for chmod.
        mode: u32,
    },
    /// Appends to the file that is open.
    FileData {
        /// At most [`MAX_CHUNK`](crate::limits::MAX_CHUNK) bytes.
        data: &'a [u8],
    },
    /// Ends the file that is open.
    CloseFile,
    /// Starts a script under the target's shell; one script runs at a time.
    ///
    /// Answered with [`Started`](crate::AgentToHost::Started), any number of [`Output`](crate::AgentToHost::Output)
    /// and one [`Exited`](crate::AgentToHost::Exited), or with [`NotStarted`](crate::AgentToHost::NotStarted).
    RunScript {
        /// Chosen by the runner, repeated in every answer about this script.
        run: u32,
        /// Script path relative to the agent's directory.
        script: &'a str,
        /// The shell that runs it, an absolute path such as `/bin/sh`.
        shell: &'a str,
        /// Whether the shell ends at the first failing command (`-e`).
        errexit: bool,
        /// Seconds until the script's process group is killed.
        timeout_s: u32,
    },
    /// Kills the running script's process group.
    KillScript {
        /// The `run` of the script.
        run: u32,
    },
    /// Answers a helper's call.
    Reply {
        /// The `call` of [`AgentToHost::Call`](crate::AgentToHost::Call).
        call: u32,
        /// What the helper is told.
        #[serde(borrow)]
        reply: Reply<'a>,
    },
    /// Sets the target's clock if it is plainly wrong (earlier than the agent's build).
    SetClock {
        /// Seconds since 1970-01-01 00:00 UTC.
        unix_s: u64,
    },
    /// Ends the agent: it gives the terminal back and exits.
    Quit,
}
