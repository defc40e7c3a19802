//! What a program prints, read by a thread of its own, and waited for.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What came out of a program until now, and a signal for more.
#[derive(Debug, Default)]
pub struct Printed(Mutex<Output>, Condvar);

#[derive(Debug, Default)]
struct Output {
    text: String,
    ended: bool,
}

impl Printed {
    /// Waits until `text` has come.
    ///
    /// # Errors
    /// All that was printed, when the program ends without it or it does not come within `patience`.
    pub fn wait_for(&self, text: &str, patience: Duration) -> Result<(), String> {
        self.wait(patience, |output| output.text.contains(text))
    }

    /// Waits until the program closes its output.
    ///
    /// # Errors
    /// All that was printed, when it does not do so within `patience`.
    pub fn wait_for_end(&self, patience: Duration) -> Result<(), String> {
        self.wait(patience, |output| output.ended)
    }

    fn wait(&self, patience: Duration, is_it: impl Fn(&Output) -> bool) -> Result<(), String> {
        let deadline = Instant::now() + patience;
        let mut output = self.lock();
        while !is_it(&output) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || output.ended {
                return Err(output.text.clone());
            }
            (output, _) = self.1.wait_timeout(output, left).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// All that was printed until now.
    pub fn text(&self) -> String {
        self.lock().text.clone()
    }

    /// As [`text`](Self::text), for the last time.
    pub fn take(&self) -> String {
        std::mem::take(&mut self.lock().text)
    }

    fn lock(&self) -> MutexGuard<'_, Output> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads `pipe` to its end into `printed`, as it comes: prompts have no end of line.
pub fn read(mut pipe: impl Read + Send + 'static, printed: Arc<Printed>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut bytes = vec![0; 64 << 10];
        // The begin of a character whose rest is still to come.
        let mut begun = Vec::new();
        loop {
            // A terminal whose other end is closed fails to be read.
            let count = pipe.read(&mut bytes).unwrap_or(0);
            begun.extend_from_slice(&bytes[..count]);
            let whole = match str::from_utf8(&begun) {
                Err(error) if error.error_len().is_none() && count > 0 => error.valid_up_to(),
                _ => begun.len(),
            };
            let mut output = printed.lock();
            output.text.push_str(&String::from_utf8_lossy(&begun[..whole]));
            begun.drain(..whole);
            output.ended = count == 0;
            printed.1.notify_all();
            if output.ended {
                return;
            }
        }
    })
}
