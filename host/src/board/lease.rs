//! Leases: a board, or a persistent root filesystem, belongs to one run at a time, across processes and across the users
//! of this PC.
//!
//! A lease is a listening Unix socket with an abstract name (unix(7)) that says what is leased. A name can be bound once,
//! whoever the user is and whatever the environment says, and the kernel frees it with the process: no directory that
//! some user could not write or somebody else could prepare, and nothing left to clean up after a run that was killed.
//! Whoever connects is told who holds the lease.
//!
//! Abstract names belong to the network namespace. A runner in another one, such as a container with a network of its
//! own, is not seen; a serial port is opened exclusively all the same.

mod handover;
mod queue;
mod tell;
mod user;

use std::fmt;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::abstract_socket::{listen, name_of};
use crate::fault::Class;
use crate::text::{minute, minute_after};

pub use handover::Handover;
pub(crate) use handover::MAX_DESCRIPTORS;
pub use queue::{Place, Waiter, waiters};
use tell::Teller;
pub use tell::Told;
pub(crate) use user::{Process, user_name};

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// User id.
    pub user: u32,
    /// Directory or name of the run.
    pub run: String,
    /// Name of the job; empty for a command that has none.
    pub job: String,
    /// When the lease was taken.
    pub since: jiff::Timestamp,
    /// When it is given back at the latest, if that is known.
    #[serde(default)]
    pub until: Option<jiff::Timestamp>,
    /// Until when a board whose job has failed stays on (`--keep-on`), if one does.
    #[serde(default)]
    pub kept_on_until: Option<jiff::Timestamp>,
}

impl Holder {
    /// This process.
    pub fn this(run: String, job: String, since: jiff::Timestamp) -> Self {
        let user = rustix::process::getuid().as_raw();
        Self { pid: std::process::id(), user, run, job, since, until: None, kept_on_until: None }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { pid, user, run, job, since, until, kept_on_until } = self;
        let user = user_name(*user);
        if job.is_empty() {
            write!(f, "`{run}`")?;
        } else {
            write!(f, "run {run} of job `{job}`")?;
        }
        write!(f, " (process {pid}, user {user}, since {}", minute(*since))?;
        match (kept_on_until, until) {
            (Some(kept), _) => write!(f, ", keeps a failed board on until {})", minute_after(*kept, *since)),
            (None, Some(until)) => write!(f, ", until {} at the latest)", minute_after(*until, *since)),
            (None, None) => f.write_str(")"),
        }
    }
}

/// Whether something is leased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// By nobody.
    Free,
    /// By somebody who does not say so in time: it is stopped, or only just taking it. The process, where the system tells.
    Silent(Option<Process>),
    /// By somebody who says so.
    By(Holder),
}

/// What a lease is for: a board, what its console is on, or a root filesystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    what: String,
    /// Abstract name of the socket.
    name: String,
}

impl Key {
    /// The board `name` of the bench file at `bench`.
    ///
    /// # Errors
    /// Where the path of the bench file cannot be resolved.
    pub fn board(bench: &Path, name: &str) -> io::Result<Self> {
        let bench = bench.canonicalize()?;
        Ok(Self::new("board", name, &[bench.as_os_str().as_encoded_bytes(), name.as_bytes()]))
    }

    /// The serial device at `path`; links such as those of `/dev/serial/by-id` are followed.
    ///
    /// A device that is absent at the moment is leased by the path as it is.
    pub fn device(path: &Path) -> Self {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        Self::new("device", &path.display().to_string(), &[path.as_os_str().as_encoded_bytes()])
    }

    /// The console at a TCP port; names of hosts are taken as they are.
    pub fn port(host: &str, port: u16) -> Self {
        Self::new("console", &format!("{host}:{port}"), &[host.as_bytes(), &port.to_be_bytes()])
    }

    /// The persistent root filesystem `name` of those in `directory`.
    ///
    /// # Errors
    /// Where the path of the directory cannot be resolved.
    pub fn persistent_rootfs(directory: &Path, name: &str) -> io::Result<Self> {
        let directory = directory.canonicalize()?;
        let parts = [directory.as_os_str().as_encoded_bytes(), name.as_bytes()];
        Ok(Self { what: format!("persistent root filesystem {name}"), ..Self::new("rootfs", name, &parts) })
    }

    /// Abstract name of the socket at which whoever holds the lease of a board shares its console.
    pub fn console_name(&self) -> String {
        format!("{}/console", self.name)
    }

    /// Abstract name of the socket at which `u-boot-test-console` is asked for what it alone can do with its board.
    pub fn u_boot_test_name(&self) -> String {
        format!("{}/u-boot-test", self.name)
    }

