//! What happens between a person and a console.

mod orders;
mod send_file;

use std::fs::File;
use std::future::Future;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::board::power::Power;
use crate::fault::{Class, Fault};

use super::keys::{Key, Keys, Order, name_of};
use super::screen::Screen;
use super::{Line, cancelled};

use send_file::Sending;

/// How long the console may take no key.
const TYPE_TIME: Duration = Duration::from_secs(5);

/// How a session goes.
pub(super) struct Settings {
    pub(super) escape: Option<u8>,
    pub(super) exit_after: Option<Duration>,
    pub(super) board: String,
    pub(super) power: Option<Power>,
    /// Whether keys are for the board from the start, though somebody else has it.
    pub(super) types: bool,
    /// Where the console is shared, whoever has it.
    pub(super) name: String,
}

/// Why a session has stopped.
pub(super) enum Stopped {
    /// The person has left it.
    Left,
    /// The console has ended.
    Ended,
    /// It cannot go on.
    Failed(Fault),
}

/// A person at a console; it outlives the console's changing hands.
pub(super) struct Session {
    screen: Screen,
    keys: Keys,
    settings: Settings,
    sender: mpsc::Sender<String>,
    messages: mpsc::Receiver<String>,
    log: Option<File>,
    marks: u32,
    /// Whether keys are for the board though somebody else has it.
    may_type: bool,
    /// A file on its way.
    sending: Option<Sending>,
    /// Whether standard input has ended.
    input_ended: bool,
    /// When something came, or was typed.
    last: Instant,
}

impl Session {
    pub(super) fn new(
        screen: Screen,
        settings: Settings,
        (sender, messages): (mpsc::Sender<String>, mpsc::Receiver<String>),
    ) -> Self {
        // What comes out of a pipe is all for the board.
        let escape = settings.escape.filter(|_| screen.is_terminal());
        let may_type = settings.types;
        Self {
            screen,
            keys: Keys::new(escape),
            settings,
            sender,
            messages,
            log: None,
            marks: 0,
            may_type,
            sending: None,
            input_ended: false,
            last: Instant::now(),
        }
    }

    /// Says something of this program's.
    pub(super) fn say(&self, text: &str) {
        self.screen.say(text);
    }

