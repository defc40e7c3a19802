//! The program on a terminal: a pseudo-terminal, and an emulator that shows what a person would see.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use tempfile::TempDir;

use super::running::PATIENCE;

/// Rows that stay readable after they have left the screen.
const SCROLLBACK: usize = 2000;

/// The program, and the screen of its terminal; killed when dropped.
pub struct OnTerminal {
    child: Child,
    keyboard: File,
    screen: Arc<Screen>,
    reader: Option<JoinHandle<()>>,
    _directory: Arc<TempDir>,
}

struct Screen {
    shown: Mutex<Shown>,
    changed: Condvar,
}

struct Shown {
    emulator: vt100::Parser,
    is_over: bool,
}

impl OnTerminal {
    /// Starts `command`, which is to have neither standard streams nor a session of its own yet.
    ///
    /// # Panics
    /// When there are no pseudo-terminals, or the program does not start.
    pub(super) fn start(command: &Command, rows: u16, columns: u16, directory: Arc<TempDir>) -> Self {
        let (master, terminal, _) = pseudo_terminal().expect("a pseudo-terminal");
        tcsetwinsize(&master, winsize(rows, columns)).expect("a pseudo-terminal");
        let stream = || Stdio::from(terminal.try_clone().expect("a descriptor"));
        // Makes the terminal the one whose Ctrl-C reaches the program.
        let mut session = Command::new("setsid");
        session.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        session
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("TERM", "xterm");
        session.current_dir(command.get_current_dir().expect("the bench's directory"));
        let child = session.stdin(stream()).stdout(stream()).stderr(stream()).spawn();
        let child = child.expect("setsid of util-linux starts");
        let emulator = vt100::Parser::new(positive(rows), positive(columns), SCROLLBACK);
        let shown = Mutex::new(Shown { emulator, is_over: false });
        let screen = Arc::new(Screen { shown, changed: Condvar::new() });
        let keyboard = File::from(master);
        let output = keyboard.try_clone().expect("a descriptor");
        let other = Arc::clone(&screen);
        let reader = Some(thread::spawn(move || other.show(output)));
        Self { child, keyboard, screen, reader, _directory: directory }
    }

    /// Waits until the rows of the screen are as `is_it` wants them; those rows.
    ///
    /// # Panics
    /// When they do not become so in time, or the program ends first.
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&[String]) -> bool) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let mut shown = self.screen.lock();
        loop {
            let rows = shown.rows();
            if is_it(&rows) {
                return rows;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !shown.is_over, "no {what} on the screen:\n{}", rows.join("\n"));
            (shown, _) =
                self.screen.changed.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Changes the size of the terminal.
    ///
    /// # Panics
    /// When the system does not let it.
    pub fn resize(&self, rows: u16, columns: u16) {
        self.screen.lock().emulator.set_size(positive(rows), positive(columns));
        tcsetwinsize(&self.keyboard, winsize(rows, columns)).expect("a terminal");
    }

    /// Waits until `text` is on the screen, or has left it at the top.
    ///
    /// # Panics
    /// When it does not come in time, or the program ends first.
    pub fn sees(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut shown = self.screen.lock();
        loop {
            let rows = shown.all_rows().join("\n");
            if rows.contains(text) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero() && !shown.is_over, "no {text:?} on the screen:\n{rows}");
            (shown, _) =
                self.screen.changed.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Types keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn types(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("a terminal");
    }

    /// Presses Ctrl and C.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press_ctrl_c(&mut self) {
        self.types("\x03");
    }

    /// Whether the cursor can be seen.
    pub fn is_cursor_visible(&self) -> bool {
        !self.screen.lock().emulator.screen().hide_cursor()
    }

    /// Waits until the program has ended: its exit code, and all rows, also those that have left the screen.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn finish(&mut self) -> (Option<i32>, Vec<String>) {
        let deadline = Instant::now() + PATIENCE;
        let mut shown = self.screen.lock();
        while !shown.is_over {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the program did not end:\n{}", shown.rows().join("\n"));
            (shown, _) =
                self.screen.changed.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner);
        }
        let rows = shown.all_rows();
        drop(shown);
        (self.child.wait().expect("a child").code(), rows)
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            // One that panicked has told so itself.
            let _ = reader.join();
        }
    }
}

impl Screen {
    /// Shows what comes until nobody has the terminal any more.
    fn show(&self, mut output: File) {
        let mut buffer = [0; 4096];
        loop {
            // The last descriptor of the terminal is closed: EIO.
            let count = output.read(&mut buffer).unwrap_or(0);
            let mut shown = self.lock();
            shown.emulator.process(&buffer[..count]);
            shown.is_over = count == 0;
            self.changed.notify_all();
            if count == 0 {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shown {
    fn rows(&self) -> Vec<String> {
        let screen = self.emulator.screen();
        screen.rows(0, screen.size().1.get()).map(|row| row.trim_end().to_owned()).collect()
    }

    fn all_rows(&mut self) -> Vec<String> {
        let mut rows = Vec::new();
        for back in (1..=self.emulator.screen().scrollback_len()).rev() {
            self.emulator.screen_mut().set_scrollback(back);
            rows.extend(self.rows().into_iter().next());
        }
        self.emulator.screen_mut().set_scrollback(0);
        rows.extend(self.rows());
        rows
    }
}

/// Opens a pseudo-terminal: its two ends, and the path of the second.
///
/// # Errors
/// Those of pty(7).
pub fn pseudo_terminal() -> io::Result<(OwnedFd, OwnedFd, String)> {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&near)?;
    unlockpt(&near)?;
    let path = ptsname(&near, Vec::new())?;
    let far = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
    Ok((near, far, path.to_string_lossy().into_owned()))
}

fn winsize(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn positive(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("a terminal has rows and columns")
}
