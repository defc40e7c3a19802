//! Why a file could not be uploaded.

use super::pieces::{MAX_PIECES, MAX_REPEATS};
use super::{Checksum, Decoder};
use crate::dialog::Expired;
use crate::dialog::expired::LastOutput;

/// Why a file could not be uploaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UploadError {
    /// Something did not come in time.
    #[error("{0}")]
    Expired(Expired),
    /// There is nothing on the target that makes bytes of text.
    #[error(
        "the target's shell has nothing that decodes an upload: none of {} works; {}",
        names(&Decoder::ALL),
        LastOutput(last_output)
    )]
    NoDecoder {
        /// The board's last lines.
        last_output: String,
    },
    /// No directory is writable, has room and lets programs run.
    #[error(
        "the target has no place for {} KiB that can be written and executed from (tried {}); {}",
        room_kib,
        directories.join(", "),
        LastOutput(last_output)
    )]
    NoRoom {
        /// What was tried.
        directories: Vec<String>,
        /// The room that is needed.
        room_kib: usize,
        /// The board's last lines.
        last_output: String,
    },
    /// The file is too large for a console.
    #[error(
        "{length} bytes are too many to upload over a console: they would be more than {MAX_PIECES} pieces"
    )]
    TooLarge {
        /// The file's.
        length: usize,
    },
    /// A piece comes damaged again and again.
    #[error(
        "piece {number} of {count} came damaged {} times: the line loses characters; {}",
        MAX_REPEATS + 1,
        LastOutput(last_output)
    )]
    Damaged {
        /// Number of the piece, from 1.
        number: usize,
        /// How many there are.
        count: usize,
        /// The board's last lines.
        last_output: String,
    },
    /// The pieces do not make the file.
    #[error(
        "the uploaded file is not the one that was sent: by {checksum} it is `{got}` and should be `{expected}` (decoded by {decoder}); {}",
        LastOutput(last_output)
    )]
    Different {
        /// What put it together.
        decoder: Decoder,
        /// What was asked about it.
        checksum: Checksum,
        /// What the target should have said.
        expected: String,
        /// What it said.
        got: String,
        /// The board's last lines.
        last_output: String,
    },
    /// A command failed that must not.
    #[error("the target's shell could not {what} (status {status}); {}", LastOutput(last_output))]
    Failed {
        /// What it was to do.
        what: &'static str,
        /// Exit status.
        status: String,
        /// The board's last lines.
        last_output: String,
    },
}

fn names(decoders: &[Decoder]) -> String {
    decoders.iter().map(Decoder::to_string).collect::<Vec<_>>().join(", ")
}
