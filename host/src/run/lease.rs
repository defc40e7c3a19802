//! Boards and persistent root filesystems are used by one run at a time.

use std::collections::HashMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::board::lease::{Handover, Held, Holder, Key, Lease, LeaseError, Place, Waiter, waiters};
use crate::board::{Bench, Board, ConsoleTarget};
use crate::fault::{Class, Fault};
use crate::link::{Target, control};
use crate::plan::Plan;
use crate::run::bench::persistent_directory;

/// How often those who wait for leases look whether it is their turn.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How a run waits for what others hold.
pub struct Wait<'a> {
    /// How long.
    pub time: Duration,
    /// Told what it waits for, again whenever that is something else.
    pub say: &'a dyn Fn(&str),
    /// Ends it: the place in the queue is given up.
    pub cancel: CancellationToken,
}

/// What a run has, and the open lines of boards that a person's console has given to it, by the boards' names.
#[derive(Debug)]
pub struct Taken {
    /// The boards and persistent root filesystems.
    pub lease: Lease,
    /// Lines.
    pub lines: HashMap<String, OwnedFd>,
}

/// What is wanted, by what it is leased by.
struct Wanted {
    /// Boards by their names.
    boards: Vec<(String, Vec<Key>)>,
    /// Root filesystems.
    others: Vec<Key>,
}

impl Wanted {
    fn keys(&self) -> Vec<Key> {
        self.others.iter().chain(self.boards.iter().flat_map(|(_, keys)| keys)).cloned().collect()
    }
}

/// Takes all boards and persistent root filesystems of a plan, or none: what another run holds is refused at once, or is
/// waited for, in the order in which runs came. A person's console gives its board.
///
/// `out` names the run to whoever wants the same meanwhile; `at_most` is how long it may take.
///
/// # Errors
/// A fault that names the other run, or no place for root filesystems.
pub fn take_leases(
    plan: &Plan,
    bench: &Bench,
    out: &Path,
    at_most: Duration,
    wait: Option<&Wait<'_>>,
) -> Result<Taken, Fault> {
    let mut wanted = Wanted { boards: Vec::new(), others: Vec::new() };
    for node in &plan.nodes {
        for rootfs in node.persistent_rootfs() {
            wanted.others.push(rootfs_key(bench, &rootfs.value)?);
        }
    }
    for (_, board) in plan.boards() {
        wanted.boards.push((board.name.clone(), board_keys(bench, board)?));
    }
    let keys = wanted.keys();
    let holder = || {
        let since = jiff::Timestamp::now();
        let until = since.checked_add(at_most).ok();
        Holder { until, ..Holder::this(out.display().to_string(), plan.job_name.clone(), since) }
    };
    match wait {
        None => {
            refuse_to_pass(&keys, bench)?;
            acquire(&wanted, &holder()).map_err(|error| lease_fault(&error))
        }
        Some(wait) => wait_for(&wanted, bench, holder, wait),
    }
}

/// Refuses to take what others wait for, though it may be free for a moment.
fn refuse_to_pass(keys: &[Key], bench: &Bench) -> Result<(), Fault> {
    let first = Queue::read(bench)?.0.into_iter().find(|waiter| waiter.wants(keys));
    first.map_or(Ok(()), |waiter| {
        let text = format!("{} waits for the same", waiter.holder);
        let fault = Fault::new(Class::Infrastructure, "leases", text);
        Err(fault.with_help("`run --wait` waits behind it"))
    })
}

