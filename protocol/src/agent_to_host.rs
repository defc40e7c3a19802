//! Messages from the agent to the runner: what happened, and helpers' calls passed on.

use serde::{Deserialize, Serialize};

use crate::helper::Call;

/// One message from the agent to the runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AgentToHost<'a> {
    /// The agent is up. First message on every link.
    Ready {
        /// Version and target of the agent's build, such as `0.1.0 armv7`.
        build: &'a str,
        /// The agent's clock, seconds since 1970-01-01 00:00 UTC.
        unix_s: u64,
    },
    /// A file sent with `OpenFile` … `CloseFile` was written, or was not.
    FileDone {
        /// 0, or the errno of what failed.
        errno: u16,
        /// Bytes written.
        bytes: u32,
    },
    /// A script runs.
    Started {
        /// The runner's number for it.
        run: u32,
    },
    /// A script could not be started.
    NotStarted {
        /// The runner's number for it.
        run: u32,
        /// The errno of what failed.
        errno: u16,
    },
    /// What a script printed.
    Output {
        /// The runner's number for the script.
        run: u32,
        /// At most [`MAX_CHUNK`](crate::limits::MAX_CHUNK) bytes, as the script wrote them (any bytes).
        data: &'a [u8],
    },
    /// A script ended.
    Exited {
        /// The runner's number for the script.
        run: u32,
        /// How it ended.
        status: ExitStatus,
    },
    /// A helper asks something; answered with [`HostToAgent::Reply`](crate::HostToAgent::Reply).
    Call {
        /// Chosen by the agent; unique among the calls that wait for a reply.
        call: u32,
        /// The runner's number for the script that the helper was called from, which may have ended; 0 if from none.
        run: u32,
        /// What is asked.
        #[serde(borrow)]
        request: Call<'a>,
    },
    /// The helper that made a call has gone (killed, or its script ended); no reply is wanted any more.
    CallGone {
        /// The number of the call.
        call: u32,
    },
    /// A script begins a step; what it prints from here on is the step's.
    Step {
        /// The runner's number for the script.
        run: u32,
        /// Number of the step, as the script has it.
        step: u16,
    },
    /// What a script has used. Sent in front of its `Exited`.
    Usage {
        /// The runner's number for the script.
        run: u32,
        /// What the shell and all processes that it has waited for used.
        usage: Usage,
    },
    /// What a script has printed before the call that is the next message, and what is still to be sent: calls do not wait
    /// for a slow line.
    CallBehind {
        /// The runner's number for the script.
        run: u32,
        /// Bytes of its output.
        bytes: u32,
    },
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitStatus {
    /// It returned this code.
    Code(u8),
    /// A signal ended it.
    Signal(u8),
    /// The agent killed it because its time was over.
    TimedOut,
    /// The agent killed it because the runner said so.
    Killed,
    /// The agent killed it because the time of the step that it was in was over.
    StepTimedOut,
}

/// Resources that processes have used (getrusage(2)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Processor time in user mode, in milliseconds.
    pub user_ms: u32,
    /// Processor time in the kernel, in milliseconds.
    pub system_ms: u32,
    /// Largest resident memory of any of them, in KiB.
    pub max_rss_kib: u32,
}
