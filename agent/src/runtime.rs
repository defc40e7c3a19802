//! What a C library does for other programs: fork, exec, signal dispositions, exit.
//!
//! rustix hides these functions behind a name that changes between its releases, to keep programs that have a libc
//! away from them. This one has none; here is the only place that knows the name.

use core::ffi::CStr;
use core::ptr;

use heapless::Vec;
use rustix::fd::RawFd;
use rustix::io::{Errno, Result};
use rustix::process::{Pid, Signal};
use rustix::runtime_448b8ad740e2a26f as raw;
#[cfg(target_arch = "arm")]
use rustix::time::{ClockId, Timespec};

use crate::invocation::{MAX_ARGUMENTS, MAX_VARIABLES};

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
    const HIGHEST: RawFd = 64;

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

/// Reads a clock by system call.
///
/// rustix's own way goes through the vDSO, whose parser and its assertions take up a tenth of this program.
#[cfg(target_arch = "arm")]
#[expect(unsafe_code, reason = "system call")]
pub(crate) fn clock_gettime(id: ClockId) -> Timespec {
    /// `clock_gettime64`, since Linux 5.1.
    const NUMBER_64: i32 = 403;
    /// `clock_gettime`, whose seconds have 32 bits.
    const NUMBER_32: i32 = 263;

    fn call(number: i32, id: ClockId, time: *mut i64) -> i32 {
        let result;
        // SAFETY: the kernel writes at most two 64-bit words to `time`, which points to as many. The number goes into r7
        // and r7 is put back, because in Thumb code it holds the frame.
        unsafe {
            core::arch::asm!(
                "mov {saved}, r7",
                "mov r7, {number}",
                "svc 0",
                "mov r7, {saved}",
                number = in(reg) number,
                saved = out(reg) _,
                inlateout("r0") id as i32 => result,
                in("r1") time,
                options(nostack, preserves_flags),
            );
        }
        result
    }

    let mut time = [0_i64; 2];
    if call(NUMBER_64, id, time.as_mut_ptr()) == 0 {
        let [tv_sec, tv_nsec] = time;
        return Timespec { tv_sec, tv_nsec };
    }
    let _ = call(NUMBER_32, id, time.as_mut_ptr());
    // Two 32-bit words, little-endian as the target: seconds, nanoseconds.
    let [both, _] = time;
    Timespec { tv_sec: i64::from(both as i32), tv_nsec: both >> 32 }
}
