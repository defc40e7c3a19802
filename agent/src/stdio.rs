//! Standard input, output and error, and the way out.

use heapless::Vec;
use rustix::fd::{BorrowedFd, RawFd};
use rustix::io::{Errno, Result};

use crate::runtime;

/// Returns standard input.
#[must_use]
pub const fn stdin() -> BorrowedFd<'static> {
    standard(0)
}

/// Returns standard output.
#[must_use]
pub const fn stdout() -> BorrowedFd<'static> {
    standard(1)
}

/// Returns standard error.
#[must_use]
pub const fn stderr() -> BorrowedFd<'static> {
    standard(2)
}

#[expect(unsafe_code, reason = "the three standard descriptors are borrowed for the life of the process")]
const fn standard(number: RawFd) -> BorrowedFd<'static> {
    // SAFETY: nothing in this crate owns or closes descriptors 0 to 2. Were one of them closed by the caller of the
    // program, system calls on it would fail with EBADF.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Ends the process.
pub fn exit(code: u8) -> ! {
    runtime::exit_group(code.into())
}

/// Writes pieces of text one after the other, in as few system calls as the buffer allows.
///
/// Errors are dropped: there is nobody left to tell when standard output or error is gone.
pub fn say(fd: BorrowedFd<'_>, pieces: &[&str]) {
    let mut buffer: Vec<u8, 512> = Vec::new();
    for piece in pieces {
        if buffer.extend_from_slice(piece.as_bytes()).is_err() {
            let _ = write_all(fd, &buffer);
            buffer.clear();
            if buffer.extend_from_slice(piece.as_bytes()).is_err() {
                let _ = write_all(fd, piece.as_bytes());
            }
        }
    }
    let _ = write_all(fd, &buffer);
}

/// Writes all bytes to a blocking descriptor.
///
/// # Errors
/// The errno of the write that failed; `EIO` if the descriptor takes nothing.
pub fn write_all(fd: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(fd, bytes))?;
        bytes = bytes.get(written..).filter(|_| written > 0).ok_or(Errno::IO)?;
    }
    Ok(())
}
