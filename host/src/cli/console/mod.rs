//! `host-runner console BOARD`: a board's console, also while a run has it.

mod keys;
mod owner;
pub(super) mod screen;
mod session;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::board::lease::{Handover, Held, Holder, Key as LeaseKey, Lease};
use crate::board::{Bench, Board};
use crate::cli::args::{BenchArgs, seconds};
use crate::cli::completions;
use crate::cli::message::{Failure, note};
use crate::cli::run::{find_bench, find_board, load_bench};
use crate::cli::runtime::block_on;
use crate::fault::{Class, Fault};
use crate::link::attach;
use crate::link::control::{self, ControlError, Next};
use crate::run::{nobody_waits, take_board, take_given_board};

use keys::{name_of, parse_escape};
use owner::{End, Opening, Owner};
use screen::Screen;
use session::{Session, Settings, Stopped};

pub(super) const EXAMPLES: &str = "\
Examples:
  host-runner console bbb1
  host-runner console bbb1 --bench lab/bench.toml --log boot.log
  host-runner console bbb1 --escape ctrl-a
  echo version | host-runner console bbb1 --exit-after 2   to a board at a prompt, whose answer is shown
  echo reboot | host-runner console bbb1 --type        also while a run has the board

A run that wants the board gets it from an open console, which goes on as one who watches, and has the board back afterwards.
While a run has the board its console is shown, with the end of what came before; keys are for the board only once Ctrl-T t
says so. When the run ends, the console goes on. Ctrl-T ? tells of the keys: power, break, files, marks.";

/// How often a board that is free, and cannot be had, is looked for again.
const LOOKS: u32 = 5;

/// How often a console that is not open yet is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The longest time between two attempts where consoles end as soon as they are attached to.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A console that lasted so long did not end at once.
const STEADY: Duration = Duration::from_secs(2);

/// `host-runner console`.
#[derive(Debug, Args)]
pub(super) struct ConsoleArgs {
    /// The board, by its name in the bench file
    #[arg(add = completions::boards())]
    board: String,
    #[command(flatten)]
    bench: BenchArgs,
    /// The key that is not for the board: `ctrl-t`, another letter, or `none`
    #[arg(long, value_name = "KEY", default_value = "ctrl-t", value_parser = parse_escape)]
    escape: Escape,
    /// Types from the start, also into a console that somebody else has
    #[arg(long = "type")]
    types: bool,
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
        let place =
            Place { name: key.console_name(), bench: Arc::new(bench), board, key, messages: sender.clone() };
        // Whatever keeps the board from being opened is told before the terminal is another.
        let line = place.wait_for_line(&cancel).await?;
        let screen = Screen::open()
            .map_err(|error| Fault::from_error(Class::Infrastructure, "standard input", &error))?;
        let settings = Settings {
            escape: args.escape,
            exit_after: args.exit_after,
            board: place.board.name.clone(),
            power: place.board.power.clone(),
            types: args.types,
            name: place.name.clone(),
        };
        let mut session = Session::new(screen, settings, (sender, messages));
        if let Some(path) = &args.log {
            session.log_to(path)?;
        }
        match stay(&place, &mut session, line, args.escape, &cancel).await {
            Stopped::Failed(fault) => Err(fault),
            Stopped::Left | Stopped::Ended => Ok(None),
        }
    })
    .map_err(Failure::from)
}

/// Shows the console to the person, whoever has it, until one of them ends it for good.
async fn stay(
    place: &Place,
    session: &mut Session,
    mut line: Line,
    escape: Escape,
    cancel: &CancellationToken,
) -> Stopped {
    let mut pause = LOOK_EVERY;
    loop {
        session.say(&line.describe(&place.board.name, escape));
        let began = Instant::now();
        let stopped = session.run(&mut line, cancel).await;
        let Line { owner, holder, next, .. } = line;
        let end = match owner {
            Some(owner) => Some(owner.end().await),
            None => None,
        };
        let was_short = began.elapsed() < STEADY && end.is_none();
        match (stopped, end) {
            (Stopped::Ended, Some(End::Failed(fault))) => return Stopped::Failed(fault),
            (Stopped::Ended, Some(End::Given(to))) => session.say(&format!("{to} takes the board")),
            (Stopped::Ended, Some(End::Left)) => return Stopped::Left,
            (Stopped::Ended, None) => {
                let was_run = holder.is_some_and(|holder| !holder.job.is_empty());
                session.say(if was_run { "the run has ended" } else { "whoever had the board has left" });
            }
            (stopped, _) => return stopped,
        }
        session.part_with_line();
        pause = if was_short { (pause * 2).min(LONGEST_PAUSE) } else { LOOK_EVERY };
        line = match next_line(place, session, next, pause, cancel).await {
            Ok(line) => line,
            Err(stopped) => return stopped,
        };
    }
}

