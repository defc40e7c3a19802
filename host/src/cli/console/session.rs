//! What happens between a person and a console.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::board::power::{Power, Switch};
use crate::fault::{Chain, Class, Fault};

use super::keys::{Key, Keys, ORDERS, Order, name_of};
use super::screen::Screen;
use super::{Line, cancelled};

/// How long the console may take no key.
const TYPE_TIME: Duration = Duration::from_secs(5);

/// Largest file that is sent.
const MAX_FILE: u64 = 64 << 20;

/// Bytes of a file that are sent at once.
const CHUNK: usize = 256;

/// How a session goes.
pub(super) struct Settings {
    pub(super) escape: Option<u8>,
    pub(super) exit_after: Option<Duration>,
    pub(super) board: String,
    pub(super) power: Option<Power>,
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
    /// A file on its way, and how much of it is sent.
    sending: Option<(Vec<u8>, usize)>,
}

impl Session {
    pub(super) fn new(
        screen: Screen,
        settings: Settings,
        (sender, messages): (mpsc::Sender<String>, mpsc::Receiver<String>),
    ) -> Self {
        // What comes out of a pipe is all for the board.
        let escape = settings.escape.filter(|_| screen.is_terminal());
        let may_type = !screen.is_terminal();
        let keys = Keys::new(escape);
        Self { screen, keys, settings, sender, messages, log: None, marks: 0, may_type, sending: None }
    }

    /// Says something of this program's.
    pub(super) fn say(&self, text: &str) {
        self.screen.say(text);
    }

    /// Writes all that comes from now on behind what is in the file at `path`.
    pub(super) fn log_to(&mut self, path: &Path) -> Result<(), Fault> {
        let file = File::options().create(true).append(true).open(path);
        let file = file
            .map_err(|error| Fault::from_error(Class::Infrastructure, path.display().to_string(), &error))?;
        self.log = Some(file);
        Ok(())
    }

