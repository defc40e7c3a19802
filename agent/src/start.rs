//! The process's first instructions, where there is no C library to provide them.
//!
//! The kernel enters a program with the stack pointer at: argument count, argument pointers, null, environment
//! pointers, null, auxiliary vector (System V ABI, "Process Initialization").

use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;

use heapless::Vec;
use lava_agent::invocation::{Invocation, MAX_ARGUMENTS, MAX_VARIABLES};
use lava_agent::{EXIT_BUG, stdio};

/// Where the kernel enters: clears the frame pointer (end of the chain of frames), passes the stack pointer on as the
/// first argument, and aligns the stack as the ABI demands of a call.
#[expect(unsafe_code, reason = "the entry point has no caller and so no ABI that Rust could express")]
mod entry {
    use core::arch::global_asm;

    use super::start;

    #[cfg(target_arch = "x86_64")]
    global_asm!(
        ".globl _start",
        "_start:",
        "xor ebp, ebp",
        "mov rdi, rsp",
        "and rsp, -16",
        "call {start}",
        "ud2",
        start = sym start,
    );

    // Arm state, whatever the rest is compiled to: it is what the kernel enters an even address in.
    #[cfg(target_arch = "arm")]
    global_asm!(
        ".arm",
        ".p2align 2",
        ".globl _start",
        ".type _start, %function",
        "_start:",
        "mov r11, #0",
        "mov lr, #0",
        "mov r0, sp",
        "and r1, r0, #-8",
        "mov sp, r1",
        "bl {start}",
        "udf #0",
        start = sym start,
    );

    // The kernel enters with an aligned stack here and below.
    #[cfg(target_arch = "aarch64")]
    global_asm!(
        ".globl _start",
        ".type _start, %function",
        "_start:",
        "mov x29, xzr",
        "mov x30, xzr",
        "mov x0, sp",
        "bl {start}",
        "udf #0",
        start = sym start,
    );

    // The linker may turn an address near the data into one relative to gp, which must be set without that.
    #[cfg(target_arch = "riscv64")]
    global_asm!(
        ".globl _start",
        ".type _start, @function",
        "_start:",
        ".option push",
        ".option norelax",
        "lla gp, __global_pointer$",
        ".option pop",
        "mv fp, zero",
        "mv ra, zero",
        "mv a0, sp",
        "call {start}",
        "unimp",
        start = sym start,
    );
}

/// Builds the argument and environment lists from the entry stack and runs the agent.
#[expect(unsafe_code, reason = "reads the entry stack, whose layout the kernel guarantees")]
unsafe extern "C" fn start(stack: *const usize) -> ! {
    let mut arguments: Vec<&CStr, MAX_ARGUMENTS> = Vec::new();
    let mut variables: Vec<&CStr, MAX_VARIABLES> = Vec::new();
    // SAFETY: `stack` is the stack pointer at process entry: a word with the argument count, that many pointers to
    // NUL-terminated strings, null, pointers to NUL-terminated strings, null. All of it stays mapped and unchanged
    // while the process lives, so `'static` holds.
    let cut = unsafe {
        let count = *stack;
        let first = stack.add(1).cast::<*const c_char>();
        for index in 0..count.min(MAX_ARGUMENTS) {
            let _ = arguments.push(CStr::from_ptr(*first.add(index)));
        }
        let mut variable = first.add(count + 1);
        while !(*variable).is_null() && variables.push(CStr::from_ptr(*variable)).is_ok() {
            variable = variable.add(1);
        }
        count > MAX_ARGUMENTS
    };
    let invocation = Invocation { arguments: &arguments, variables: &variables, cut };
    stdio::exit(lava_agent::run(&invocation))
}

/// Reports a bug.
///
/// Not where it is: what knows of places and reasons brings `core::fmt` along, a twelfth of the program. The same error
/// in the build for the bench PC says all that.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    stdio::say(stdio::stderr(), &["lava-agent: internal error\n"]);
    stdio::exit(EXIT_BUG)
}

/// Stands in for the unwinder that the unwind tables of Arm objects name; nothing is ever unwound.
#[cfg(target_arch = "arm")]
#[expect(unsafe_code, reason = "the linker looks for these names")]
mod unwind {
    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_unwind_cpp_pr0() {}

    #[unsafe(no_mangle)]
    extern "C" fn __aeabi_unwind_cpp_pr1() {}

    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}
}