/// The console again: given by whoever had it, or looked for once `pause` is over.
async fn next_line(
    place: &Place,
    session: &mut Session,
    next: Option<Next>,
    pause: Duration,
    cancel: &CancellationToken,
) -> Result<Line, Stopped> {
    if let Some(next) = next
        && let Some(given) = session.meanwhile(next.wait(), cancel).await?
    {
        return place.take_given(given).await.map_err(Stopped::Failed);
    }
    let (mut looks, mut told) = (0, String::new());
    let mut time = pause;
    loop {
        session.meanwhile(tokio::time::sleep(time), cancel).await?;
        time = LOOK_EVERY;
        match place.look(&mut looks).await.map_err(Stopped::Failed)? {
            Look::Line(line) => return Ok(*line),
            Look::NotYet(text) if text != told => {
                session.say(&text);
                told = text;
            }
            Look::NotYet(_) => {}
        }
    }
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
    /// Has the board next when that one ends.
    next: Option<Next>,
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

/// What has come of looking for a console.
enum Look {
    Line(Box<Line>),
    /// It is to come; why it is not there.
    NotYet(String),
}

/// Where a console is to be had.
struct Place {
    bench: Arc<Bench>,
    board: Arc<Board>,
    key: LeaseKey,
    /// Where it is shared.
    name: String,
    messages: mpsc::Sender<String>,
}

impl Place {
    /// Looks for the console until it is there.
    async fn wait_for_line(&self, cancel: &CancellationToken) -> Result<Line, Fault> {
        let (mut looks, mut told) = (0, String::new());
        loop {
            match self.look(&mut looks).await? {
                Look::Line(line) => return Ok(*line),
                Look::NotYet(text) if text != told => {
                    note(&text);
                    told = text;
                }
                Look::NotYet(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = cancel.cancelled() => return Err(cancelled(&self.board.name)),
            }
        }
    }

    /// Takes the console, or attaches to it where somebody has it. One that is not open yet is to come, as long as its run
    /// lasts; so is one whose board others wait for. `looks` counts how often the board was free and could not be had.
    async fn look(&self, looks: &mut u32) -> Result<Look, Fault> {
        let refusal = match take_board(&self.bench, &self.board, COMMAND.to_owned()) {
            Ok(lease) => return self.own(lease, None).await.map(|line| Look::Line(Box::new(line))),
            Err(refusal) => refusal,
        };
        match self.key.held() {
            Held::By(holder) => {
                if self.may_attach()?
                    && let Ok(stream) = attach(&self.name)
                {
                    // Whoever ends at this very moment gives it to nobody.
                    let next = Next::ask(&self.name).ok();
                    return Ok(Look::Line(Box::new(Line {
                        stream,
                        owner: None,
                        holder: Some(holder),
                        next,
                    })));
                }
                let text = format!("{holder} has the board, and its console is not open yet: waiting for it");
                Ok(Look::NotYet(text))
            }
            Held::Free if !nobody_waits(&self.bench, &self.board) => Ok(Look::NotYet(refusal.message)),
            // It was given back just now; or what its console is on belongs to a board of another bench.
            Held::Free if *looks < LOOKS => {
                *looks += 1;
                Ok(Look::NotYet(String::new()))
            }
            Held::Free | Held::Silent(_) => Err(refusal),
        }
    }

    /// Whether the console is shared, and this process may attach to it.
    ///
    /// # Errors
    /// Why it may not, and would not later either.
    fn may_attach(&self) -> Result<bool, Fault> {
        let refused = |text: String, help: &str| {
            Err(Fault::new(Class::Infrastructure, format!("console of board `{}`", self.board.name), text)
                .with_help(help))
        };
        match control::attached(&self.name) {
            Ok(list) if list.is_full => {
                let all: Vec<String> = list.watchers.iter().map(ToString::to_string).collect();
                let text = format!("no more can attach to it; attached are: {}", all.join(", "));
                refused(text, "end one of them")
            }
            Ok(_) => Ok(true),
            Err(ControlError::Nobody) => Ok(false),
            Err(error @ (ControlError::Refused(_) | ControlError::Foreign(_))) => {
                refused(error.to_string(), "`host-runner boards` tells who has the board")
            }
            Err(error) => Err(Fault::from_error(
                Class::Infrastructure,
                format!("console of board `{}`", self.board.name),
                &error,
            )),
        }
    }

    /// Has the console for itself, by a board that was given.
    async fn take_given(&self, mut given: Handover) -> Result<Line, Fault> {
        let line = given.take_line();
        let lease = take_given_board(&self.bench, &self.board, given, COMMAND.to_owned())?;
        self.own(lease, line).await
    }

    async fn own(&self, lease: Lease, line: Option<OwnedFd>) -> Result<Line, Fault> {
        let opening = Opening {
            bench: Arc::clone(&self.bench),
            board: Arc::clone(&self.board),
            lease,
            line,
            messages: self.messages.clone(),
        };
        let owner = Owner::open(&self.name, opening).await?;
        let stream = attach(&self.name).map_err(|error| {
            Fault::from_error(Class::Infrastructure, format!("board `{}`", self.board.name), &error)
        })?;
        Ok(Line { stream, owner: Some(owner), holder: None, next: None })
    }
}

/// How a console is called to whoever wants its board.
const COMMAND: &str = "host-runner console";

fn cancelled(board: &str) -> Fault {
    Fault::new(Class::Cancelled, format!("console of board `{board}`"), "cancelled")
}
