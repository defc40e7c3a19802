//! Boards and persistent root filesystems are used by one run at a time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::board::lease::{Held, Holder, Key, Lease, LeaseError, Place, Waiter, waiters};
use crate::board::{Bench, Board, ConsoleTarget};
use crate::fault::{Class, Fault};
use crate::link::{Target, check_permission};
use crate::plan::{NodeKind, Plan};
use crate::run::bench::persistent_directory;

/// How often those who wait for leases look whether it is their turn.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How a run waits for what others hold.
pub struct Wait<'a> {
    /// How long.
    pub time: Duration,
    /// Told what it waits for, again whenever that is something else.
    pub say: &'a dyn Fn(&str),
}

/// Takes all boards and persistent root filesystems of a plan, or none: what another run holds is refused at once, or is
/// waited for, in the order in which runs came.
///
/// `out` names the run to whoever wants the same meanwhile; `at_most` is how long it may take.
///
/// # Errors
/// A fault that names the other run, a serial port that this user may not open, or no place for root filesystems.
pub fn take_leases(
    plan: &Plan,
    bench: &Bench,
    out: &Path,
    at_most: Duration,
    wait: Option<&Wait<'_>>,
) -> Result<Lease, Fault> {
    let mut keys = Vec::new();
    for node in &plan.nodes {
        for rootfs in node.persistent_rootfs() {
            keys.push(rootfs_key(bench, &rootfs.value)?);
        }
        let NodeKind::Board { board } = &node.kind else { continue };
        if let ConsoleTarget::Line(Target::Serial { path, .. }) = &board.console {
            check_permission(path).map_err(|error| {
                Fault::from_error(Class::Bench, format!("board `{}`", board.name), &error)
            })?;
        }
        keys.extend(board_keys(bench, board)?);
    }
    let holder = || {
        let since = jiff::Timestamp::now();
        let until = since.checked_add(at_most).ok();
        Holder { until, ..Holder::this(out.display().to_string(), plan.job_name.clone(), since) }
    };
    match wait {
        None => {
            refuse_to_pass(&keys, bench)?;
            acquire(&keys, &holder())
        }
        Some(wait) => wait_for(&keys, bench, holder, wait),
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
    keys: &[Key],
    bench: &Bench,
    holder: impl Fn() -> Holder,
    wait: &Wait<'_>,
) -> Result<Lease, Fault> {
    let waiting = Holder { until: None, ..holder() };
    let mut place = Place::take(&bench.path, keys, waiting)
        .map_err(|error| Fault::from_error(Class::Infrastructure, "queue of the bench", &error))?;
    let deadline = Instant::now() + wait.time;
    let mut told = String::new();
    loop {
        let before = place.before();
        let text = match before {
            0 => match Lease::acquire(keys, &holder()) {
                Ok(lease) => return Ok(lease),
                Err(error @ LeaseError::Held { .. }) => error.to_string(),
                Err(error) => return Err(lease_fault(&error)),
            },
            1 => "another run waits for the same before this one".to_owned(),
            _ => format!("{before} other runs wait for the same before this one"),
        };
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

/// Takes `board` for a command that has no job; `command` is shown to whoever wants it meanwhile.
///
/// # Errors
/// A fault that names the run that has it.
pub fn take_board(bench: &Bench, board: &Board, command: String) -> Result<Lease, Fault> {
    acquire(&board_keys(bench, board)?, &Holder::this(command, String::new(), jiff::Timestamp::now()))
}

/// Who has `board`, or what its console is on.
///
/// # Errors
/// Where the path of the bench file cannot be resolved.
pub fn board_held(bench: &Bench, board: &Board) -> Result<Held, Fault> {
    let all = board_keys(bench, board)?;
    Ok(all.iter().map(Key::held).find(|held| *held != Held::Free).unwrap_or(Held::Free))
}

/// What a board is leased by: itself, and what its console is on.
fn board_keys(bench: &Bench, board: &Board) -> Result<Vec<Key>, Fault> {
    let key = Key::board(&bench.path, &board.name)
        .map_err(|error| Fault::from_error(Class::Bench, bench.path.display().to_string(), &error))?;
    let console = match &board.console {
        ConsoleTarget::Line(Target::Serial { path, .. }) => Some(Key::device(path)),
        ConsoleTarget::Line(Target::Tcp { host, port } | Target::Telnet { host, port }) => {
            Some(Key::port(host, *port))
        }
        ConsoleTarget::Line(Target::Command(_)) | ConsoleTarget::Qemu(_) | ConsoleTarget::None => None,
    };
    Ok(std::iter::once(key).chain(console).collect())
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

fn acquire(keys: &[Key], holder: &Holder) -> Result<Lease, Fault> {
    Lease::acquire(keys, holder).map_err(|error| lease_fault(&error))
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
