//! What a C library does for other programs: fork, exec, wait, signal dispositions, clocks, exit.
//!
//! rustix hides these functions behind a name that changes between its releases, to keep programs that have a libc
//! away from them. This one has none; here is the only place that knows the name.

use core::ffi::CStr;
use core::ptr;

use heapless::Vec;
use protocol::agent_to_host::Usage;
use rustix::fd::{AsRawFd, BorrowedFd, RawFd};
use rustix::fs::{AtFlags, CWD};
use rustix::io::{Errno, Result};
use rustix::process::{Pid, Signal};
use rustix::runtime_448b8ad740e2a26f as raw;
use rustix::time::{ClockId, Timespec};

use crate::invocation::{MAX_ARGUMENTS, MAX_VARIABLES};
use crate::syscall::{self, number};

pub(crate) use raw::exit_group;

/// Signals that must not end or stop the agent while a terminal or a script depends on it.
const SHIELDED: [Signal; 5] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::PIPE, Signal::TSTP];

/// Which of two processes returned from [`fork`].
pub(crate) enum Forked {
    /// The new process.
    Child,
    /// The calling process; `0` is the new one.
    Parent(Pid),
}

/// Starts a second process that continues here.
///
/// # Errors
/// `EAGAIN` or `ENOMEM` if the kernel has no room for it.
#[expect(unsafe_code, reason = "fork")]
pub(crate) fn fork() -> Result<Forked> {
    // SAFETY: the process has one thread and no libc whose state a fork would tear; the child goes on with a copy of
    // everything. Hosted builds have one thread as well, and the child makes system calls only until it execs or
    // leaves by `exit_group`.
    match unsafe { raw::kernel_fork() }? {
        raw::Fork::Child(_) => Ok(Forked::Child),
        raw::Fork::ParentOf(child) => Ok(Forked::Parent(child)),
    }
}

/// Replaces the process's program; returns only if that failed.
///
/// More than [`MAX_ARGUMENTS`] arguments or [`MAX_VARIABLES`] + 8 variables are refused with `E2BIG`.
#[expect(unsafe_code, reason = "execve takes arrays of pointers")]
pub(crate) fn exec(path: &CStr, arguments: &[&CStr], variables: &[&CStr]) -> Errno {
    let (Some(argv), Some(envp)) =
        (pointers::<{ MAX_ARGUMENTS + 1 }>(arguments), pointers::<{ MAX_VARIABLES + 9 }>(variables))
    else {
        return Errno::TOOBIG;
    };
    // SAFETY: both arrays hold pointers to NUL-terminated strings that outlive the call, and end with null.
    unsafe { raw::execve(path, argv.as_ptr(), envp.as_ptr()) }
}

/// Takes bytes for text as system calls want it: they must end with NUL and have no other. Anything else is empty text.
///
/// What `CStr` has for that is ten times as large.
#[expect(unsafe_code, reason = "the bytes are checked here")]
pub(crate) fn c_str(bytes: &[u8]) -> &CStr {
    match bytes.split_last() {
        // SAFETY: the last byte is NUL, and none before it is, which is all that the function asks for.
        Some((0, text)) if text.iter().all(|byte| *byte != 0) => unsafe {
            CStr::from_bytes_with_nul_unchecked(bytes)
        },
        _ => c"",
    }
}

fn pointers<const N: usize>(words: &[&CStr]) -> Option<Vec<*const u8, N>> {
    let mut list = Vec::new();
    for word in words {
        list.push(word.as_ptr().cast()).ok()?;
    }
    list.push(ptr::null()).ok()?;
    Some(list)
}

/// Closes what a forked process has of the agent's descriptors, but for the standard ones and those named.
///
/// Only for a process that goes on with nothing but these.
#[expect(unsafe_code, reason = "closes descriptors whose owners exist in the forked process as well")]
pub(crate) fn close_all_but(kept: &[RawFd]) {
    /// The agent has its sockets, pipes and helpers' connections, each with one of the lowest free numbers.
    const HIGHEST: RawFd = 128;

    for fd in (3..HIGHEST).filter(|fd| !kept.contains(fd)) {
        // SAFETY: by this function's contract nothing in this process uses `fd` any more. The owners' destructors do not
        // run, because the process leaves by `exit_group` or exec.
        unsafe { rustix::io::close(fd) };
    }
}

/// Ignores the signals that a lost link or a key on the console would send.
pub(crate) fn shield_from_signals() {
    for signal in SHIELDED {
        set_disposition(signal, raw::kernel_sig_ign());
    }
}

/// Gives a child the ordinary signal dispositions back, which it would otherwise inherit as ignored.
pub(crate) fn unshield() {
    for signal in SHIELDED {
        set_disposition(signal, raw::KERNEL_SIG_DFL);
    }
}

/// Makes SIGTERM end this process as usual, or not at all; a program that it becomes inherits that.
pub(crate) fn survive_termination(survives: bool) {
    set_disposition(Signal::TERM, if survives { raw::kernel_sig_ign() } else { raw::KERNEL_SIG_DFL });
}

