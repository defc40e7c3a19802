//! The system calls that rustix does not have, or has at too high a price.
//!
//! One instruction per architecture and nothing else; what a call means is in `runtime`. Numbers and registers:
//! syscall(2), `asm/unistd.h`.

use rustix::io::{Errno, Result};

/// Numbers of the system calls, as `asm/unistd.h` has them.
pub(crate) mod number {
    /// `clock_gettime`, whose seconds have as many bits as a pointer.
    pub(crate) const CLOCK_GETTIME: usize = select(263, 228, 113);
    /// `clock_gettime64`, whose seconds have 64 bits; since Linux 5.1, and only where `clock_gettime`'s do not.
    #[cfg(target_arch = "arm")]
    pub(crate) const CLOCK_GETTIME64: usize = 403;
    /// `fstatat64`, which some architectures call `newfstatat`.
    pub(crate) const FSTATAT: usize = select(327, 262, 79);
    /// `ioctl`.
    pub(crate) const IOCTL: usize = select(54, 16, 29);
    /// `wait4`.
    pub(crate) const WAIT4: usize = select(114, 61, 260);

    /// The number on arm, on x86-64, and where Linux has its generic table.
    const fn select(arm: usize, x86_64: usize, generic: usize) -> usize {
        if cfg!(target_arch = "arm") {
            arm
        } else if cfg!(target_arch = "x86_64") {
            x86_64
        } else {
            generic
        }
    }
}

/// Makes a system call of at most four arguments.
///
/// # Errors
/// The errno of the kernel.
///
/// # Safety
/// The call must be one that the kernel carries out with these arguments without harm to this process's memory: every
/// pointer among them must be valid for what the call reads or writes there.
#[expect(unsafe_code, reason = "system call")]
pub(crate) unsafe fn call(number: usize, arguments: [usize; 4]) -> Result<usize> {
    // SAFETY: the caller's promise.
    let result = unsafe { trap(number, arguments) };
    // The kernel's errors are -4095 to -1.
    match i32::try_from(result) {
        Ok(negative @ -4095..=-1) => Err(Errno::from_raw_os_error(-negative)),
        _ => Ok(result as usize),
    }
}

/// The kernel's answer to a system call.
///
/// # Safety
/// As [`call`].
#[expect(unsafe_code, reason = "system call")]
unsafe fn trap(number: usize, [first, second, third, fourth]: [usize; 4]) -> isize {
    let result: isize;
    // SAFETY: the instruction enters the kernel, which changes the registers that are named here, and memory as the
    // caller has promised. In Thumb code r7 holds the frame, so it is put back; the scratch register is none of the
    // arguments', because those are inputs.
    #[cfg(target_arch = "arm")]
    unsafe {
        core::arch::asm!(
            "mov {saved}, r7",
            "mov r7, {number}",
            "svc 0",
            "mov r7, {saved}",
            number = in(reg) number,
            saved = out(reg) _,
            inlateout("r0") first => result,
            in("r1") second,
            in("r2") third,
            in("r3") fourth,
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: as above; no other register is changed.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        core::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") first => result,
            in("x1") second,
            in("x2") third,
            in("x3") fourth,
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: as above; the instruction itself leaves the return address in rcx and the flags in r11.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        core::arch::asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") first,
            in("rsi") second,
            in("rdx") third,
            in("r10") fourth,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack, preserves_flags),
        );
    }
    // SAFETY: as above; system calls do not keep vector registers, which are among those that a C function does not.
    #[cfg(target_arch = "riscv64")]
    unsafe {
        core::arch::asm!(
            "ecall",
            in("a7") number,
            inlateout("a0") first => result,
            in("a1") second,
            in("a2") third,
            in("a3") fourth,
            clobber_abi("C"),
            options(nostack),
        );
    }
    result
}
