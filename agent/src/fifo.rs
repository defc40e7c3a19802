//! The line as two FIFOs in the agent's directory: whoever carries their bytes may go and come again.
//!
//! ```text
//!   runner ══ SSH ══ cat > line.in ──▶ agent ──▶ cat line.out ══ SSH ══ runner
//! ```
//!
//! A channel of SSH ends with its connection, and what runs on it with the channel. So the agent does not run on it, but in the
//! background, and opens both FIFOs to read and to write: they have no end, and what nobody reads waits.

use protocol::fifo::{FIFO_INPUT, FIFO_OUTPUT};
use rustix::fd::AsFd;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Result;

use crate::program;
use crate::receive_file::joined;
use crate::runtime::{self, Forked};
use crate::{stdio, text_file};

/// Makes the FIFOs standard input and output, and goes on in a process and session of its own; the process that was called
/// ends.
///
/// # Errors
/// The errno of the system call that failed.
pub(crate) fn enter(directory: &str) -> Result<()> {
    let open = |name| {
        let path = joined(directory, name)?;
        text_file::remove(path.as_c_str())?;
        rustix::fs::mknodat(CWD, path.as_c_str(), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        rustix::fs::openat(
            CWD,
            path.as_c_str(),
            OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC,
            Mode::empty(),
        )
    };
    let (input, output) = (open(FIFO_INPUT)?, open(FIFO_OUTPUT)?);
    let null = rustix::fs::openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?;
    if let Forked::Parent(_) = runtime::fork()? {
        stdio::exit(0);
    }
    rustix::process::setsid()?;
    // Whoever called waits for the end of all that has these.
    program::redirect(input.as_fd(), output.as_fd(), null.as_fd())
}
