//! Standard output of the commands that only print.

use std::io::{self, BufWriter, Write};

use crate::cli::message::Failure;
use crate::fault::{Class, Fault};

/// Prints to standard output; a reader that has seen enough is no error.
pub(super) fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Option<Class>, Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fault::from_error(Class::Infrastructure, "standard output", &error).into())
        }
        _ => Ok(None),
    }
}
