//! A file that is sent over a console as it is.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;
use tokio::net::UnixStream;

/// Largest file that is sent.
const MAX_FILE: u64 = 64 << 20;

/// Bytes of a file that are sent at once.
const CHUNK: usize = 256;

/// A file on its way.
pub(super) struct Sending {
    content: Vec<u8>,
    /// How much of it is sent.
    sent: usize,
}

impl Sending {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// Why it is not sent, in words.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| error.to_string();
        // To open a port may reset a board.
        if !std::fs::metadata(path).map_err(failed)?.is_file() {
            return Err("it is no file".to_owned());
        }
        // It may have become a FIFO, which would be waited for, or a device, which has no end.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(failed)?;
        if !file.metadata().map_err(failed)?.is_file() {
            return Err("it is no file".to_owned());
        }
        let mut content = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut content).map_err(failed)?;
        if content.len() as u64 > MAX_FILE {
            return Err(format!("it has more than {MAX_FILE} bytes"));
        }
        Ok(Self { content, sent: 0 })
    }

    /// Its length in bytes.
    pub(super) fn length(&self) -> usize {
        self.content.len()
    }

    /// How much of it is sent, in bytes.
    pub(super) fn sent(&self) -> usize {
        self.sent
    }

    /// Sends as much of the file as the line takes now; whether that was the last of it.
    pub(super) fn send_more(&mut self, line: &UnixStream) -> bool {
        let rest = self.content.get(self.sent..).unwrap_or_default();
        // Whoever reads the line learns that it has ended.
        if let Ok(count) = line.try_write(rest.get(..CHUNK).unwrap_or(rest)) {
            self.sent += count;
        }
        self.sent == self.content.len()
    }
}