    /// A file name of its own, such as `board-0123abcd`.
    pub fn file_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Who holds a lease on it; `None` if nobody does, or does not say so in time.
    pub fn holder(&self) -> Option<Holder> {
        match self.held() {
            Held::By(holder) => Some(holder),
            Held::Free | Held::Silent(_) => None,
        }
    }

    /// Whether somebody holds a lease on it.
    pub fn held(&self) -> Held {
        tell::ask(&self.name)
    }

    fn new(kind: &str, what: &str, parts: &[&[u8]]) -> Self {
        Self { what: format!("{kind} {what}"), name: name_of(kind, parts) }
    }
}

/// Why a lease was not given.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run or command has it.
    #[error("{what} is in use{}", by(.holder.as_deref()))]
    Held {
        /// The board or device.
        what: String,
        /// Abstract name of the holder's socket.
        name: String,
        /// Who holds it, unless it does not say so: it is stopped, or only just taking it.
        holder: Option<Box<Holder>>,
        /// The process that holds it and does not say so, where the system tells.
        process: Option<Process>,
    },
    /// Two boards of one run are the same, or are on the same console.
    #[error("{0} is wanted twice by this run")]
    Twice(String),
    /// The system refuses a socket, or the thread that answers for it.
    #[error("{what} cannot be leased")]
    System {
        /// The board or device.
        what: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
}

impl LeaseError {
    /// Whose fault it is.
    pub const fn class(&self) -> Class {
        match self {
            Self::Twice(_) => Class::Bench,
            Self::Held { .. } | Self::System { .. } => Class::Infrastructure,
        }
    }

    /// What to do about it, where that can be said.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Held { holder: Some(_), .. } => {
                Some("wait for that run to end, as `run --wait` does, or end it".to_owned())
            }
            Self::Held { process: Some(process), .. } => Some(format!(
                "{process} has it and does not answer, perhaps because it is stopped: `kill -CONT {0}` lets it go on, \
                 `kill {0}` ends it",
                process.pid
            )),
            Self::Held { name, .. } => Some(format!(
                "the process that has it does not answer, perhaps because it is stopped; \
                 `sudo ss -xlp src '@{name}'` names it"
            )),
            Self::Twice(_) => Some("give each board of the bench file a console of its own".to_owned()),
            Self::System { .. } => None,
        }
    }
}

fn by(holder: Option<&Holder>) -> String {
    holder.map_or_else(String::new, |holder| format!(" by {holder}"))
}

/// The right to use boards and root filesystems. Dropping it gives it back.
#[derive(Debug)]
pub struct Lease {
    teller: Teller,
}

impl Lease {
    /// Takes all of `keys`, or none, without waiting for a holder to end.
    ///
    /// # Errors
    /// [`LeaseError::Held`] names the run that has it.
    pub fn acquire(keys: &[Key], holder: &Holder) -> Result<Self, LeaseError> {
        Self::with(keys, Vec::new(), holder)
    }

    /// As [`acquire`](Self::acquire), with `listeners` that are bound to some of `keys` already.
    fn with(keys: &[Key], mut listeners: Vec<UnixListener>, holder: &Holder) -> Result<Self, LeaseError> {
        let system = |key: &Key| {
            let what = key.what.clone();
            |source| LeaseError::System { what, source }
        };
        for (index, key) in keys.iter().enumerate() {
            if keys.iter().take(index).any(|other| other.name == key.name) {
                return Err(LeaseError::Twice(key.what.clone()));
            }
            if let Some(given) = listeners.iter().find(|listener| key.is_at(listener)) {
                Key::adopt(given).map_err(system(key))?;
                continue;
            }
            match listen(&key.name) {
                Ok(listener) => listeners.push(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    let (holder, process) = match key.held() {
                        Held::By(holder) => (Some(Box::new(holder)), None),
                        Held::Silent(process) => (None, process),
                        Held::Free => (None, None),
                    };
                    let (what, name) = (key.what.clone(), key.name.clone());
                    return Err(LeaseError::Held { what, name, holder, process });
                }
                Err(error) => return Err(system(key)(error)),
            }
        }
        let teller = Teller::start(listeners, holder).map_err(|source| LeaseError::System {
            what: keys.first().map_or_else(String::new, |key| key.what.clone()),
            source,
        })?;
        Ok(Self { teller })
    }

    /// What is told of the holder, which can be changed.
    pub fn told(&self) -> Told {
        self.teller.told()
    }

    fn into_listeners(self) -> Vec<UnixListener> {
        self.teller.into_listeners()
    }
}

#[cfg(test)]
mod tests;
