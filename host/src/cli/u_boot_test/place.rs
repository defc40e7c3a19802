//! The board that a hook is about, and the right to do something to it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::UnixStream;
use tokio::time::sleep;

use super::control::{self, Answer, Request};
use super::{Hook, HookArgs, PREFIX};
use crate::board::lease::{Held, Holder, Key, Lease};
use crate::board::{Bench, Board};
use crate::cli::message::Failure;
use crate::cli::run::{find_bench, find_board, load_bench};
use crate::fault::{Class, Fault};
use crate::run::{board_held, take_board};

/// How long a hook waits for a board that another hook has: a console that was told to end, or a reset that came first.
const HOOK_PATIENCE: Duration = Duration::from_secs(15);

/// How long `u-boot-test-console` may take to answer: it may have to stop an emulator and to start one.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// How often a board that is not to be had yet is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What `test/py` calls a board whose identity it was not told.
const NO_IDENTITY: &str = "na";

/// A board of a bench.
pub(super) struct Place {
    pub(super) bench: Bench,
    pub(super) board: Arc<Board>,
    pub(super) key: Key,
}

/// The right to do something to a board: that of its own, or that of the console. It ends when it is dropped.
pub(super) enum Permit {
    Own { _lease: Lease },
    OfConsole { _connection: UnixStream },
}

impl Place {
    /// The board that `test/py` means.
    pub(super) fn find(args: &HookArgs) -> Result<Self, Failure> {
        let bench = load_bench(&find_bench(&args.bench)?)?;
        let board = match (args.board_identity.as_str(), bench.boards.as_slice()) {
            (NO_IDENTITY, [only]) => Arc::clone(only),
            (NO_IDENTITY, boards) if boards.iter().all(|board| board.name != NO_IDENTITY) => {
                let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
                let text = "test/py was told no board identity, and the bench has several boards";
                let help = format!("run test.py with `--id NAME`, one of `{}`", names.join("`, `"));
                let fault = Fault::new(Class::Usage, bench.path.display().to_string(), text);
                return Err(fault.with_help(help).into());
            }
            (name, _) => find_board(&bench, name)?,
        };
        let key = Key::board(&bench.path, &board.name)
            .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
        Ok(Self { bench, board, key })
    }

    /// What faults of the board are at.
    pub(super) fn name(&self) -> String {
        format!("board `{}`", self.board.name)
    }

    /// Takes the board for `hook`; one that another hook has is waited for.
    pub(super) async fn lease(&self, hook: Hook) -> Result<Lease, Fault> {
        let until = Instant::now() + HOOK_PATIENCE;
        loop {
            let refusal = match take_board(&self.bench, &self.board, hook.name()) {
                Ok(lease) => return Ok(lease),
                Err(refusal) => refusal,
            };
            let is_passing = match board_held(&self.bench, &self.board)? {
                Held::By(holder) => is_hook(&holder),
                // It is given back, or taken, just now.
                Held::Free | Held::Silent(_) => true,
            };
            if !is_passing || Instant::now() >= until {
                return Err(refusal);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// The right for `hook` to do something to the board: that of its console, for which it waits for `patience`; else its
    /// own.
    pub(super) async fn permit(&self, hook: Hook, patience: Duration) -> Result<Permit, Fault> {
        let until = Instant::now() + patience;
        match self.ask_in_time(Request::Use, until).await? {
            Some((answer, connection)) => answer.map(|()| Permit::OfConsole { _connection: connection }),
            None => Ok(Permit::Own { _lease: self.lease(hook).await? }),
        }
    }

    /// Asks the board's console, which may come until then; `None` if none has come. Whoever else has the board is an
    /// error.
    pub(super) async fn ask_in_time(
        &self,
        request: Request,
        until: Instant,
    ) -> Result<Option<(Answer, UnixStream)>, Fault> {
        loop {
            if let Some(answered) = self.ask(request).await? {
                return Ok(Some(answered));
            }
            if let Some(holder) = self.other_holder()? {
                let text = format!("{holder} has it");
                let help = "wait until that has ended, or end it";
                return Err(Fault::new(Class::Infrastructure, self.name(), text).with_help(help));
            }
            if Instant::now() >= until {
                return Ok(None);
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Asks the board's console; `None` if there is none.
    pub(super) async fn ask(&self, request: Request) -> Result<Option<(Answer, UnixStream)>, Fault> {
        control::ask(&self.key.u_boot_test_name(), request, ANSWER_TIME).await.map_err(|error| {
            if error.kind() == std::io::ErrorKind::TimedOut {
                let limit = ANSWER_TIME.as_secs();
                let text = format!("its u-boot-test-console did not answer within {limit} s");
                let help = "it is stopped, or another hook is at work on the board";
                return Fault::new(Class::Infrastructure, self.name(), text).with_help(help);
            }
            Fault::from_error(Class::Infrastructure, self.name(), &error)
        })
    }

    /// Who has the board, if that is no hook.
    pub(super) fn other_holder(&self) -> Result<Option<Holder>, Fault> {
        Ok(match board_held(&self.bench, &self.board)? {
            Held::By(holder) if !is_hook(&holder) => Some(holder),
            Held::By(_) | Held::Free | Held::Silent(_) => None,
        })
    }
}

fn is_hook(holder: &Holder) -> bool {
    holder.job.is_empty() && holder.run.starts_with(PREFIX)
}
