//! Asking whoever has a console: for a break, for its board's power, who is attached, and for the board itself.
//!
//! Beside the socket of the console's bytes there is a second one, `NAME/control`. A connection has one question and one
//! answer, a JSON object on a line each. A board that is given away comes with the answer, as descriptors; whoever asks to
//! be the next gets that answer when the owner ends, or the end of the connection.

use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::board::lease::{Handover, Process};
use crate::board::power::Switch;

use super::descriptors;

/// Longest question or answer in bytes.
pub(super) const MAX_LINE: u64 = 64 << 10;

/// How long an owner may take to answer what needs no work.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// How long an owner may take to give its board away: a program that is the console ends first.
const GIVE_TIME: Duration = Duration::from_secs(10);

/// What becomes of keys while an agent has the line.
pub(crate) const KEYS_ARE_LOST: &str =
    "the agent has the console while test definitions run: it throws keys away";

/// What is asked of whoever has a console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Question {
    /// Who is attached, and whether one more may be.
    Attached,
    /// A break on the line.
    Break,
    /// The board's power is to be switched.
    Switch(Switch),
    /// The board is wanted by this run or command.
    Give(String),
    /// Whoever asks wants to have the board next.
    Next,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// Who is attached.
    Attached(Attached),
    /// It is done; what there is to say of it.
    Done(String),
    /// It is not done, and why.
    Refused(String),
    /// The board: the descriptors beside it, the first of which is the line, if that is said.
    Given { has_line: bool },
}

/// Who is attached to a console.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    /// Whether whoever has it gives the board to those who ask, as a person at a console does, and a run does not.
    pub gives: bool,
    /// Whether no more may attach.
    pub is_full: bool,
    /// Those who are attached, process and user.
    pub watchers: Vec<Watcher>,
    /// Whether an agent has the line, which throws away what people type.
    #[serde(default)]
    pub agent_has_line: bool,
}

/// Somebody who is attached to a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watcher {
    /// Process id.
    pub pid: i32,
    /// User id.
    pub user: u32,
}

impl fmt::Display for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Process { pid: self.pid, user: self.user }.fmt(f)
    }
}

/// Why an owner did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody shares a console of that name.
    #[error("nobody has the console open")]
    Nobody,
    /// It says why.
    #[error("{0}")]
    Refused(String),
    /// It is another user's, who may not be believed.
    #[error("{0} has the console, and only that user and root may attach")]
    Foreign(Process),
    /// It does not answer.
    #[error("whoever has the console did not answer within {} s", .0.as_secs())]
    Silent(Duration),
    /// Its answer makes no sense, or the connection fails.
    #[error("whoever has the console could not be asked")]
    Broken(#[source] io::Error),
}

impl From<io::Error> for ControlError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// Who is attached to the console that is shared at `name`, and whether one more may be.
///
/// # Errors
/// [`ControlError`]; where the console is another user's it says whose.
pub fn attached(name: &str) -> Result<Attached, ControlError> {
    match ask(name, &Question::Attached, ANSWER_TIME)? {
        (Answer::Attached(attached), _) => Ok(attached),
        (answer, _) => Err(unexpected(answer)),
    }
}

/// Has a break sent on the console that is shared at `name`; what there is to say of it.
///
/// # Errors
/// [`ControlError`].
pub fn send_break(name: &str) -> Result<String, ControlError> {
    done(ask(name, &Question::Break, ANSWER_TIME)?)
}

/// Has whoever shares a console at `name` switch its board's power, which may take `time`.
///
/// # Errors
/// [`ControlError`].
pub fn switch(name: &str, switch: Switch, time: Duration) -> Result<String, ControlError> {
    done(ask(name, &Question::Switch(switch), time.saturating_add(ANSWER_TIME))?)
}

/// Has whoever shares a console at `name` give its board to `who`.
///
/// # Errors
/// [`ControlError::Refused`] by a run.
pub fn ask_for_board(name: &str, who: &str) -> Result<Handover, ControlError> {
    match ask(name, &Question::Give(who.to_owned()), GIVE_TIME)? {
        (Answer::Given { has_line }, descriptors) => Ok(Handover::from_descriptors(has_line, descriptors)),
        (answer, _) => Err(unexpected(answer)),
    }
}

