//! A run that goes on.

use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::finished::Finished;
use crate::printed::{Printed, read};

/// Longer than anything takes on a loaded machine; no test waits it out.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A run of the program that goes on; killed when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    started: Instant,
    directory: Arc<TempDir>,
    stdout: Arc<Printed>,
    stderr: Arc<Printed>,
    readers: Vec<JoinHandle<()>>,
    _stdin: Option<ChildStdin>,
}

impl Running {
    /// Starts `command`, whose run writes below `directory`.
    pub(super) fn start(mut command: Command, directory: Arc<TempDir>) -> Self {
        command.stdin(Stdio::null());
        Self::start_with_input(command, directory)
    }

    /// Starts `command`, whose standard input is set.
    pub(super) fn start_with_input(mut command: Command, directory: Arc<TempDir>) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().expect("the program starts");
        let (stdout, stderr) = (Arc::new(Printed::default()), Arc::new(Printed::default()));
        let readers = vec![
            read(child.stdout.take().expect("piped"), Arc::clone(&stdout)),
            read(child.stderr.take().expect("piped"), Arc::clone(&stderr)),
        ];
        Self { _stdin: child.stdin.take(), child, started, directory, stdout, stderr, readers }
    }

    /// Waits until standard output has `text`.
    ///
    /// # Panics
    /// When the program ends without it, or it does not come in time.
    pub fn wait_for(&self, text: &str) {
        if let Err(printed) = self.stdout.wait_for(text, PATIENCE) {
            panic!("no {text:?} in:\n{printed}");
        }
    }

    /// Waits until standard error has `text`.
    ///
    /// # Panics
    /// When the program ends without it, or it does not come in time.
    pub fn wait_for_error(&self, text: &str) {
        if let Err(printed) = self.stderr.wait_for(text, PATIENCE) {
            panic!("no {text:?} in:\n{printed}");
        }
    }

    /// What it has written to standard output until now.
    pub fn printed(&self) -> String {
        self.stdout.text()
    }

    /// Sends a signal to the program.
    ///
    /// # Panics
    /// When it has ended.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the program still runs");
    }

    /// Waits until the program has ended.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn finish(mut self) -> Finished {
        let deadline = self.started + PATIENCE;
        // Both ends of output are the end of the program, or nearly.
        for printed in [&self.stdout, &self.stderr] {
            let left = deadline.saturating_duration_since(Instant::now());
            if let Err(text) = printed.wait_for_end(left) {
                // Killed, so that the failing test leaves nothing behind.
                let _ = self.child.kill();
                panic!("the program did not end within {PATIENCE:?}:\n{text}");
            }
        }
        let status = self.child.wait().expect("a child");
        for reader in self.readers.drain(..) {
            reader.join().expect("readers do not panic");
        }
        Finished::new(
            status,
            self.stdout.take(),
            self.stderr.take(),
            Arc::clone(&self.directory),
            self.started.elapsed(),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
