//! `u-boot-test-console`: a board's console as standard input and output, until it is killed.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::Hook;
use super::control::{Answer, Asked, Control, Request};
use super::emulator::Emulator;
use super::place::Place;
use crate::board::ConsoleTarget;
use crate::cli::console::screen::Screen;
use crate::cli::message::Failure;
use crate::cli::runtime::block_on;
use crate::fault::{Chain, Class, Fault};
use crate::link::{self, Console, ConsoleShare, Notice, Tap};
use crate::net::Net;

/// How long the console may take no key.
const TYPE_TIME: Duration = Duration::from_secs(5);

/// Chunks of the console that wait to be written to standard output.
const MAX_WAITING: usize = 4;

/// Messages for the person that wait to be shown.
const MESSAGES: usize = 16;

/// Connects standard input and output to the board until this process is told to end.
pub(super) fn console(place: &Place) -> Result<Option<Class>, Failure> {
    block_on(async |cancel| {
        let failed = |what: &'static str| move |error| Fault::from_error(Class::Infrastructure, what, &error);
        // Before anything comes or is typed: the terminal must neither echo nor change it.
        let mut screen = Screen::open().map_err(failed("standard input"))?;
        let print = print_to_stdout().map_err(failed("standard output"))?;
        let lease = tokio::select! {
            lease = place.lease(Hook::Console) => lease?,
            () = cancel.cancelled() => return Ok(()),
        };
        let mut session = Session::open(place).await?;
        let ended = session.run(&mut screen, &print, &cancel).await;
        let off = session.close().await;
        drop(lease);
        ended.and(off)
    })
    .map_err(Failure::from)?;
    Ok(None)
}