fn done((answer, _): (Answer, Vec<OwnedFd>)) -> Result<String, ControlError> {
    match answer {
        Answer::Done(text) => Ok(text),
        answer => Err(unexpected(answer)),
    }
}

fn unexpected(answer: Answer) -> ControlError {
    match answer {
        Answer::Refused(why) => ControlError::Refused(why.chars().filter(|c| !c.is_control()).collect()),
        answer => ControlError::Broken(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("it was answered {answer:?}"),
        )),
    }
}

/// Wants the board of the console that is shared at `name` when its owner ends.
#[derive(Debug)]
pub struct Next {
    stream: tokio::net::UnixStream,
}

impl Next {
    /// Says so.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn ask(name: &str) -> Result<Self, ControlError> {
        let stream = connect(name)?;
        put(&stream, &Question::Next)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream: tokio::net::UnixStream::from_std(stream)? })
    }

    /// Waits for the owner's end: its board, if that is given to whoever asks here. The owner's process bounds it.
    pub async fn wait(self) -> Option<Handover> {
        let (mut text, mut came) = (Vec::new(), Vec::new());
        let mut room = [0; 4096];
        while (text.len() as u64) < MAX_LINE {
            self.stream.readable().await.ok()?;
            let receive = || descriptors::receive(&self.stream, &mut room, &mut came);
            match self.stream.try_io(tokio::io::Interest::READABLE, receive) {
                Ok(0) => break,
                Ok(count) => text.extend_from_slice(room.get(..count)?),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return None,
            }
        }
        match serde_json::from_slice(&text).ok()? {
            Answer::Given { has_line } => Some(Handover::from_descriptors(has_line, came)),
            _ => None,
        }
    }
}

/// Gives a board to somebody who wants to be next.
///
/// # Errors
/// Where that process is gone, or does not read.
pub fn give(next: &UnixStream, handover: Handover) -> io::Result<()> {
    let (has_line, descriptors) = handover.into_descriptors();
    next.set_nonblocking(true)?;
    descriptors::send(next, &line(&Answer::Given { has_line })?, &descriptors)
}

/// A message as it is sent.
pub(super) fn line(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(message)?;
    text.push(b'\n');
    Ok(text)
}

fn put(mut stream: &UnixStream, question: &Question) -> io::Result<()> {
    stream.write_all(&line(question)?)
}

/// Connects to the owner, if that is of this user or root.
fn connect(name: &str) -> Result<UnixStream, ControlError> {
    let address = SocketAddr::from_abstract_name(control_name(name))?;
    let stream = UnixStream::connect_addr(&address).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => ControlError::Nobody,
        _ => ControlError::Broken(error),
    })?;
    let peer = rustix::net::sockopt::socket_peercred(&stream).map_err(io::Error::from)?;
    let own = rustix::process::getuid();
    if own.is_root() || peer.uid.is_root() || peer.uid == own {
        return Ok(stream);
    }
    Err(ControlError::Foreign(Process { pid: peer.pid.as_raw_nonzero().get(), user: peer.uid.as_raw() }))
}

/// Asks, and waits at most `time` for the answer.
fn ask(name: &str, question: &Question, time: Duration) -> Result<(Answer, Vec<OwnedFd>), ControlError> {
    let stream = connect(name)?;
    put(&stream, question)?;
    let deadline = Instant::now() + time;
    let mut answer = Receiver { stream: &stream, deadline, descriptors: Vec::new() };
    let mut text = Vec::new();
    let read = BufReader::new((&mut answer).take(MAX_LINE)).read_until(b'\n', &mut text);
    match read {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            Err(ControlError::Silent(time))
        }
        Err(error) => Err(error.into()),
        // It ended before it answered.
        Ok(0) => Err(ControlError::Nobody),
        Ok(_) => {
            let parsed = serde_json::from_slice(&text).map_err(io::Error::from)?;
            Ok((parsed, answer.descriptors))
        }
    }
}

/// Reads an answer until its deadline, and keeps the descriptors that come with it.
struct Receiver<'s> {
    stream: &'s UnixStream,
    deadline: Instant,
    descriptors: Vec<OwnedFd>,
}

impl io::Read for &mut Receiver<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        descriptors::receive(self.stream, room, &mut self.descriptors)
    }
}

/// Abstract name of the second socket.
pub(super) fn control_name(name: &str) -> String {
    format!("{name}/control")
}
