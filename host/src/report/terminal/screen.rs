//! The live view on a terminal: lines that stay go above it, and it is drawn over until it goes.
//!
//! The cursor rests where the view begins, and is never hidden. So whatever ends the program leaves a usable terminal; what
//! others print is not drawn over; and after a change of the terminal's size, in which many terminals break lines anew and
//! take the cursor along, all of the old view is still what follows the cursor.

use std::io::{self, IsTerminal as _, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Live;
use super::lines::Style;
use super::view::{Size, View};
use crate::report::output::Output;

/// How often the view is drawn again, if it has changed.
const TICK: Duration = Duration::from_millis(100);

/// Takes a terminal's size that is not known.
const USUAL: Size = Size { rows: 24, columns: 80 };

/// From the cursor to the end of the screen.
const ERASE: &str = "\r\x1b[J";

/// How long whoever takes the view off the screen waits for that.
const ERASE_TIME: Duration = Duration::from_millis(200);

/// Where a view is on the screen.
static SHOWN: Mutex<Option<Output>> = Mutex::new(None);
/// Whether it was taken from the screen by [`erase`].
static ERASED: AtomicBool = AtomicBool::new(false);

/// Takes the live view off the screen, if there is one: for who ends the program, or prints beside the reports.
pub fn erase() {
    let shown = SHOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(mut out) = shown {
        ERASED.store(true, Ordering::Relaxed);
        // The terminal is gone, or stopped: then there is nothing to be erased.
        let _ = out.write_all(ERASE.as_bytes()).and_then(|()| out.settle(ERASE_TIME));
    }
}

/// The view, drawn on standard output from time to time until it is dropped.
pub(super) struct Screen {
    shared: Arc<Mutex<Shared>>,
    stop: Option<Sender<()>>,
    ticker: Option<JoinHandle<()>>,
}

struct Shared {
    view: View,
    style: Style,
    live: Live,
    /// The last event: when it came, and its time in the run.
    last: (Instant, Duration),
    drawn: Vec<String>,
}

impl Screen {
    /// A view of what happens.
    pub(super) fn new(style: Style, live: Live) -> Self {
        erase_before_panics();
        let last = (Instant::now(), Duration::ZERO);
        let out = live.out.clone();
        let shared = Shared { view: View::default(), style, live, last, drawn: Vec::new() };
        let shared = Arc::new(Mutex::new(shared));
        let (stop, stopped) = mpsc::channel();
        let other = Arc::clone(&shared);
        let tick = move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                // What cannot be drawn now is drawn, or told, with the next line that stays.
                let _ = lock(&other).draw("");
            }
        };
        let ticker = thread::Builder::new().name("live view".to_owned()).spawn(tick).ok();
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = Some(out);
        Self { shared, stop: Some(stop), ticker }
    }

    /// Changes what is shown; `elapsed` is the run's time now.
    pub(super) fn update(&self, elapsed: Duration, change: impl FnOnce(&mut View)) {
        let mut shared = lock(&self.shared);
        shared.last = (Instant::now(), elapsed);
        change(&mut shared.view);
    }

    /// Prints a line that stays.
    pub(super) fn print(&self, text: &str) -> io::Result<()> {
        lock(&self.shared).draw(&format!("{ERASE}{text}\n"))
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(ticker) = self.ticker.take() {
            // One that panicked draws no more.
            let _ = ticker.join();
        }
        erase();
        *SHOWN.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Shared {
    /// Writes `before`, and the view if it has changed.
    fn draw(&mut self, before: &str) -> io::Result<()> {
        let now = self.last.1 + self.last.0.elapsed().mul_f64(self.live.speed);
        let lines = self.view.lines(now, size(), self.style);
        let is_erased = ERASED.swap(false, Ordering::Relaxed);
        if before.is_empty() && !is_erased && lines == self.drawn {
            return Ok(());
        }
        let mut text = format!("{before}\r{}\x1b[K\x1b[J\r", lines.join("\x1b[K\n"));
        if lines.len() > 1 {
            text += &format!("\x1b[{}A", lines.len() - 1);
        }
        self.drawn = lines;
        // In one piece: a terminal that shows half of it would flicker.
        self.live.out.write_all(text.as_bytes())?;
        self.live.out.flush()
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn size() -> Size {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    size.filter(|size| size.ws_row > 0 && size.ws_col > 0)
        .map_or(USUAL, |size| Size { rows: usize::from(size.ws_row), columns: usize::from(size.ws_col) })
}

/// A panic of a task, which the run outlives, is told on standard error: the view must not stand in it.
fn erase_before_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let others = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if io::stderr().is_terminal() {
                erase();
            }
            others(panic);
        }));
    });
}