/// Takes what is to be printed. A thread of its own prints it: whoever reads it may be slow, or not read at all, and the
/// other hooks must be served all the same. It ends with the process, or with its reader.
fn print_to_stdout() -> io::Result<mpsc::Sender<Vec<u8>>> {
    let (sender, mut receiver) = mpsc::channel::<Vec<u8>>(MAX_WAITING);
    let print = move || {
        let mut out = io::stdout();
        while let Some(bytes) = receiver.blocking_recv() {
            if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("print".to_owned()).spawn(print)?;
    Ok(sender)
}

/// A board's console, and what it takes to restart a virtual board.
struct Session<'p> {
    place: &'p Place,
    control: Control,
    share: ConsoleShare,
    tap: Tap,
    notice: Notice,
    messages: mpsc::Receiver<String>,
    emulator: Option<Emulator>,
    /// `None` while a virtual board is off.
    console: Option<Console>,
    /// Whether a virtual board has been on.
    has_been_on: bool,
}

/// What is to be done now.
enum Next {
    GoOn,
    End,
}

impl<'p> Session<'p> {
    /// Opens the board's line; a virtual board stays off until it is reset, or something is typed.
    async fn open(place: &'p Place) -> Result<Self, Fault> {
        let failed = |error| Fault::from_error(Class::Infrastructure, place.name(), &error);
        // Power is for the other hooks, and the tests keep the board until they end.
        let (share, _) = ConsoleShare::open(&place.key.console_name(), false).map_err(failed)?;
        let tap = share.tap(Arc::new(|_, _: &[u8]| {}));
        let (sender, messages) = mpsc::channel(MESSAGES);
        let notice: Notice = Arc::new(move |text: &str| {
            // Whoever does not read its messages misses some.
            let _ = sender.try_send(text.to_owned());
        });
        let (console, emulator) = match &place.board.console {
            ConsoleTarget::Line(target) => {
                let opened = link::open(target, &Net::Host, Arc::clone(&tap), Arc::clone(&notice)).await;
                let console = opened
                    .map_err(|error| Fault::from_error(error.class(), place.name(), &error))?
                    .shared(&share, Arc::new(|_: &str| {}));
                (Some(console), None)
            }
            ConsoleTarget::Qemu(settings) => (None, Some(Emulator::new(place, settings).await?)),
            ConsoleTarget::None => {
                let text = "it has no console: the bench file says that it is reached over SSH";
                return Err(Fault::new(Class::Bench, place.name(), text));
            }
        };
        // Last: whoever is answered finds the console open.
        let control = Control::open(&place.key.u_boot_test_name()).map_err(failed)?;
        let has_been_on = false;
        Ok(Self { place, control, share, tap, notice, messages, emulator, console, has_been_on })
    }

    /// Carries bytes both ways and does what the other hooks ask for, until it is told to end.
    async fn run(
        &mut self,
        screen: &mut Screen,
        print: &mpsc::Sender<Vec<u8>>,
        cancel: &CancellationToken,
    ) -> Result<(), Fault> {
        let mut bytes = vec![0; 16 << 10];
        let mut unprinted = Vec::new();
        let mut input_ended = false;
        loop {
            let can_read = unprinted.is_empty();
            tokio::select! {
                read = read(&mut self.console, &mut bytes), if can_read => match read {
                    Ok(count @ 1..) => unprinted.extend_from_slice(bytes.get(..count).unwrap_or_default()),
                    Ok(0) => self.ended(screen, "the console has ended").await?,
                    Err(error) => self.ended(screen, &Chain(&error).to_string()).await?,
                },
                room = print.reserve(), if !can_read => match room {
                    Ok(room) => room.send(std::mem::take(&mut unprinted)),
                    // Nobody reads it any more.
                    Err(_) => return Ok(()),
                },
                typed = screen.input.recv(), if !input_ended => match typed {
                    Some(typed) => self.send(&typed).await?,
                    // A terminal that is gone has nobody before it; a pipe may be done with.
                    None if screen.is_terminal() => return Ok(()),
                    None => input_ended = true,
                },
                Some(asked) = self.control.requests.recv() => {
                    if let Next::End = self.serve(asked).await {
                        return Ok(());
                    }
                }
                Some(text) = self.messages.recv() => screen.say(&text),
                () = cancel.cancelled() => return Ok(()),
            }
        }
    }

    /// Does what another hook asks for.
    async fn serve(&mut self, Asked { request, answer }: Asked) -> Next {
        let done: Answer = match (request, self.emulator.is_some()) {
            (Request::Release, _) => return Next::End,
            (Request::Reset, _) => self.reset().await,
            (Request::Use, false) => Ok(()),
            (Request::Use, true) => {
                Err(Fault::new(Class::Bug, self.place.name(), "a virtual board is used by its console alone"))
            }
        };
        // Whoever does not wait for its answer needs none.
        let _ = answer.send(done);
        Next::GoOn
    }

    /// Restarts the virtual board.
    async fn reset(&mut self) -> Result<(), Fault> {
        let Some(emulator) = &mut self.emulator else {
            return Err(Fault::new(
                Class::Bug,
                self.place.name(),
                "a real board is reset by its power switch",
            ));
        };
        self.console = None;
        let stream = emulator.reset().await?;
        let console = Console::new(stream, Arc::clone(&self.tap));
        self.console = Some(console.shared(&self.share, Arc::new(|_: &str| {})));
        self.has_been_on = true;
        Ok(())
    }

    /// Sends what was typed. The first key switches a virtual board on: somebody may want it without `u-boot-test-reset`.
    async fn send(&mut self, typed: &[u8]) -> Result<(), Fault> {
        if self.emulator.is_some() && !self.has_been_on {
            self.reset().await?;
        }
        // Nobody is there to take it.
        let Some(console) = &mut self.console else { return Ok(()) };
        let sent = timeout(TYPE_TIME, async {
            console.write_all(typed).await?;
            console.flush().await
        });
        match sent.await {
            // Whoever reads the line learns what is wrong with it.
            Ok(_) => Ok(()),
            Err(_) => {
                let text = format!("the console took no input for {} s", TYPE_TIME.as_secs());
                let last = console.last_output();
                let text = if last.is_empty() { text } else { format!("{text}; it last said: {last}") };
                Err(Fault::new(Class::Infrastructure, self.place.name(), text))
            }
        }
    }

    /// What to do about a console that has ended: a virtual board is off, and waits for its reset.
    async fn ended(&mut self, screen: &Screen, why: &str) -> Result<(), Fault> {
        self.console = None;
        let Some(emulator) = &mut self.emulator else {
            return Err(Fault::new(Class::Infrastructure, self.place.name(), why));
        };
        let words = emulator.last_words().await;
        screen.say(&format!("the virtual board is off ({words}); u-boot-test-reset switches it on"));
        Ok(())
    }

    /// Ends the console, and the emulator with it.
    async fn close(self) -> Result<(), Fault> {
        let off = match self.emulator {
            Some(mut emulator) => emulator.off().await,
            None => Ok(()),
        };
        self.share.close().await;
        drop(self.notice);
        off
    }
}

/// Reads what a console says; one that is off says nothing.
async fn read(console: &mut Option<Console>, bytes: &mut [u8]) -> io::Result<usize> {
    match console {
        Some(console) => console.read(bytes).await,
        None => std::future::pending().await,
    }
}
