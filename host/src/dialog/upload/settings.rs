//! What an upload is given, and what it yields.

use std::time::Duration;

use super::{Checksum, Decoder};

/// Told of bytes of the file that have arrived, and of all.
pub type OnProgress = Box<dyn FnMut(u64, u64) + Send>;

/// What is uploaded, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadSettings {
    /// Directories of the target, best first; they are made. Their paths need no quotes in a shell.
    pub directories: Vec<String>,
    /// Path of the file, relative to the directory.
    pub file: String,
    /// What is in it.
    pub content: Vec<u8>,
    /// What the line carries, if that is known.
    pub bytes_per_s: Option<u32>,
    /// Marks answers of this upload: of no other on the same console.
    pub nonce: u32,
}

/// A file that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// The one of the directories that it is in.
    pub directory: String,
    /// What has decoded it.
    pub decoder: Decoder,
    /// What has unpacked it, if it was sent packed.
    pub unpacker: Option<&'static str>,
    /// What has proved it.
    pub checksum: Checksum,
    /// Its length in bytes.
    pub length: usize,
    /// Characters of its text, each piece counted once.
    pub sent: usize,
    /// How often a piece was sent again.
    pub repeated: u32,
    /// From the first question to the last answer.
    pub took: Duration,
}
