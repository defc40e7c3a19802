//! The generated archive: 12 000 files, 237 MB, as a Debian with SSH and systemd has.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use tar::{EntryType, Header};

/// Files in the archive, beside directories.
pub(super) const FILES: u64 = 12_000;
const FILES_IN_DIRECTORY: u64 = 20;
const BYTES: u64 = 237_000_000;
/// The generator's first state; any number but 0 will do.
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// Writes the archive: sizes from none to twice the mean, each directory with the same number of files, data that can be
/// compressed to about half.
pub(super) fn generate(path: &Path) -> io::Result<()> {
    let mut tar = tar::Builder::new(BufWriter::new(File::create(path)?));
    let header = |kind, mode, size| {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_700_000_000);
        header.set_size(size);
        header
    };
    let mut data = Data { state: SEED, left: 0 };
    let mean = BYTES / FILES;
    for number in 0..FILES {
        let directory = format!("usr/share/doc/package-{:03}/", number / FILES_IN_DIRECTORY);
        if number % FILES_IN_DIRECTORY == 0 {
            tar.append_data(&mut header(EntryType::Directory, 0o755, 0), &directory, io::empty())?;
        }
        let size = mean * 2 * (number % FILES_IN_DIRECTORY) / (FILES_IN_DIRECTORY - 1);
        let name = format!("{directory}some-file-{number:05}.so.1.2.3");
        tar.append_data(&mut header(EntryType::Regular, 0o644, size), name, (&mut data).take(size))?;
    }
    tar.into_inner()?.flush()
}

/// Words of which every other one is random: xorshift64.
struct Data {
    state: u64,
    /// Bytes of the present pair of words that are still to come.
    left: usize,
}

impl io::Read for Data {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        for byte in &mut *buffer {
            if self.left == 0 {
                self.state ^= self.state << 13;
                self.state ^= self.state >> 7;
                self.state ^= self.state << 17;
                self.left = 16;
            }
            self.left -= 1;
            *byte = if self.left < 8 { self.state.to_le_bytes()[self.left] } else { b'x' };
        }
        Ok(buffer.len())
    }
}

/// Compresses the archive beside it with `program`.
pub(super) fn compress(program: &str, archive: &Path, suffix: &str) -> io::Result<std::path::PathBuf> {
    let compressed = archive.with_extension(suffix);
    let output = File::create(&compressed)?;
    let status = Command::new(program)
        .args(["-1", "-c"])
        .arg(archive)
        .stdout(output)
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(io::Error::other(format!("{program}: {status}")));
    }
    Ok(compressed)
}
