//! A console that this process has for itself: it is read all the time, and shared with whoever attaches to it.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::board::lease::Lease;
use crate::board::{Board, ConsoleTarget};
use crate::fault::{Chain, Class, Fault};
use crate::link::{self, Console, ConsoleShare, Target};
use crate::net::Net;

/// How long a break is, where this PC makes it.
const BREAK_TIME: Duration = Duration::from_millis(300);

/// A console that this process has.
pub(super) struct Owner {
    breaks: mpsc::Sender<()>,
    closed: CancellationToken,
    task: AbortOnDropHandle<Fault>,
    _lease: Lease,
}

impl Owner {
    /// Opens the board's console and shares it at the abstract name `name`. What happens to the line is told to
    /// `messages`.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(super) async fn open(
        board: &Board,
        name: &str,
        lease: Lease,
        messages: mpsc::Sender<String>,
    ) -> Result<Self, Fault> {
        let place = format!("board `{}`", board.name);
        let target = target(board, &place)?;
        let share = ConsoleShare::open(name)
            .map_err(|error| Fault::from_error(Class::Infrastructure, place.clone(), &error))?;
        let told = messages.clone();
        let notice: link::Notice = Arc::new(move |text: &str| {
            // Whoever does not read its messages misses some.
            let _ = told.try_send(text.to_owned());
        });
        let tap = share.tap(Arc::new(|_, _: &[u8]| {}));
        let console = link::open(target, &Net::Host, tap, notice)
            .await
            .map_err(|error| Fault::from_error(error.class(), place.clone(), &error))?
            .shared(&share, Arc::new(|_: &str| {}));
        let (breaks, broken) = mpsc::channel(1);
        let closed = CancellationToken::new();
        let task = tokio::spawn(serve(console, share, broken, messages, closed.clone(), place));
        Ok(Self { breaks, closed, task: AbortOnDropHandle::new(task), _lease: lease })
    }

    /// Sends a break.
    pub(super) fn send_break(&self) {
        // One that is asked for while another is made is the same.
        let _ = self.breaks.try_send(());
    }

    /// Why the console has ended, which it has, or is to do now.
    pub(super) async fn end(self) -> Fault {
        self.closed.cancel();
        self.task.await.unwrap_or_else(|error| Fault::new(Class::Bug, "console", error.to_string()))
    }
}

fn target<'b>(board: &'b Board, place: &str) -> Result<&'b Target, Fault> {
    match &board.console {
        ConsoleTarget::Line(target) => Ok(target),
        ConsoleTarget::Qemu(_) => {
            let text = "it is a virtual board, which is on only while a run has it";
            let help = "attach to it meanwhile; `host-runner run --keep-on` leaves it on when a job fails";
            Err(Fault::new(Class::Job, place, text).with_help(help))
        }
        ConsoleTarget::None => {
            let text = "it has no console: the bench file says that it is reached over SSH";
            Err(Fault::new(Class::Job, place, text).with_help(format!("`host-runner ssh {}`", board.name)))
        }
    }
}

/// Reads the console until it ends or is closed; why it has ended.
async fn serve(
    mut console: Console,
    share: ConsoleShare,
    mut breaks: mpsc::Receiver<()>,
    messages: mpsc::Sender<String>,
    closed: CancellationToken,
    place: String,
) -> Fault {
    let mut bytes = [0; 4096];
    let fault = loop {
        tokio::select! {
            read = console.read(&mut bytes) => match read {
                Ok(0) => break Fault::new(Class::Infrastructure, place, "the console has ended"),
                // The tap shows it.
                Ok(_) => {}
                Err(error) => break Fault::new(Class::Infrastructure, place, Chain(&error).to_string()),
            },
            Some(()) = breaks.recv() => {
                let told = match make_break(&mut console).await {
                    Ok(()) => "break sent".to_owned(),
                    Err(error) => format!("no break was sent: {error}"),
                };
                let _ = messages.try_send(told);
            }
            () = closed.cancelled() => break Fault::new(Class::Cancelled, place, "the console was left"),
        }
    };
    share.close().await;
    fault
}

async fn make_break(console: &mut Console) -> std::io::Result<()> {
    console.set_break(true)?;
    tokio::time::sleep(BREAK_TIME).await;
    console.set_break(false)
}
