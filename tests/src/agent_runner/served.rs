//! A run whose helpers are started from outside, one at a time.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::thread::JoinHandle;

use protocol::agent_to_host::ExitStatus;
use protocol::helper::{Call, Pairs, Reply};

use super::{Home, Runner};

/// How long the run may take, in seconds.
const TIMEOUT_S: u32 = 600;

/// An agent that serves helpers, and a runner that answers them at once: the two messages that
/// a `lava-wait` is released with, the group of two, or "done".
pub struct Served {
    directory: PathBuf,
    /// What the run's script waits for.
    end: PathBuf,
    runner: Option<JoinHandle<usize>>,
}

impl Served {
    /// Starts the agent of `home`; the helpers may be those of another one. `start` makes it, and the link to it.
    ///
    /// # Panics
    /// When the agent does not start.
    pub fn start(home: Home, start: impl FnOnce(&Home) -> Runner) -> Self {
        let (directory, end) = (home.path().to_owned(), home.path().join("end"));
        assert!(Command::new("mkfifo").arg(&end).status().expect("coreutils").success());
        home.script("run.sh", "read line < end\n");
        let mut runner = start(&home);
        let runner = std::thread::spawn(move || {
            let ran = runner.run("run.sh", TIMEOUT_S, |call| vec![answer(call)]);
            assert_eq!(ran.status, ExitStatus::Code(0));
            assert!(runner.quit().success());
            drop(home);
            ran.calls.len()
        });
        Self { directory, end, runner: Some(runner) }
    }

    /// Gives a helper the run's environment.
    pub fn prepare<'c>(&self, helper: &'c mut Command) -> &'c mut Command {
        helper
            .env("LAVA_AGENT_SOCKET", self.directory.join("agent.sock"))
            .env("LAVA_AGENT_LINK", "stdio")
            .env("LAVA_MULTI_NODE_CACHE", self.directory.join("multi_node_cache.txt"))
            .env("LAVA_NODE_NAME", "host")
    }

    /// Ends the run and returns how many calls were answered.
    ///
    /// # Panics
    /// When the run has failed.
    pub fn end(mut self) -> usize {
        fs::write(&self.end, "end\n").expect("the script reads");
        self.runner.take().map(|runner| runner.join().expect("the run ended well")).unwrap_or_default()
    }
}

fn answer(call: &Call<'_>) -> Reply<'static> {
    match call {
        Call::Wait { .. } | Call::WaitAll { .. } => {
            Reply::Messages { lines: "guest-0:ipaddr=10.0.0.2\0guest-0:port=22\0", more: false }
        }
        Call::Group => Reply::Members { members: Pairs("host\0host\0guest-0\0guest\0"), more: false },
        _ => Reply::Done,
    }
}
