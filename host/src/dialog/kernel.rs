//! What a kernel says about itself on the console: the lines that end a boot, and those worth keeping.

use std::fmt;
use std::sync::LazyLock;

use protocol::frame::START;
use regex::bytes::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scan::EscapeFilter;
use crate::text::{clip_bytes, kernel_message};

/// Longest line looked at, in bytes; the rest of it is passed over.
const LINE_LIMIT: usize = 512;
/// Complaints that are kept until they are taken; of more, only the number is.
const COMPLAINT_LIMIT: usize = 32;

static RESET: LazyLock<Regex> = LazyLock::new(|| pattern(r"^U-Boot (?:SPL )?20\d\d\.\d\d"));
static NO_ROOT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"VFS: Unable to mount root|ALERT!.*[Dd]ropping to a shell|ALERT!.*does not exist|No init found")
});
static PANIC: LazyLock<Regex> = LazyLock::new(|| pattern(r"Kernel panic - not syncing|end Kernel panic"));
/// Kinds of complaints, each with the lines that begin one. The first that matches counts.
static COMPLAINTS: LazyLock<[(ComplaintKind, Regex); 4]> = LazyLock::new(|| {
    [
        (ComplaintKind::Sanitizer, pattern(r"\b(?:KASAN|KCSAN|KFENCE|KMSAN|UBSAN): ")),
        (
            ComplaintKind::Lockup,
            pattern(
                r"soft lockup|hard LOCKUP|blocked for more than \d+ seconds|detected (?:expedited )?stalls?|self-detected stall|workqueue lockup",
            ),
        ),
        (
            ComplaintKind::Oops,
            pattern(
                r"\bOops(?::| -)|\bBUG: |kernel BUG at|Unhandled fault|Unable to handle kernel|general protection fault|invalid opcode|Out of memory: Kill",
            ),
        ),
        (
            ComplaintKind::Warning,
            pattern(r"\bWARNING: .*(?:CPU:|PID:|at |possible |suspicious )|INFO: possible recursive locking"),
        ),
    ]
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern is valid")
}

/// What a complaint of the kernel is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ComplaintKind {
    /// Something in the kernel broke, and was ended.
    Oops,
    /// Something did not go on for too long.
    Lockup,
    /// A checker that was built in found a fault.
    Sanitizer,
    /// Something was not as the kernel expects it.
    Warning,
}

/// A line with which the kernel begins to complain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// What it is about.
    pub kind: ComplaintKind,
    /// The line, with the kernel's own time.
    pub text: String,
}

impl fmt::Display for ComplaintKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Oops => "oops",
            Self::Lockup => "lockup",
            Self::Sanitizer => "sanitizer",
            Self::Warning => "warning",
        })
    }
}

/// A line of the console after which no login comes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KernelFailure {
    /// The kernel found no root file system.
    #[error("the kernel found no root file system: {0}")]
    NoRoot(String),
    /// The kernel stopped.
    #[error("the kernel stopped: {0}")]
    Panic(String),
    /// The board started again.
    #[error("the board has reset: {0}")]
    Reset(String),
}

/// Reads the console line by line and keeps what the kernel complains of.
#[derive(Debug, Default)]
pub struct KernelLog {
    escapes: EscapeFilter,
    /// At most one byte more than the longest, which tells that it is cut.
    line: Vec<u8>,
    complaints: Complaints,
    expects_loader: bool,
}

/// What a kernel complained of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaints {
    /// The first of them, at most 32.
    pub first: Vec<Complaint>,
    /// How many more there were.
    pub more: u64,
}

impl KernelLog {
    /// Takes what the board sent; returns the first line in it that ends the boot.
    pub fn push(&mut self, bytes: &[u8]) -> Option<KernelFailure> {
        let mut text = Vec::new();
        self.escapes.push(bytes, &mut text);
        let mut failure = None;
        for byte in text {
            match byte {
                b'\n' => {
                    let line = std::mem::take(&mut self.line);
                    failure = failure.or(self.line(&line));
                }
                b'\r' => {}
                _ if self.line.len() <= LINE_LIMIT => self.line.push(byte),
                _ => {}
            }
        }
        failure
    }

    /// Whether a boot loader may speak: before the kernel, and not instead of it.
    pub const fn expect_loader(&mut self, expected: bool) {
        self.expects_loader = expected;
    }

    /// The complaints that came since they were taken last.
    pub fn take_complaints(&mut self) -> Complaints {
        std::mem::take(&mut self.complaints)
    }

