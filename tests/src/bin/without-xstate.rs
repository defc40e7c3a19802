//! Runs a program from which ptrace(2) keeps the extended state of processors (XSAVE).
//!
//! User-mode Linux 6.1 has room for no more than AVX-512. Where a processor has more, as with AMX, the host's kernel refuses
//! what it hands back, and its first process dies. Without that state it uses the older calls, which know SSE at most.
#![expect(clippy::print_stderr, reason = "a program of its own")]

use std::error::Error;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// ptrace(2), `linux/ptrace.h`.
const PTRACE_GETREGSET: u64 = 0x4204;
/// The set of registers, `linux/elf.h`.
const NT_X86_XSTATE: u64 = 0x202;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let Some(program) = arguments.next() else {
        eprintln!("usage: without-xstate PROGRAM [ARGUMENT]…");
        return ExitCode::from(2);
    };
    if let Err(error) = keep_away() {
        eprintln!("without-xstate: {error}");
        return ExitCode::FAILURE;
    }
    let error = Command::new(&program).args(arguments).exec();
    eprintln!("without-xstate: {}: {error}", program.display());
    ExitCode::FAILURE
}

/// Has that one call fail from now on, for this process and all of its children.
fn keep_away() -> Result<(), Box<dyn Error>> {
    let is =
        |argument, value| SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, value);
    let rule = SeccompRule::new(vec![is(0, PTRACE_GETREGSET)?, is(2, NT_X86_XSTATE)?])?;
    let no_device = SeccompAction::Errno(libc::ENODEV.unsigned_abs());
    let rules = [(libc::SYS_ptrace, vec![rule])].into_iter().collect();
    let arch = std::env::consts::ARCH.try_into()?;
    let filter: BpfProgram = SeccompFilter::new(rules, SeccompAction::Allow, no_device, arch)?.try_into()?;
    Ok(apply_filter(&filter)?)
}