    /// Writes all that comes from now on behind what is in the file at `path`.
    pub(super) fn log_to(&mut self, path: &Path) -> Result<(), Fault> {
        let place = path.display().to_string();
        // A FIFO that nobody reads would be waited for.
        let is_fifo = std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        if is_fifo && File::options().append(true).custom_flags(flags).open(path).is_err() {
            return Err(Fault::new(Class::Usage, place, "it is a FIFO that nobody reads")
                .with_help("begin to read it, or name a file"));
        }
        let file = File::options().create(true).append(true).open(path);
        self.log = Some(file.map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                let text = "it cannot be made: its directory is not there";
                Fault::new(Class::Usage, place, text).with_help("make the directory, or name another file")
            }
            _ => Fault::from_error(Class::Infrastructure, place, &error),
        })?);
        Ok(())
    }

    /// Shows what the board says and sends what is typed, until either ends.
    pub(super) async fn run(&mut self, line: &mut Line, cancel: &CancellationToken) -> Stopped {
        let mut bytes = vec![0; 16 << 10];
        loop {
            let idle = until(self.idle_end());
            let is_sending = self.sending.is_some();
            tokio::select! {
                _ = line.stream.readable() => match line.stream.try_read(&mut bytes) {
                    Ok(count @ 1..) => {
                        self.last = Instant::now();
                        let came = bytes.get(..count).unwrap_or_default();
                        if let Err(fault) = self.show(came) {
                            return Stopped::Failed(fault);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    _ => return Stopped::Ended,
                },
                typed = self.screen.input.recv(), if !self.input_ended => {
                    if let Some(stopped) = self.typed(typed, Some(&mut *line)).await {
                        return stopped;
                    }
                }
                Some(message) = self.messages.recv() => self.screen.say(&message),
                _ = line.stream.writable(), if is_sending => {
                    self.last = Instant::now();
                    if let Some(sending) = &mut self.sending
                        && sending.send_more(&line.stream)
                    {
                        self.sending = None;
                        self.say("the file is sent");
                    }
                }
                () = idle => return Stopped::Left,
                () = cancel.cancelled() => return Stopped::Failed(cancelled(&self.settings.board)),
            }
        }
    }

    /// Waits for `work` while there is no console; the person may leave meanwhile. What comes out of a pipe waits, too.
    ///
    /// # Errors
    /// Why the session stops.
    pub(super) async fn meanwhile<T>(
        &mut self,
        work: impl Future<Output = T>,
        cancel: &CancellationToken,
    ) -> Result<T, Stopped> {
        tokio::pin!(work);
        loop {
            let idle = until(self.idle_end());
            let is_typed = !self.input_ended && self.screen.is_terminal();
            tokio::select! {
                done = &mut work => return Ok(done),
                typed = self.screen.input.recv(), if is_typed => {
                    if let Some(stopped) = self.typed(typed, None).await {
                        return Err(stopped);
                    }
                }
                Some(message) = self.messages.recv() => self.screen.say(&message),
                () = idle => return Err(Stopped::Left),
                () = cancel.cancelled() => return Err(Stopped::Failed(cancelled(&self.settings.board))),
            }
        }
    }

    /// When `--exit-after` ends the session.
    fn idle_end(&self) -> Option<Instant> {
        self.settings.exit_after.map(|time| self.last + time)
    }

    /// Does what was typed; why the session stops, if it does.
    async fn typed(&mut self, typed: Option<Vec<u8>>, mut line: Option<&mut Line>) -> Option<Stopped> {
        self.last = Instant::now();
        let Some(typed) = typed else {
            self.input_ended = true;
            // A terminal that is gone has nobody before it.
            return self.screen.is_terminal().then_some(Stopped::Left);
        };
        let mut rest = typed.as_slice();
        while let Some((key, left)) = self.keys.next(rest) {
            rest = left;
            if let Some(stopped) = self.handle(key, line.as_deref_mut()).await {
                return Some(stopped);
            }
        }
        None
    }

    fn show(&mut self, came: &[u8]) -> Result<(), Fault> {
        let failed = |what: &str, error| Fault::from_error(Class::Infrastructure, what.to_owned(), &error);
        self.screen.show(came).map_err(|error| failed("standard output", error))?;
        match &mut self.log {
            Some(log) => log.write_all(came).map_err(|error| failed("the log file", error)),
            None => Ok(()),
        }
    }

    /// Does what a key says; why the session stops, if it does.
    async fn handle(&mut self, key: Key, line: Option<&mut Line>) -> Option<Stopped> {
        match key {
            Key::Type(text) => return self.type_text(&text, line).await,
            Key::Order(Order::Quit) => return Some(Stopped::Left),
            Key::Order(order) => self.obey(order, line.as_deref()),
            Key::Unknown(key) => {
                let key = char::from(key).escape_default();
                self.say(&format!("{} {key} means nothing; {0} ? helps", self.escape()));
            }
            Key::Echo(text) => self.screen.echo(&text),
            Key::Answer(order, text) => self.answered(order, text.as_deref()),
        }
        None
    }

    /// Types on the console, if that is the person's or it was asked for.
    async fn type_text(&self, text: &[u8], line: Option<&mut Line>) -> Option<Stopped> {
        let Some(line) = line else {
            self.say("the console is not open now: that key went nowhere");
            return None;
        };
        match &line.holder {
            Some(holder) if !self.may_type && !self.screen.is_terminal() => {
                let place = format!("console of board `{}`", self.settings.board);
                let fault = Fault::new(
                    Class::Infrastructure,
                    place,
                    format!("{holder} has the board: nothing was typed"),
                );
                let help = "`--type` types into a console that somebody else has";
                return Some(Stopped::Failed(fault.with_help(help)));
            }
            Some(_) if !self.may_type => {
                self.refuse_to_type();
                return None;
            }
            _ => {}
        }
        match timeout(TYPE_TIME, line.stream.write_all(text)).await {
            Ok(Ok(())) => None,
            Ok(Err(_)) => Some(Stopped::Ended),
            Err(_) => {
                self.say("the console takes no keys at the moment: some were lost");
                None
            }
        }
    }

    fn refuse_to_type(&self) {
        self.say(&format!("somebody else has the board: {} t to type all the same", self.escape()));
    }

    fn escape(&self) -> String {
        self.settings.escape.map(name_of).unwrap_or_default()
    }
}

async fn until(end: Option<Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
