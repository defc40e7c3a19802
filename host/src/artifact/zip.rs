//! A zip archive with one file in it: what that file is.
//!
//! Files are stored or deflated; there is no password.

use std::cell::Cell;
use std::io::{self, BufRead, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::decompress::Compression;
use super::error::{Members, Reason};

/// Most bytes that are read to find out what is in an archive; some hundred thousand files have as much.
const MAX_DIRECTORY: u64 = 16 << 20;

/// An archive with one file.
#[derive(Debug)]
pub(super) struct OneFile<R>(ZipArchive<Metered<R>>);

impl<R: BufRead + Seek> OneFile<R> {
    /// Reads what is in the archive `input`.
    ///
    /// # Errors
    /// [`Reason::Damaged`]; [`Reason::NotOneFile`] for any other number of files than one, and for a directory.
    pub(super) fn open(input: R) -> Result<Self, Reason> {
        let left = Rc::new(Cell::new(MAX_DIRECTORY));
        let archive = ZipArchive::new(Metered { input, left: Rc::clone(&left) }).map_err(damaged)?;
        left.set(u64::MAX);
        let mut members = Members::new("zip archive");
        for name in archive.file_names_raw() {
            members.add(name, !name.ends_with(b"/"));
        }
        if members.is_one_file() { Ok(Self(archive)) } else { Err(Reason::NotOneFile(members)) }
    }

    /// The file, decompressed; its end is an error if its checksum is another one than it should be.
    ///
    /// # Errors
    /// [`Reason::Damaged`], also if it is compressed in another way than by deflate, or is encrypted.
    pub(super) fn file(&mut self) -> Result<impl Read + '_, Reason> {
        self.0.by_index(0).map_err(damaged)
    }
}

fn damaged(error: ZipError) -> Reason {
    let source = match error {
        ZipError::Io(source) => source,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    };
    Reason::Damaged { compression: Compression::Zip, source }
}

/// Lets only so many bytes be read.
#[derive(Debug)]
struct Metered<R> {
    input: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        match self.left.get().checked_sub(read as u64) {
            Some(left) => self.left.set(left),
            None => return Err(io::Error::new(io::ErrorKind::InvalidData, "it has too many files")),
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for Metered<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.input.seek(to)
    }
}
