//! A console that this process has for itself: it is read all the time, shared with whoever attaches to it, and given to
//! the run or command that wants the board.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::board::lease::{Handover, Lease, Process};
use crate::board::power::{Driver, Switch};
use crate::board::{Bench, Board, ConsoleTarget};
use crate::fault::{Chain, Class, Fault};
use crate::link::{self, Console, ConsoleShare, Order, Target};
use crate::net::Net;
use crate::run::{give_board, give_to_first, nobody_waits};

/// How long a program that is the console has to end in order.
const CLOSE_TIME: Duration = Duration::from_secs(2);

/// A console that this process has.
pub(super) struct Owner {
    closed: CancellationToken,
    task: AbortOnDropHandle<End>,
}

/// Why a console is not this process's any more.
pub(super) enum End {
    /// It was left, and is given to whoever is next.
    Left,
    /// This run or command wanted the board, and has it.
    Given(String),
    /// It has ended by itself.
    Failed(Fault),
}

/// What a console is opened with.
pub(super) struct Opening {
    pub(super) bench: Arc<Bench>,
    pub(super) board: Arc<Board>,
    pub(super) lease: Lease,
    /// The line, if whoever had it before has kept it open.
    pub(super) line: Option<OwnedFd>,
    /// Told what happens to the line.
    pub(super) messages: mpsc::Sender<String>,
}

impl Owner {
    /// Opens the board's console and shares it at the abstract name `name`.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub(super) async fn open(name: &str, opening: Opening) -> Result<Self, Fault> {
        let Opening { bench, board, lease, line, messages } = opening;
        let place = format!("board `{}`", board.name);
        let target = target(&board, &place)?;
        let (share, orders) = ConsoleShare::open(name, true)
            .map_err(|error| Fault::from_error(Class::Infrastructure, place.clone(), &error))?;
        let told = messages.clone();
        let notice: link::Notice = Arc::new(move |text: &str| {
            // Whoever does not read its messages misses some.
            let _ = told.try_send(text.to_owned());
        });
        let tap = share.tap(Arc::new(|_, _: &[u8]| {}));
        let console = link::adopt(target, &Net::Host, line, tap, notice)
            .await
            .map_err(|error| Fault::from_error(error.class(), place.clone(), &error))?
            .shared(&share, Arc::new(|_: &str| {}));
        let closed = CancellationToken::new();
        let owned = Owned { console, share, orders, lease, bench, board, messages, place };
        let task = tokio::spawn(owned.serve(closed.clone()));
        Ok(Self { closed, task: AbortOnDropHandle::new(task) })
    }

    /// Leaves the console, if it has not ended; why it has.
    pub(super) async fn end(self) -> End {
        self.closed.cancel();
        let ended = self.task.await;
        ended.unwrap_or_else(|error| End::Failed(Fault::new(Class::Bug, "console", error.to_string())))
    }
}

fn target<'b>(board: &'b Board, place: &str) -> Result<&'b Target, Fault> {
    match &board.console {
        ConsoleTarget::Line(target) => Ok(target),
        ConsoleTarget::Qemu(_) => {
            let text = "it is a virtual board, which is on only while a run has it";
            let help = "attach to it meanwhile; `host-runner run --keep-on` leaves it on when a job fails";
            Err(Fault::new(Class::Usage, place, text).with_help(help))
        }
        ConsoleTarget::None => {
            let text = "it has no console: the bench file says that it is reached over SSH";
            Err(Fault::new(Class::Usage, place, text).with_help(format!("`host-runner ssh {}`", board.name)))
        }
    }
}

/// What the task that reads the console has.
struct Owned {
    console: Console,
    share: ConsoleShare,
    orders: mpsc::Receiver<Order>,
    lease: Lease,
    bench: Arc<Bench>,
    board: Arc<Board>,
    messages: mpsc::Sender<String>,
    place: String,
}

/// Why the console is not read any more.
enum Stop {
    Left,
    Wanted { to: String, answer: oneshot::Sender<Handover> },
    Failed(Fault),
}

impl Owned {
    /// Reads the console until it ends, is left or wanted, and gives it to whoever has it next.
    async fn serve(mut self, closed: CancellationToken) -> End {
        let stop = self.read(&closed).await;
        let next = self.share.close().await;
        let line = close(self.console).await;
        match stop {
            Stop::Failed(fault) => End::Failed(fault),
            Stop::Left => {
                if nobody_waits(&self.bench, &self.board)
                    && let Some(given) = give_board(self.lease, &self.bench, &self.board, line)
                {
                    give_to_first(next, given);
                }
                End::Left
            }
            Stop::Wanted { to, answer } => {
                // Those who are attached come with it: they attach to the one who has it next.
                drop::<Vec<UnixStream>>(next);
                if let Some(given) = give_board(self.lease, &self.bench, &self.board, line) {
                    // Whoever is gone needs no board.
                    let _ = answer.send(given);
                }
                End::Given(to)
            }
        }
    }

    async fn read(&mut self, closed: &CancellationToken) -> Stop {
        let mut bytes = [0; 4096];
        let failed = |text: String| Stop::Failed(Fault::new(Class::Infrastructure, self.place.clone(), text));
        loop {
            tokio::select! {
                read = self.console.read(&mut bytes) => match read {
                    Ok(0) => return failed("the console has ended".to_owned()),
                    // The tap shows it.
                    Ok(_) => {}
                    Err(error) => return failed(Chain(&error).to_string()),
                },
                Some(order) = self.orders.recv() => match order {
                    Order::Give { to, answer } => return Stop::Wanted { to, answer },
                    Order::Switch { who, switch, answer } => {
                        let told = self.messages.clone();
                        drop(tokio::spawn(obey(Arc::clone(&self.board), who, switch, answer, told)));
                    }
                },
                () = closed.cancelled() => return Stop::Left,
            }
        }
    }
}

/// Closes a console, or parts with its line, open.
async fn close(mut console: Console) -> Option<OwnedFd> {
    if console.can_change_hands() {
        return console.into_descriptor();
    }
    // A program that is the console may clean up after itself.
    let _ = tokio::time::timeout(CLOSE_TIME, console.shutdown()).await;
    None
}

/// Switches the power for somebody else.
async fn obey(
    board: Arc<Board>,
    who: Process,
    switch: Switch,
    answer: oneshot::Sender<Result<String, String>>,
    messages: mpsc::Sender<String>,
) {
    // The person may have left, and whoever asked, too.
    let power = board.power.as_ref().filter(|power| power.can(switch));
    let words = power.map_or_else(|| switch.to_string(), |power| power.words(switch));
    let _ = messages.send(format!("{who} switches the power: {words}")).await;
    let told = match power {
        None => Err("the bench file has nothing that does it".to_owned()),
        Some(power) if matches!(power.driver, Driver::Ask(_)) => {
            Err("this board is switched by hand".to_owned())
        }
        Some(power) => {
            let done = power.run(switch, power.usual_limit().unwrap_or_default(), &|_| {}).await;
            done.map(|_| format!("{words}: done")).map_err(|error| Chain(&error).to_string())
        }
    };
    let (Ok(text) | Err(text)) = &told;
    let _ = messages.send(text.clone()).await;
    let _ = answer.send(told);
}
