//! Text of one file, read within bounds, and places in it.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// One file's name and text.
#[derive(Clone, Debug)]
pub struct Source {
    /// The name shown to the user, usually the path as it was given.
    pub name: String,
    /// The text.
    pub text: Arc<str>,
    /// Where its lines begin, once it was asked for a place.
    lines: Arc<OnceLock<Vec<usize>>>,
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.text) == (&other.name, &other.text)
    }
}

impl Eq for Source {}

/// A place in a [`Source`], in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub offset: usize,
    /// Number of bytes.
    pub len: usize,
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system refused.
    #[error("cannot read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error("`{}` is larger than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is not text.
    #[error("`{}` is not UTF-8 text (line {line}, byte {offset} of the file)", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The line of the first byte that is not UTF-8, from 1.
        line: usize,
        /// That byte, from 0.
        offset: usize,
    },
}

impl Source {
    /// A source whose text is at hand.
    pub fn new(name: impl Into<String>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), lines: Arc::default() }
    }

    /// Reads `path`, at most [`MAX_FILE_BYTES`].
    ///
    /// # Errors
    /// The file cannot be read, is too large, or is not UTF-8.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let file = File::open(path).map_err(|source| ReadError::Io { path: path.to_owned(), source })?;
        Self::read_from(path, file)
    }

    /// Reads what an argument names: a file as [`Self::read`] does, or standard input for `-`.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn read_argument(argument: &Path) -> Result<Self, ReadError> {
        match argument.as_os_str() == "-" {
            true => Self::read_from(Path::new("standard input"), io::stdin().lock()),
            false => Self::read(argument),
        }
    }

    /// Reads `file`, of the name `path`, as [`Self::read`] does.
    ///
    /// # Errors
    /// As for [`Self::read`].
    pub fn read_from(path: &Path, file: impl Read) -> Result<Self, ReadError> {
        let io_error = |source| ReadError::Io { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(io_error)?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(ReadError::TooLarge { path: path.to_owned() });
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let offset = error.utf8_error().valid_up_to();
            let line = error.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1;
            ReadError::NotText { path: path.to_owned(), line, offset }
        })?;
        Ok(Self::new(path.display().to_string(), text))
    }

    /// Line and column of `span`'s start, both from 1; columns count characters.
    pub fn line_column(&self, span: Span) -> (usize, usize) {
        let mut end = span.offset.min(self.text.len());
        while !self.text.is_char_boundary(end) {
            end -= 1;
        }
        let lines = self.lines.get_or_init(|| {
            let ends = self.text.match_indices('\n').map(|(index, _)| index + 1);
            std::iter::once(0).chain(ends).collect()
        });
        let line = lines.partition_point(|start| *start <= end);
        let start = line.checked_sub(1).and_then(|index| lines.get(index)).copied().unwrap_or_default();
        let column = self.text.get(start..end).unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// `file:line:column` of `span`.
    pub fn place(&self, span: Span) -> String {
        let (line, column) = self.line_column(span);
        format!("{}:{line}:{column}", self.name)
    }
}