    /// Shows what the board says and sends what is typed, until either ends.
    pub(super) async fn run(&mut self, line: &mut Line, cancel: &CancellationToken) -> Stopped {
        let is_own = line.owner.is_some();
        let mut bytes = vec![0; 16 << 10];
        let mut input_ended = false;
        let mut last = Instant::now();
        loop {
            let idle_until = self.settings.exit_after.map(|time| last + time);
            let idle = async {
                match idle_until {
                    Some(until) => sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            let is_sending = self.sending.is_some();
            tokio::select! {
                _ = line.stream.readable() => match line.stream.try_read(&mut bytes) {
                    Ok(count @ 1..) => {
                        last = Instant::now();
                        let came = bytes.get(..count).unwrap_or_default();
                        if let Err(fault) = self.show(came) {
                            return Stopped::Failed(fault);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    _ => return Stopped::Ended,
                },
                typed = self.screen.input.recv(), if !input_ended => {
                    last = Instant::now();
                    let Some(typed) = typed else {
                        input_ended = true;
                        // A terminal that is gone has nobody before it.
                        if self.screen.is_terminal() { return Stopped::Left } else { continue }
                    };
                    let mut rest = typed.as_slice();
                    while let Some((key, left)) = self.keys.next(rest) {
                        rest = left;
                        if let Some(stopped) = self.handle(key, line, is_own).await {
                            return stopped;
                        }
                    }
                }
                Some(message) = self.messages.recv() => self.screen.say(&message),
                _ = line.stream.writable(), if is_sending => {
                    last = Instant::now();
                    self.send_more(line);
                }
                () = idle => return Stopped::Left,
                () = cancel.cancelled() => return Stopped::Failed(cancelled(&self.settings.board)),
            }
        }
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
    async fn handle(&mut self, key: Key, line: &mut Line, is_own: bool) -> Option<Stopped> {
        match key {
            Key::Type(text) if is_own || self.may_type => {
                match timeout(TYPE_TIME, line.stream.write_all(&text)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Some(Stopped::Ended),
                    Err(_) => self.say("the console takes no keys at the moment: some were lost"),
                }
            }
            Key::Type(_) => {
                self.say(&format!("a run has the board: {} t to type all the same", self.escape()))
            }
            Key::Order(Order::Quit) => return Some(Stopped::Left),
            Key::Order(order) => self.obey(order, line),
            Key::Unknown(key) => {
                let key = char::from(key).escape_default();
                self.say(&format!("{} {key} means nothing; {0} ? helps", self.escape()));
            }
            Key::Echo(text) => self.screen.echo(&text),
            Key::Answer(order, text) => self.answered(order, text.as_deref()),
        }
        None
    }

    fn escape(&self) -> String {
        self.settings.escape.map(name_of).unwrap_or_default()
    }

    fn obey(&mut self, order: Order, line: &Line) {
        match order {
            Order::Quit => {}
            Order::Help => self.say(&self.help()),
            Order::Cycle => self.switch(Switch::Reset),
            Order::PowerOn => self.switch(Switch::On),
            Order::PowerOff => self.switch(Switch::Off),
            Order::Break => match &line.owner {
                Some(owner) => owner.send_break(),
                None => self.say("only whoever has the board can send a break"),
            },
            Order::SendFile if self.sending.is_some() => {
                self.sending = None;
                self.say("the file is not sent any further");
            }
            Order::SendFile => self.ask(order, "which file is to be sent?"),
            Order::Log if self.log.take().is_some() => self.say("the log file is closed"),
            Order::Log => self.ask(order, "which file is to be written?"),
            Order::Mark => self.mark(),
            Order::Typing if line.owner.is_some() => self.say("the board is yours: keys are for it"),
            Order::Typing => {
                self.may_type = !self.may_type;
                self.say(match self.may_type {
                    true => "keys are for the board now, though a run has it",
                    false => "keys are not for the board any more",
                });
            }
        }
    }

    fn ask(&mut self, order: Order, question: &str) {
        self.say(&format!("{question} Enter ends it, Ctrl-C gives it up"));
        self.keys.ask(order);
    }

    fn answered(&mut self, order: Order, text: Option<&str>) {
        let Some(path) = text.filter(|text| !text.is_empty()) else { return self.say("given up") };
        match order {
            Order::SendFile => match read_file(Path::new(path)) {
                Ok(content) => {
                    self.say(&format!("sending {} bytes; {} f stops it", content.len(), self.escape()));
                    self.sending = Some((content, 0));
                }
                Err(text) => self.say(&format!("{path} is not sent: {text}")),
            },
            _ => match self.log_to(Path::new(path)) {
                Ok(()) => {
                    self.say(&format!("all that comes goes into {path}, too; {} l ends it", self.escape()))
                }
                Err(fault) => self.say(&fault.to_string()),
            },
        }
    }

    /// Sends as much of the file as the line takes now.
    fn send_more(&mut self, line: &Line) {
        let Some((content, sent)) = &mut self.sending else { return };
        let rest = content.get(*sent..).unwrap_or_default();
        // Whoever reads the line learns that it has ended.
        if let Ok(count) = line.stream.try_write(rest.get(..CHUNK).unwrap_or(rest)) {
            *sent += count;
        }
        if *sent == content.len() {
            self.sending = None;
            self.say("the file is sent");
        }
    }

    fn mark(&mut self) {
        self.marks += 1;
        let text = format!("mark {}, {}", self.marks, jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ"));
        if let Some(log) = &mut self.log {
            // What comes next tells if the disk is full.
            let _ = write!(log, "\n[{text}]\n");
        }
        self.say(&text);
    }

    /// Has the power switched, and told when that is done.
    fn switch(&self, switch: Switch) {
        let Some(power) = self.settings.power.clone().filter(|power| power.can(switch)) else {
            return self.say("the bench file has nothing that does it");
        };
        if power.is_by_hand() {
            return self.say("this board is switched by hand: do it now");
        }
        let sender = self.sender.clone();
        self.say("switching the power");
        tokio::spawn(async move {
            let limit = power.usual_limit().unwrap_or_default();
            let text = match power.run(switch, limit, &|_| {}).await {
                Ok(_) => format!("{switch}: done"),
                Err(error) => Chain(&error).to_string(),
            };
            // The person may have left.
            let _ = sender.send(text).await;
        });
    }

    fn help(&self) -> String {
        let escape = self.escape();
        let lines: Vec<_> =
            ORDERS.iter().map(|(key, _, text)| format!("{escape} {}  {text}", char::from(*key))).collect();
        format!("keys:\n{}\n{escape} {escape}  the key itself", lines.join("\n"))
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
    if length > MAX_FILE {
        return Err(format!("it has more than {MAX_FILE} bytes"));
    }
    std::fs::read(path).map_err(|error| error.to_string())
}
