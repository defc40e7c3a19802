//! `host-runner console BOARD`: a board's console, also while a run has it.

mod keys;
mod owner;
pub(super) mod screen;
mod session;

use std::time::Duration;

use clap::Args;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::board::lease::{Held, Holder, Key as LeaseKey};
use crate::board::{Bench, Board};
use crate::cli::args::{BenchArgs, seconds};
use crate::cli::message::Failure;
use crate::cli::run::{find_bench, find_board, load_bench};
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::link::attach;
use crate::run::take_board;

use keys::{name_of, parse_escape};
use owner::Owner;
use screen::Screen;
use session::{Session, Settings, Stopped};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner console bbb1
  host-runner console bbb1 --bench lab/bench.toml --log boot.log
  host-runner console bbb1 --escape ctrl-a
  echo version | host-runner console bbb1 --exit-after 2

While a run has the board its console is shown, with the end of what came before; keys are for the board only once Ctrl-T t
says so. When the run ends, the console goes on. Ctrl-T ? tells of the keys: power, break, files, marks.";

/// How often a board that is free, and cannot be had, is looked for again.
const LOOKS: u32 = 5;

/// How often a console that is not open yet is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// `host-runner console`.
#[derive(Debug, Args)]
pub(super) struct ConsoleArgs {
    /// The board, by its name in the bench file
    board: String,
    #[command(flatten)]
    bench: BenchArgs,
    /// The key that is not for the board: `ctrl-t`, another letter, or `none`
    #[arg(long, value_name = "KEY", default_value = "ctrl-t", value_parser = parse_escape)]
    escape: Escape,
    /// Writes all that comes into this file as well, behind what is in it
    #[arg(long, value_name = "FILE")]
    log: Option<std::path::PathBuf>,
    /// Ends once nothing has come, and nothing was typed, for so long
    #[arg(long, value_name = "SECONDS", value_parser = seconds())]
    exit_after: Option<Duration>,
}

/// The escape key, if there is one. An `Option` by its own name would be an option that may be absent.
type Escape = Option<u8>;

/// Shows the console and types on it until the person leaves it.
pub(super) fn console(args: &ConsoleArgs) -> Result<Option<Class>, Failure> {
    let bench = load_bench(&find_bench(&args.bench)?)?;
    let board = find_board(&bench, &args.board)?;
    let key = LeaseKey::board(&bench.path, &board.name)
        .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
    block_on(async |cancel| {
        let (sender, messages) = mpsc::channel(MESSAGES);
        let place = Place { bench: &bench, board: &board, key, messages: sender.clone() };
        // Whatever keeps the board from being opened is told before the terminal is another.
        let mut line = place.line(&mut |_| {}, &cancel).await?;
        let screen = Screen::open()
            .map_err(|error| Fault::from_error(Class::Infrastructure, "standard input", &error))?;
        let settings = Settings {
            escape: args.escape,
            exit_after: args.exit_after,
            board: board.name.clone(),
            power: board.power.clone(),
        };
        let mut session = Session::new(screen, settings, (sender, messages));
        if let Some(path) = &args.log {
            session.log_to(path)?;
        }
        loop {
            session.say(&line.describe(&board.name, args.escape));
            let stopped = session.run(&mut line, &cancel).await;
            match (stopped, line) {
                (Stopped::Left, Line { owner, .. }) => {
                    if let Some(owner) = owner {
                        owner.end().await;
                    }
                    return Ok(None);
                }
                (Stopped::Ended, Line { owner: Some(owner), .. }) => return Err(owner.end().await),
                (Stopped::Ended, Line { owner: None, .. }) => {}
                (Stopped::Failed(fault), _) => return Err(fault),
            }
            session.say("the run has ended");
            line = place.line(&mut |text| session.say(text), &cancel).await?;
        }
    })
    .map_err(Failure::from)
}

/// Messages for the person that wait to be shown.
const MESSAGES: usize = 16;

/// A connection to a board's console.
struct Line {
    stream: UnixStream,
    /// What reads the console, if this process has it.
    owner: Option<Owner>,
    /// Who has it otherwise.
    holder: Option<Holder>,
}

impl Line {
    /// What a person is to know of it.
    fn describe(&self, board: &str, escape: Option<u8>) -> String {
        let help = escape.map(|escape| format!("; {} ? helps", name_of(escape))).unwrap_or_default();
        match &self.holder {
            None => format!("console of {board}{help}"),
            Some(holder) => {
                let typing = escape.map(|escape| format!(", {} t to type", name_of(escape)));
                format!("console of {board}, which {holder} has{}{help}", typing.unwrap_or_default())
            }
        }
    }
}

/// Where a console is to be had.
struct Place<'a> {
    bench: &'a Bench,
    board: &'a Board,
    key: LeaseKey,
    messages: mpsc::Sender<String>,
}

impl Place<'_> {
    /// Takes the console, or attaches to it where somebody has it; one that is not open yet is waited for as long as its
    /// run lasts.
    async fn line(
        &self,
        say: &mut (dyn FnMut(&str) + Send),
        cancel: &CancellationToken,
    ) -> Result<Line, Fault> {
        let name = self.key.console_name();
        let (mut has_told, mut looks) = (false, 0);
        loop {
            let refusal = match take_board(self.bench, self.board, "host-runner console".to_owned()) {
                Ok(lease) => {
                    let owner = Owner::open(self.board, &name, lease, self.messages.clone()).await?;
                    return Ok(Line { stream: self.attach(&name)?, owner: Some(owner), holder: None });
                }
                Err(refusal) => refusal,
            };
            match self.key.held() {
                Held::By(holder) => {
                    if let Ok(stream) = attach(&name) {
                        return Ok(Line { stream, owner: None, holder: Some(holder) });
                    }
                    if !std::mem::replace(&mut has_told, true) {
                        say(&format!(
                            "{holder} has the board, and its console is not open yet: waiting for it"
                        ));
                    }
                }
                // It was given back just now; or what its console is on belongs to a board of another bench.
                Held::Free if looks < LOOKS => looks += 1,
                Held::Free | Held::Silent => return Err(refusal),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = cancel.cancelled() => return Err(cancelled(&self.board.name)),
            }
        }
    }

    fn attach(&self, name: &str) -> Result<UnixStream, Fault> {
        let place = format!("board `{}`", self.board.name);
        attach(name).map_err(|error| Fault::from_error(Class::Infrastructure, place, &error))
    }
}

fn cancelled(board: &str) -> Fault {
    Fault::new(Class::Cancelled, format!("console of board `{board}`"), "cancelled")
}