#[expect(unsafe_code, reason = "sigaction")]
fn set_disposition(signal: Signal, handler: raw::KernelSighandler) {
    let action = raw::KernelSigaction { sa_handler_kernel: handler, ..Default::default() };
    // SAFETY: ignoring a signal and the default disposition run no code in this process. The call cannot fail for
    // these signals.
    let _ = unsafe { raw::kernel_sigaction(signal, Some(action)) };
}

/// How a child ended, and what it took.
pub(crate) struct Ended {
    /// The status as wait(2) has it.
    pub(crate) status: i32,
    /// What it took, with those of its own children that it waited for.
    pub(crate) usage: Usage,
}

impl Ended {
    /// Returns the exit code as a shell has it: 128 and the signal's number for a child that a signal ended.
    pub(crate) fn code(&self) -> u8 {
        // wait(2): the signal in the low seven bits, the code in the byte above.
        match self.status & 0x7f {
            0 => (self.status >> 8) as u8,
            signal => 128 | signal as u8,
        }
    }
}

/// From the words of `struct rusage` (getrusage(2)): two times in seconds and microseconds, then the memory in KiB.
fn usage([user_s, user_us, system_s, system_us, max_rss_kib, ..]: RusageWords) -> Usage {
    let word = |number| u32::try_from(number).unwrap_or(u32::MAX);
    let ms = |s, us| word(s).saturating_mul(1_000).saturating_add(word(us) / 1_000);
    Usage { user_ms: ms(user_s, user_us), system_ms: ms(system_s, system_us), max_rss_kib: word(max_rss_kib) }
}

/// `struct rusage`: four words of time and fourteen of counters, each of the kernel's type `long`.
type RusageWords = [isize; 18];

/// Waits until a child ends.
///
/// # Errors
/// `EINTR` if a signal came first, `ECHILD` if it is no child of this process.
#[expect(unsafe_code, reason = "system call")]
pub(crate) fn wait4(child: Pid) -> Result<Ended> {
    let mut status = 0_i32;
    let mut words: RusageWords = [0; 18];
    let pid = child.as_raw_nonzero().get() as usize;
    let [status_at, usage_at] = [(&raw mut status).expose_provenance(), (&raw mut words).expose_provenance()];
    // SAFETY: the kernel writes one `int` and one `struct rusage`, for which both places have room.
    unsafe { syscall::call(number::WAIT4, [pid, status_at, 0, usage_at]) }?;
    Ok(Ended { status, usage: usage(words) })
}

/// Reads a clock by system call.
///
/// rustix's own way goes through the vDSO, whose parser and its assertions take up a tenth of this program.
#[expect(unsafe_code, reason = "system call")]
pub(crate) fn clock_gettime(id: ClockId) -> Timespec {
    #[cfg(target_arch = "arm")]
    {
        let mut time = [0_i64; 2];
        // SAFETY: the kernel writes two 64-bit words, for which there is room.
        if unsafe {
            syscall::call(number::CLOCK_GETTIME64, [id as usize, (&raw mut time).expose_provenance(), 0, 0])
        }
        .is_ok()
        {
            let [tv_sec, tv_nsec] = time;
            return Timespec { tv_sec, tv_nsec };
        }
    }
    let mut time = [0_isize; 2];
    // SAFETY: the kernel writes two words, for which there is room. The call cannot fail for the clocks of this program.
    let _ = unsafe {
        syscall::call(number::CLOCK_GETTIME, [id as usize, (&raw mut time).expose_provenance(), 0, 0])
    };
    let [tv_sec, tv_nsec] = time;
    Timespec { tv_sec: tv_sec as i64, tv_nsec: tv_nsec as _ }
}

/// Reads the owner and the mode of what is at a path: of a symbolic link itself, unless it is to be followed.
///
/// rustix asks newer kernels for more, older ones for less, and turns the one into the other, for half a KiB.
///
/// # Errors
/// The errno of the kernel.
#[expect(unsafe_code, reason = "system call")]
pub(crate) fn owner_and_mode(path: &CStr, follow: bool) -> Result<(u32, u32)> {
    /// `struct stat` (stat(2), `asm/stat.h`) is at most 144 bytes long: on x86-64.
    const WORDS: usize = 36;
    /// Places of owner and mode in it, in words.
    const PLACES: (usize, usize) = if cfg!(target_arch = "x86_64") { (7, 6) } else { (6, 4) };

    let flags = if follow { AtFlags::empty() } else { AtFlags::SYMLINK_NOFOLLOW };
    let mut words = [0_u64; WORDS / 2];
    let at = (&raw mut words).expose_provenance();
    let directory = CWD.as_raw_fd() as usize;
    // SAFETY: the path ends with NUL, and the kernel writes one `struct stat`, for which there is room.
    unsafe {
        syscall::call(
            number::FSTATAT,
            [directory, path.as_ptr().expose_provenance(), at, flags.bits() as usize],
        )
    }?;
    let word = |place: usize| {
        let pair = words.get(place / 2).map_or([0; 8], |pair| pair.to_ne_bytes());
        let [a, b, c, d, e, f, g, h] = pair;
        u32::from_ne_bytes(if place % 2 == 0 { [a, b, c, d] } else { [e, f, g, h] })
    };
    Ok((word(PLACES.0), word(PLACES.1)))
}

