//! A run that goes on.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::finished::Finished;

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
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
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
        let deadline = Instant::now() + PATIENCE;
        let mut printed = self.stdout.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !printed.text.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !printed.ended, "no {text:?} in:\n{}", printed.text);
            (printed, _) = self.stdout.1.wait_timeout(printed, left).unwrap_or_else(PoisonError::into_inner);
        }
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
            let mut text = printed.0.lock().unwrap_or_else(PoisonError::into_inner);
            while !text.ended {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    let text = text.text.clone();
                    // Killed, so that the failing test leaves nothing behind.
                    let _ = self.child.kill();
                    panic!("the program did not end within {PATIENCE:?}:\n{text}");
                }
                (text, _) = printed.1.wait_timeout(text, left).unwrap_or_else(PoisonError::into_inner);
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

/// What came out of the program until now, and a signal for more.
#[derive(Debug, Default)]
struct Printed(Mutex<Output>, Condvar);

#[derive(Debug, Default)]
struct Output {
    text: String,
    ended: bool,
}

impl Printed {
    fn take(&self) -> String {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).text)
    }
}

fn read(pipe: impl Read + Send + 'static, printed: Arc<Printed>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        loop {
            let mut line = Vec::new();
            let count = pipe.read_until(b'\n', &mut line).unwrap_or(0);
            let mut output = printed.0.lock().unwrap_or_else(PoisonError::into_inner);
            output.text.push_str(&String::from_utf8_lossy(&line));
            output.ended = count == 0;
            printed.1.notify_all();
            if output.ended {
                return;
            }
        }
    })
}