/// Takes `keys` once it is this process's turn.
fn wait_for(
    wanted: &Wanted,
    bench: &Bench,
    holder: impl Fn() -> Holder,
    wait: &Wait<'_>,
) -> Result<Taken, Fault> {
    let waiting = Holder { until: None, ..holder() };
    let mut place = Place::take(&bench.path, &wanted.keys(), waiting)
        .map_err(|error| Fault::from_error(Class::Infrastructure, "queue of the bench", &error))?;
    let deadline = Instant::now() + wait.time;
    let mut told = String::new();
    loop {
        let before = place.before();
        let text = match before {
            0 => match acquire(wanted, &holder()) {
                Ok(taken) => return Ok(taken),
                Err(error @ LeaseError::Held { .. }) => error.to_string(),
                Err(error) => return Err(lease_fault(&error)),
            },
            1 => "another run waits for the same before this one".to_owned(),
            _ => format!("{before} other runs wait for the same before this one"),
        };
        if wait.cancel.is_cancelled() {
            return Err(Fault::new(Class::Cancelled, "leases", format!("cancelled while it waited: {text}")));
        }
        if Instant::now() >= deadline {
            let minutes = wait.time.as_secs() / 60;
            let text = format!("it was not this run's turn within {minutes} min (`--wait`): {text}");
            return Err(Fault::new(Class::Infrastructure, "leases", text));
        }
        if text != told {
            (wait.say)(&text);
            told = text;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Takes `board` for a command that has no job, if nobody has it or waits for it; `command` is shown to whoever wants it
/// meanwhile.
///
/// # Errors
/// A fault that names the run or command that has it, or waits for it.
pub fn take_board(bench: &Bench, board: &Board, command: String) -> Result<Lease, Fault> {
    let keys = board_keys(bench, board)?;
    refuse_to_pass(&keys, bench)?;
    Lease::acquire(&keys, &command_holder(command)).map_err(|error| lease_fault(&error))
}

/// As [`take_board`], also from a person's console, whose line is closed.
///
/// # Errors
/// As of [`take_board`].
pub fn take_board_from_person(bench: &Bench, board: &Board, command: String) -> Result<Lease, Fault> {
    let keys = board_keys(bench, board)?;
    refuse_to_pass(&keys, bench)?;
    let wanted = Wanted { boards: vec![(board.name.clone(), keys)], others: Vec::new() };
    let taken = acquire(&wanted, &command_holder(command)).map_err(|error| lease_fault(&error))?;
    Ok(taken.lease)
}

/// Takes `board`, which `given` has, for a command that has no job.
///
/// # Errors
/// As of [`take_board`].
pub fn take_given_board(
    bench: &Bench,
    board: &Board,
    given: Handover,
    command: String,
) -> Result<Lease, Fault> {
    let keys = board_keys(bench, board)?;
    Lease::acquire_given(&keys, vec![given], &command_holder(command)).map_err(|error| lease_fault(&error))
}

fn command_holder(command: String) -> Holder {
    Holder::this(command, String::new(), jiff::Timestamp::now())
}

/// Who has `board`, or what its console is on.
///
/// # Errors
/// Where the path of the bench file cannot be resolved.
pub fn board_held(bench: &Bench, board: &Board) -> Result<Held, Fault> {
    let all = board_keys(bench, board)?;
    Ok(all.iter().map(Key::held).find(|held| *held != Held::Free).unwrap_or(Held::Free))
}

/// What a board is leased by: itself, and what its consoles are on.
pub(super) fn board_keys(bench: &Bench, board: &Board) -> Result<Vec<Key>, Fault> {
    let key = Key::board(&bench.path, &board.name)
        .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
    let main = match &board.console {
        ConsoleTarget::Line(target) => line_key(target),
        // It is reached over SSH alone.
        ConsoleTarget::None => board.ssh.as_ref().map(|access| Key::port(&access.host, access.port)),
        ConsoleTarget::Qemu(_) => None,
    };
    let mut keys: Vec<Key> = std::iter::once(key).chain(main).collect();
    for further in board.consoles.iter().filter_map(|(_, target)| line_key(target)) {
        // One line may have two names.
        if !keys.contains(&further) {
            keys.push(further);
        }
    }
    Ok(keys)
}

/// What a line is leased by; a command does not say what it opens.
fn line_key(target: &Target) -> Option<Key> {
    match target {
        Target::Serial { path, .. } => Some(Key::device(path)),
        Target::Tcp { host, port } | Target::Telnet { host, port } => Some(Key::port(host, *port)),
        Target::Command(_) => None,
    }
}

/// Those who wait for boards of a bench, as they were at one time.
pub struct Queue(Vec<Waiter>);

impl Queue {
    /// Asks who waits.
    ///
    /// # Errors
    /// Where the path of the bench file cannot be resolved.
    pub fn read(bench: &Bench) -> Result<Self, Fault> {
        waiters(&bench.path)
            .map(Self)
            .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))
    }

    /// Who waits for `board` of `bench`, in their order.
    ///
    /// # Errors
    /// Where the path of the bench file cannot be resolved.
    pub fn waiting_for(&self, bench: &Bench, board: &Board) -> Result<Vec<Holder>, Fault> {
        let keys = board_keys(bench, board)?;
        let wants = |waiter: &&Waiter| waiter.wants(&keys);
        Ok(self.0.iter().filter(wants).map(|waiter| waiter.holder.clone()).collect())
    }
}

/// Takes all that is wanted, or nothing; from whoever has it only where all those are consoles that give their boards.
fn acquire(wanted: &Wanted, holder: &Holder) -> Result<Taken, LeaseError> {
    let keys = wanted.keys();
    let held = match Lease::acquire(&keys, holder) {
        Err(held @ LeaseError::Held { .. }) => held,
        other => return other.map(|lease| Taken { lease, lines: HashMap::new() }),
    };
    let Some(givers) = givers(wanted) else { return Err(held) };
    let (mut given, mut lines) = (Vec::new(), HashMap::new());
    for (board, name) in givers {
        // One that has ended meanwhile has given its board back.
        if let Ok(mut handover) = control::ask_for_board(&name, &holder.to_string()) {
            lines.extend(handover.take_line().map(|line| (board, line)));
            given.push(handover);
        }
    }
    Lease::acquire_given(&keys, given, holder).map(|lease| Taken { lease, lines })
}

/// The boards whose consoles would give them, with the names at which these are shared; [`None`] where something is held
/// by somebody who does not.
fn givers(wanted: &Wanted) -> Option<Vec<(String, String)>> {
    let is_free = |key: &Key| key.held() == Held::Free;
    if !wanted.others.iter().all(is_free) {
        return None;
    }
    let mut givers = Vec::new();
    for (board, keys) in &wanted.boards {
        let own = keys.first()?;
        if is_free(own) {
            // What its console is on may still be another board's.
            if !keys.iter().all(is_free) {
                return None;
            }
            continue;
        }
        let name = own.console_name();
        if !control::attached(&name).ok()?.gives {
            return None;
        }
        givers.push((board.clone(), name));
    }
    Some(givers)
}

fn lease_fault(error: &LeaseError) -> Fault {
    Fault::from_error(error.class(), "leases", error).with_optional_help(error.help())
}

/// The lease of a persistent root filesystem. The directory that it is to be in is made: its path must be the same for
/// all who come after.
fn rootfs_key(bench: &Bench, name: &str) -> Result<Key, Fault> {
    let directory = persistent_directory(Some(bench))?;
    let key = fs::create_dir_all(&directory).and_then(|()| Key::persistent_rootfs(&directory, name));
    key.map_err(|error| Fault::from_error(Class::Infrastructure, directory.display().to_string(), &error))
}
