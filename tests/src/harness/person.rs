//! A person before a terminal in which the program runs.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::fs::{CWD, Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use super::running::PATIENCE;
use crate::printed::{Printed, read};

/// Opens a pseudo-terminal: its two ends, and the path of the second.
///
/// # Errors
/// Those of pty(7).
pub fn pseudo_terminal() -> io::Result<(OwnedFd, OwnedFd, String)> {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    let path = ptsname(&near, Vec::new())?;
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let far = rustix::fs::openat(CWD, &path, flags, Mode::empty())?;
    Ok((near, far, path.to_string_lossy().into_owned()))
}

/// A program on a terminal, and who sees and types there. The program is killed when this is dropped.
#[derive(Debug)]
pub struct Person {
    child: Child,
    terminal: File,
    shown: Arc<Printed>,
    reader: Option<JoinHandle<()>>,
}

impl Person {
    /// Starts `command` on a terminal.
    ///
    /// # Panics
    /// When there is no terminal left, or the program does not start.
    pub fn start(mut command: Command) -> Self {
        let (near, far, _) = pseudo_terminal().expect("a pseudo-terminal");
        let end = || far.try_clone().expect("descriptors are left");
        command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the program starts");
        // Its ends of the terminal are the last ones.
        drop((command, far));
        let terminal = File::from(near);
        let shown = Arc::new(Printed::default());
        let reader = read(terminal.try_clone().expect("descriptors are left"), Arc::clone(&shown));
        Self { child, terminal, shown, reader: Some(reader) }
    }

    /// Types keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn types(&mut self, keys: &[u8]) {
        self.terminal.write_all(keys).expect("the terminal is there");
    }

    /// Waits until the screen has shown `text`.
    ///
    /// # Panics
    /// When the program ends without it, or it does not come in time.
    pub fn sees(&self, text: &str) {
        if let Err(shown) = self.shown.wait_for(text, PATIENCE) {
            panic!("no {text:?} in:\n{shown}");
        }
    }

    /// All that was shown until now.
    pub fn shown(&self) -> String {
        self.shown.text()
    }

    /// Waits until the program has ended: its exit code, and all that it has shown.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn finish(mut self) -> (Option<i32>, String) {
        if let Err(shown) = self.shown.wait_for_end(PATIENCE) {
            panic!("the program did not end within {PATIENCE:?}:\n{shown}");
        }
        let status = self.child.wait().expect("a child");
        if let Some(reader) = self.reader.take() {
            reader.join().expect("readers do not panic");
        }
        (status.code(), self.shown.take())
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