/// The modes of a terminal as the kernel has them: `struct termios` of `asm/termbits.h`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct TerminalModes {
    pub(crate) input: u32,
    pub(crate) output: u32,
    pub(crate) control: u32,
    pub(crate) local: u32,
    pub(crate) discipline: u8,
    pub(crate) special: [u8; 19],
}

/// Reads the modes of a terminal.
///
/// # Errors
/// `ENOTTY` if it is none.
#[expect(unsafe_code, reason = "system call")]
pub(crate) fn terminal_modes(terminal: BorrowedFd<'_>) -> Result<TerminalModes> {
    const TCGETS: usize = 0x5401;

    let mut modes =
        TerminalModes { input: 0, output: 0, control: 0, local: 0, discipline: 0, special: [0; 19] };
    let at = (&raw mut modes).expose_provenance();
    // SAFETY: the kernel writes one `struct termios`, for which there is room.
    unsafe { syscall::call(number::IOCTL, [terminal.as_raw_fd() as usize, TCGETS, at, 0]) }?;
    Ok(modes)
}

/// Sets the modes of a terminal once it has written what it was given.
///
/// # Errors
/// `EIO` if it is gone.
#[expect(unsafe_code, reason = "system call")]
pub(crate) fn set_terminal_modes(terminal: BorrowedFd<'_>, modes: &TerminalModes) -> Result<()> {
    const TCSETSW: usize = 0x5403;

    let at = (&raw const *modes).expose_provenance();
    // SAFETY: the kernel reads one `struct termios`, which is there.
    unsafe { syscall::call(number::IOCTL, [terminal.as_raw_fd() as usize, TCSETSW, at, 0]) }?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Starts a child and waits for it with [`wait4`].
    #[expect(clippy::zombie_processes, reason = "what is tested takes it off the process table")]
    fn ended(script: &str) -> Ended {
        let child = Command::new("/bin/sh").args(["-c", script]).spawn().expect("every system has a shell");
        let pid = Pid::from_raw(child.id().try_into().expect("a process id")).expect("not 0");
        loop {
            match wait4(pid) {
                Err(Errno::INTR) => {}
                other => return other.expect("a child of this process"),
            }
        }
    }

    #[test]
    fn what_a_child_took_is_told_with_its_end() {
        // Ten million bytes, held in a variable, counted by a loop that the shell runs itself.
        let busy = ended(
            "x=$(head -c 10000000 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; exit 3",
        );
        assert_eq!(busy.code(), 3);
        let Usage { user_ms, system_ms, max_rss_kib } = busy.usage;
        assert!((10_000..10_000_000).contains(&max_rss_kib), "{max_rss_kib} KiB");
        assert!((1..60_000).contains(&user_ms) && system_ms < 60_000, "{user_ms} ms, {system_ms} ms");

        let idle = ended("kill -KILL $$");
        assert_eq!((idle.code(), idle.status), (137, 9));
        assert!(idle.usage.user_ms < user_ms && idle.usage.max_rss_kib < max_rss_kib);
    }

    #[test]
    fn a_process_that_is_no_child_is_not_waited_for() {
        let own = rustix::process::getpid();
        assert_eq!(wait4(own).err(), Some(Errno::CHILD));
    }

    #[test]
    fn owner_and_mode_are_those_that_the_standard_library_sees() {
        use std::os::unix::fs::MetadataExt;

        for (path, name) in
            [(c"/proc/self/exe", "/proc/self/exe"), (c"/tmp", "/tmp"), (c"/dev/null", "/dev/null")]
        {
            let (own, followed) = (std::fs::symlink_metadata(name), std::fs::metadata(name));
            for (follow, expected) in [(false, own.expect("there")), (true, followed.expect("there"))] {
                assert_eq!(owner_and_mode(path, follow), Ok((expected.uid(), expected.mode())), "{name}");
            }
        }
        assert_eq!(owner_and_mode(c"/none", true), Err(Errno::NOENT));
    }

    #[test]
    fn clocks_are_those_of_the_system() {
        let wall = clock_gettime(ClockId::Realtime);
        let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        assert!(since.abs_diff(wall.tv_sec.try_into().expect("after 1970")) <= 1);
        let (before, after) = (clock_gettime(ClockId::Monotonic), clock_gettime(ClockId::Monotonic));
        assert!((before.tv_sec, before.tv_nsec) <= (after.tv_sec, after.tv_nsec));
    }
}
