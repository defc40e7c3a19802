//! What a check has found.

use std::fmt;

use serde::Serialize;

use crate::fault::{Class, Fault};

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The bench file can be used.
    BenchFile,
    /// `[network] address` is of this PC, on a card that is up.
    NetworkAddress,
    /// A board's address fits the network.
    BoardAddress,
    /// UDP port 69.
    TftpPort,
    /// TCP port 2049.
    NfsPort,
    /// Port 111, UDP and TCP.
    PortMapper,
    /// UDP port 123.
    SntpPort,
    /// NFS and MOUNT answer at the bench's address.
    NfsServer,
    /// Whether rules of this PC drop what boards send.
    Firewall,
    /// Room on a disk, and permission to write there.
    Disk,
    /// The time of this PC.
    Clock,
    /// The agent for a board's architecture.
    Agent,
    /// The programs that the bench file names for a board.
    Programs,
    /// A console, without opening it.
    Console,
    /// The emulator and the network of virtual boards.
    Emulator,
    /// The board is nobody else's.
    Lease,
    /// What switches the board tells its state.
    Power,
    /// The reset that starts a run.
    Reset,
    /// The board begins to talk when it is on.
    PowerOn,
    /// What the board says is text.
    Speed,
    /// U-Boot gets to its prompt.
    Uboot,
    /// U-Boot's network is up.
    UbootNetwork,
    /// U-Boot fetches a file by TFTP.
    Tftp,
    /// The board gets to NFS.
    BoardNfs,
    /// A board that answered does not any more when it was switched off.
    PowerOff,
}

impl Check {
    /// Its name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BenchFile => "bench file",
            Self::NetworkAddress => "address",
            Self::BoardAddress => "board address",
            Self::TftpPort => "TFTP port",
            Self::NfsPort => "NFS port",
            Self::PortMapper => "port mapper",
            Self::SntpPort => "SNTP port",
            Self::NfsServer => "NFS server",
            Self::Firewall => "firewall",
            Self::Disk => "disk",
            Self::Clock => "clock",
            Self::Agent => "agent",
            Self::Programs => "programs",
            Self::Console => "console",
            Self::Emulator => "emulator",
            Self::Lease => "lease",
            Self::Power => "power",
            Self::Reset => "reset",
            Self::PowerOn => "power on",
            Self::Speed => "speed",
            Self::Uboot => "U-Boot",
            Self::UbootNetwork => "network",
            Self::Tftp => "TFTP",
            Self::BoardNfs => "NFS",
            Self::PowerOff => "power off",
        }
    }
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It could not be checked; nothing speaks against it.
    Unknown,
    /// Jobs run, but not as well as they could, or not all of them.
    Warning,
    /// Jobs fail.
    Fault,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Fault => "FAULT",
        })
    }
}

/// What one check has found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// Of what: the name of a board, or `bench`.
    pub about: String,
    /// What it came to.
    pub status: Status,
    /// Whose fault it is, if it is one.
    pub class: Option<Class>,
    /// What was found, a sentence fragment; may hold several lines.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// What a finding is about that is not one board's.
pub(super) const BENCH: &str = "bench";

impl Finding {
    fn new(check: Check, about: &str, status: Status, message: String) -> Self {
        Self { check, about: about.to_owned(), status, class: None, message, help: None }
    }

    /// All is well.
    pub fn ok(check: Check, about: &str, message: impl fmt::Display) -> Self {
        Self::new(check, about, Status::Ok, message.to_string())
    }

    /// It could not be checked.
    pub fn unknown(check: Check, about: &str, message: impl fmt::Display) -> Self {
        Self::new(check, about, Status::Unknown, message.to_string())
    }

    /// Jobs run, but not as they could.
    pub fn warning(check: Check, about: &str, message: impl fmt::Display) -> Self {
        Self::new(check, about, Status::Warning, message.to_string())
    }

    /// Jobs fail.
    pub fn fault(check: Check, about: &str, class: Class, message: impl fmt::Display) -> Self {
        Self { class: Some(class), ..Self::new(check, about, Status::Fault, message.to_string()) }
    }

    /// Jobs fail with `fault`.
    pub fn from_fault(check: Check, about: &str, fault: Fault) -> Self {
        Self { help: fault.help, ..Self::fault(check, about, fault.class, fault.message) }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what to do about it, if that is known.
    #[must_use]
    pub fn with_optional_help(mut self, help: Option<String>) -> Self {
        self.help = help;
        self
    }
}

/// Where findings go, in the order of the checks.
pub struct Findings<'s> {
    tell: &'s mut dyn FnMut(&Finding),
    first_fault: Option<Class>,
    /// What has a fault, and whose it is.
    faulty: Vec<(Check, String)>,
    counts: [usize; 4],
}

impl fmt::Debug for Findings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Findings").field("counts", &self.counts).finish_non_exhaustive()
    }
}

impl<'s> Findings<'s> {
    /// Hands each finding to `tell` at once.
    pub fn new(tell: &'s mut dyn FnMut(&Finding)) -> Self {
        Self { tell, first_fault: None, faulty: Vec::new(), counts: [0; 4] }
    }

    /// Adds one.
    pub fn add(&mut self, finding: Finding) {
        if let Some(count) = self.counts.get_mut(finding.status as usize) {
            *count += 1;
        }
        self.first_fault = self.first_fault.or(finding.class);
        if finding.status == Status::Fault {
            self.faulty.push((finding.check, finding.about.clone()));
        }
        (self.tell)(&finding);
    }

    /// The class of the first fault; `None` if there is no fault.
    pub const fn first_fault(&self) -> Option<Class> {
        self.first_fault
    }

    /// Whether `check` has found a fault of `about`: what depends on it need not be tried.
    pub(super) fn has_fault(&self, check: Check, about: &str) -> bool {
        self.faulty.iter().any(|(faulty, of)| *faulty == check && of == about)
    }

    /// How many findings there are of `status`.
    pub fn count(&self, status: Status) -> usize {
        self.counts.get(status as usize).copied().unwrap_or_default()
    }
}
