//! A tar of many small files, as of sources or a package.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use crate::numbers::Numbers;

/// Number of its files.
pub const FILES: usize = 2000;
/// Number of its directories.
const DIRECTORIES: usize = 50;
/// Bytes of all files together, nearly.
const BYTES: usize = 21_000_000;

/// Sizes of files in turn, in quarters of the mean.
const QUARTERS: [usize; 4] = [1, 2, 4, 9];

/// Writes it: the same bytes each time, none like another file's.
///
/// # Errors
/// Those of the file.
pub fn write(path: &Path) -> io::Result<()> {
    let mut builder = tar::Builder::new(BufWriter::new(File::create(path)?));
    for directory in 0..DIRECTORIES {
        let mut header = header(0o755);
        header.set_entry_type(tar::EntryType::Directory);
        builder.append_data(&mut header, format!("directory-{directory}"), io::empty())?;
    }
    let mut numbers = Numbers(1);
    for file in 0..FILES {
        let size = BYTES / FILES * QUARTERS[file % QUARTERS.len()] / 4;
        let mut data = Vec::with_capacity(size + 8);
        while data.len() < size {
            data.extend_from_slice(&numbers.following().to_be_bytes());
        }
        data.truncate(size);
        let mut header = header(if file % 7 == 0 { 0o755 } else { 0o644 });
        header.set_size(size as u64);
        let place = format!("directory-{}/file-{file}", file % DIRECTORIES);
        builder.append_data(&mut header, place, data.as_slice())?;
    }
    builder.into_inner()?.into_inner()?;
    Ok(())
}

fn header(mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_700_000_000);
    header
}