    fn line(&mut self, line: &[u8]) -> Option<KernelFailure> {
        let whole = line.get(..LINE_LIMIT).unwrap_or(line);
        let failures = [
            (&RESET, KernelFailure::Reset as fn(String) -> KernelFailure),
            (&NO_ROOT, KernelFailure::NoRoot),
            (&PANIC, KernelFailure::Panic),
        ];
        for (pattern, failure) in failures.into_iter().skip(usize::from(self.expects_loader)) {
            if let Some(found) = pattern.find(whole) {
                return Some(failure(text(line, found.start())));
            }
        }
        let found = COMPLAINTS.iter().find_map(|(kind, begins)| Some((*kind, begins.find(whole)?.start())));
        if let Some((kind, at)) = found {
            if self.complaints.first.len() < COMPLAINT_LIMIT {
                self.complaints.first.push(Complaint { kind, text: text(line, at) });
            } else {
                self.complaints.more += 1;
            }
        }
        None
    }
}

/// The kernel's message in `line`, of which the byte `at` is one. What stands in front of its time is somebody else's, such
/// as a prompt; also without that, the begin of one of the agent's frames is.
fn text(line: &[u8], at: usize) -> String {
    let before = line.get(..at).unwrap_or_default();
    let behind_frame = || before.contains(&START).then_some(at);
    let begin = kernel_message(before).or_else(behind_frame).unwrap_or_default();
    clip_bytes(line.get(begin..).unwrap_or_default(), LINE_LIMIT - begin).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_failure(log: &str) -> Option<KernelFailure> {
        let mut kernel = KernelLog::default();
        log.bytes().filter_map(|byte| kernel.push(&[byte])).next()
    }

    #[test]
    fn lines_that_end_a_boot_are_told_apart() {
        let no_root =
            "[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,255)\r\n";
        assert!(matches!(first_failure(no_root), Some(KernelFailure::NoRoot(_))));
        let panic = "[    1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n";
        assert!(matches!(first_failure(panic), Some(KernelFailure::Panic(_))));
        let reset = "\r\nU-Boot SPL 2023.01 (Jan 2023)\r\n";
        assert_eq!(first_failure(reset), Some(KernelFailure::Reset("U-Boot SPL 2023.01 (Jan 2023)".into())));
        assert_eq!(first_failure("[ 0.0] Linux version 6.1.0\r\n[ 0.0] panic=10 U-Boot 2023.01\r\n"), None);
    }

    #[test]
    fn complaints_are_kept_but_end_nothing() {
        let mut kernel = KernelLog::default();
        let log = b"------------[ cut here ]------------\nWARNING: CPU: 0 PID: 1 at kernel/x.c:1\nInternal error: Oops: 5 [#1] SMP ARM\n\
            [  9.0] watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [sh:7]\n[  9.5] BUG: KASAN: use-after-free in f\n\
            INFO: task dd:12 blocked for more than 120 seconds.\n[ 10.0] audit: all is well\n";
        assert_eq!(kernel.push(log), None);
        let complaints = kernel.take_complaints();
        let kinds: Vec<_> = complaints.first.into_iter().map(|complaint| complaint.kind).collect();
        use ComplaintKind::{Lockup, Oops, Sanitizer, Warning};
        assert_eq!((kinds.as_slice(), complaints.more), (&[Warning, Oops, Lockup, Sanitizer, Lockup][..], 0));
        assert_eq!(kernel.take_complaints(), Complaints::default());
    }

    #[test]
    fn complaints_that_are_not_kept_are_counted() {
        let mut kernel = KernelLog::default();
        kernel.push("[    1.0] BUG: a\n".repeat(COMPLAINT_LIMIT + 7).as_bytes());
        let complaints = kernel.take_complaints();
        assert_eq!((complaints.first.len(), complaints.more), (COMPLAINT_LIMIT, 7));
    }

    #[test]
    fn a_message_begins_with_the_kernels_time_and_its_cut_is_marked() {
        let mut kernel = KernelLog::default();
        let mut text = |line: &str| {
            kernel.push(line.as_bytes());
            kernel.take_complaints().first.pop().unwrap().text
        };
        let begun = "\x1e[    1.000001] token=s3c";
        assert_eq!(text(&format!("{begun}[   12.345678] x: BUG: a\r\n")), "[   12.345678] x: BUG: a");
        assert_eq!(text("Internal error: Oops: 5 [#1]\n"), "Internal error: Oops: 5 [#1]");
        assert_eq!(text("\x1etoken=s3c BUG: a\n"), "BUG: a");
        let long = format!("# [    1.0] BUG: {}\n", "é".repeat(LINE_LIMIT));
        let cut = text(&long);
        assert!(cut.starts_with("[    1.0] BUG: é") && cut.ends_with("é…"), "{cut}");
        assert!((LINE_LIMIT - 2..=LINE_LIMIT).contains(&(cut.len() - "…".len() + "# ".len())), "{cut}");
    }

    #[test]
    fn memory_is_bounded_without_any_line_end() {
        let mut kernel = KernelLog::default();
        kernel.push(&vec![b'x'; 100_000]);
        assert_eq!(kernel.line.len(), LINE_LIMIT + 1);
    }
}
