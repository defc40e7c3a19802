//! What a node has acquired so far, by namespace.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, PoisonError};

use regex::bytes::Regex;

use crate::action::{Deployed, PoweredBoard, SharedConsole, TestsIn};
use crate::fault::{Class, Fault};
use crate::job::TransferCommands;
use crate::link::Console;
use crate::plan::UserCommand;
use crate::run::Phase;
use crate::run::idle_lines::{Home, IdleLines, Reads};
use crate::ssh::{SshSession, SshTarget};

/// What a node has acquired.
#[derive(Default)]
pub(crate) struct Resources {
    /// The board's power, if it was switched on.
    pub(crate) power: Option<PoweredBoard>,
    /// Lets others attach to the board's console.
    pub(crate) share: Option<SharedConsole>,
    /// Where the system that runs on the board has agent and tests from.
    pub(crate) tests: TestsIn,
    /// The agent that was brought onto the board since that was booted.
    pub(crate) brought: Option<Brought>,
    /// A directory on a board that would keep it for good, with what this run has put there.
    pub(crate) filled: Option<String>,
    /// Values that the node took from messages of the group, by message id and key.
    pub(crate) messages: HashMap<(String, String), String>,
    /// Commands of the bench that are to be undone, in the order in which they were run.
    pub(crate) undo: Vec<UserCommand>,
    /// Number of deployments so far.
    deployments: u32,
    /// Number of scripts that agents were told to run so far.
    scripts: u32,
    spaces: BTreeMap<String, Space>,
    current: String,
    /// Lines that were lent and have come back.
    home: Home,
}

/// An agent that this run has brought onto a board.
#[derive(Clone, Debug)]
pub(crate) struct Brought {
    /// Its directory there.
    pub(crate) directory: String,
    /// Whether all of its files are there, too.
    pub(crate) has_files: bool,
}

/// What a namespace has.
#[derive(Default)]
pub(crate) struct Space {
    /// Files served to the board.
    pub(crate) deployed: Option<Deployed>,
    /// A connection to the board.
    pub(crate) line: Option<Line>,
    /// What an SSH connection was made to, and the connection, unless that was lost meanwhile.
    pub(crate) ssh: Option<(SshTarget, Option<SshSession>)>,
    /// What `{NAME}` in U-Boot commands stood for at the last boot.
    pub(crate) values: BTreeMap<String, String>,
    /// Why there is no connection any more, if one was lost.
    pub(crate) lost: Option<String>,
}

/// A connection to a board.
pub(crate) struct Line {
    /// The connection.
    pub(crate) console: Console,
    /// The prompts of who answers on it; none if nobody was waited for.
    pub(crate) prompts: Vec<Regex>,
    /// Its name in the bench file; `None` for the board's console.
    pub(crate) name: Option<String>,
    /// Whether U-Boot answers on it.
    pub(crate) at_loader: bool,
    /// Whether the prompt is still to come: an agent has just given the shell back.
    pub(crate) owes_prompt: bool,
    /// How the board fetches the tests, if the job says so.
    pub(crate) transfer: Option<TransferCommands>,
}

impl Line {
    /// The board's console, when nobody is known to answer on it.
    pub(crate) const fn without_prompts(console: Console) -> Self {
        Self {
            console,
            prompts: Vec::new(),
            name: None,
            at_loader: false,
            owes_prompt: false,
            transfer: None,
        }
    }
}

impl Resources {
    /// Goes into a namespace: the empty one if the job has none.
    pub(crate) fn enter(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.current);
    }

    /// Waits for `work`, which has no line of the node's, and reads all of them meanwhile.
    pub(crate) async fn listen_while<T>(&mut self, work: impl Future<Output = T>) -> T {
        let done = self.lend_idle(Reads::Nothing).listen_while(work).await;
        self.take_back();
        done
    }

    /// The lines that work which reads others leaves alone.
    pub(crate) fn lend_idle(&mut self, reads: Reads<'_>) -> IdleLines {
        self.take_back();
        let mut lent = Vec::new();
        for (name, space) in &mut self.spaces {
            let is_idle = |line: &mut Line| match reads {
                Reads::Nothing => true,
                Reads::OfNamespace => *name != self.current,
                Reads::Named(read) => line.name.as_deref() != read,
            };
            lent.extend(space.line.take_if(is_idle).map(|line| (name.clone(), line)));
        }
        IdleLines::new(lent, Arc::clone(&self.home))
    }

    /// Has the lines again that were lent. One whose namespace has got another meanwhile is closed.
    pub(crate) fn take_back(&mut self) {
        let lines = std::mem::take(&mut *self.home.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, line) in lines {
            self.spaces.entry(name).or_default().line.get_or_insert(line);
        }
    }

    /// What the namespace has.
    pub(crate) fn space(&mut self) -> &mut Space {
        self.spaces.entry(self.current.clone()).or_default()
    }

    /// The directory of what the next deployment of the node `id` serves: its files may be others of the same names.
    pub(crate) fn next_deployment(&mut self, id: &str) -> String {
        self.deployments += 1;
        match self.deployments {
            1 => id.to_owned(),
            number => format!("{id}-{number}"),
        }
    }

    /// Numbers for the next `count` scripts: no other script of the node has one of them, so that it is known which of them
    /// speaks. The first.
    pub(crate) fn number_scripts(&mut self, count: u32) -> u32 {
        let first = self.scripts + 1;
        self.scripts += count;
        first
    }

    /// Whether the namespace has a connection to run tests over, or can have it again.
    pub(crate) fn is_connected(&mut self) -> bool {
        let space = self.space();
        space.line.is_some() || space.ssh.is_some()
    }

    /// Why there is no connection in the namespace: none was ever made, or an earlier test has lost it.
    pub(crate) fn unconnected(&mut self, phase: &Phase, what: &str) -> Fault {
        match &self.space().lost {
            Some(lost) => phase.fault(Class::Infrastructure, format!("{lost}: {what}")),
            None => phase.fault(Class::Job, format!("the board was not booted: {what}")),
        }
    }

    /// Takes the connection `name`, or the board's console, from whatever namespace has it: there is one of each.
    pub(crate) fn take_line(&mut self, name: Option<&str>) -> Option<Line> {
        self.take_back();
        let mut spaces = self.spaces.values_mut();
        spaces.find_map(|space| space.line.take_if(|line| line.name.as_deref() == name))
    }

    /// The connection `name`, or the board's console, whatever namespace has it.
    pub(crate) fn line(&mut self, name: Option<&str>) -> Option<&mut Line> {
        self.take_back();
        let lines = self.spaces.values_mut().filter_map(|space| space.line.as_mut());
        lines.into_iter().find(|line| line.name.as_deref() == name)
    }

    /// Keeps a connection that belongs to no namespace.
    pub(crate) fn keep_line(&mut self, line: Line) {
        // A namespace of a job has a name without control characters.
        self.spaces.entry("\0".to_owned()).or_default().line = Some(line);
    }

    /// Whether U-Boot is at its prompt on the board's console.
    pub(crate) fn at_loader(&self) -> bool {
        let lines = self.spaces.values().filter_map(|space| space.line.as_ref());
        lines.filter(|line| line.name.is_none()).any(|line| line.at_loader)
    }

    /// Gives all connections and served files back.
    pub(super) fn into_spaces(mut self) -> impl Iterator<Item = Space> {
        self.take_back();
        self.spaces.into_values()
    }
}
