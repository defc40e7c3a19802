//! The `host-runner` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_env = "gnu")]
    share_one_arena();
    host_runner::cli::main()
}

/// Lets all threads allocate from the same memory. By itself glibc gives each some of its own, where what NFS has freed after
/// a burst stays for good: 3 MiB for one board that writes. What is small enough to be asked for often has a cache per
/// thread in any case.
#[cfg(target_env = "gnu")]
#[expect(unsafe_code, reason = "mallopt")]
fn share_one_arena() {
    // SAFETY: mallopt(3) takes two numbers and no pointer, and no other thread runs yet. Should it refuse, all stays as it is.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}
