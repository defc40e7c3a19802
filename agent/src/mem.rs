//! The memory functions that compiled code calls and a C library would bring.
//!
//! Each loop holds an empty assembly block: without it the compiler recognises the loop as the very function it is
//! in and calls itself.
#![expect(unsafe_code, reason = "the C interface of these functions is raw pointers")]

use core::arch::asm;

/// Hides the loop it stands in from the compiler's idiom recognition; must not promise `nomem`.
macro_rules! opaque {
    () => {
        // SAFETY: no instruction.
        unsafe { asm!("", options(nostack, preserves_flags)) }
    };
}

/// C's `memcpy`.
///
/// # Safety
/// As in C: `length` bytes readable at `from` and writable at `to`, not overlapping.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    let mut at = 0;
    while at < length {
        opaque!();
        // SAFETY: `at < length`, and the caller vouches for `length` bytes.
        unsafe { *to.add(at) = *from.add(at) };
        at += 1;
    }
    to
}

/// C's `memmove`.
///
/// # Safety
/// As in C: `length` bytes readable at `from` and writable at `to`; they may overlap.
#[unsafe(no_mangle)]
unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    if to.addr() <= from.addr() {
        // SAFETY: the caller's promise; going up never overwrites a byte that is still to be read.
        return unsafe { memcpy(to, from, length) };
    }
    let mut at = length;
    while at > 0 {
        opaque!();
        at -= 1;
        // SAFETY: `at < length`, and the caller vouches for `length` bytes.
        unsafe { *to.add(at) = *from.add(at) };
    }
    to
}

/// C's `memset`.
///
/// # Safety
/// As in C: `length` bytes writable at `to`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memset(to: *mut u8, byte: i32, length: usize) -> *mut u8 {
    let mut at = 0;
    while at < length {
        opaque!();
        // SAFETY: `at < length`, and the caller vouches for `length` bytes. C takes the low byte.
        unsafe { *to.add(at) = byte as u8 };
        at += 1;
    }
    to
}

/// C's `memcmp`.
///
/// # Safety
/// As in C: `length` bytes readable at `left` and at `right`.
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    let mut at = 0;
    while at < length {
        opaque!();
        // SAFETY: `at < length`, and the caller vouches for `length` bytes.
        let (one, other) = unsafe { (*left.add(at), *right.add(at)) };
        if one != other {
            return i32::from(one) - i32::from(other);
        }
        at += 1;
    }
    0
}

/// BSD's `bcmp`: zero if equal.
///
/// # Safety
/// As [`memcmp`].
#[unsafe(no_mangle)]
unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    // SAFETY: the caller's promise is the same.
    unsafe { memcmp(left, right, length) }
}

/// C's `strlen`.
///
/// # Safety
/// As in C: `text` ends with a NUL.
#[unsafe(no_mangle)]
unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut length = 0;
    // SAFETY: no byte behind the NUL is read.
    while unsafe { *text.add(length) } != 0 {
        opaque!();
        length += 1;
    }
    length
}
