//! The only file of a tar: `archive: tar` of a kernel, a device tree and the like.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use super::cache::Cache;
use super::derive::{DeriveError, Derived, Recipe};
use super::error::Members;
use super::fetch::Artifact;
use crate::fault::Class;
use crate::rootfs::source::Proceed;
use crate::rootfs::{FsError, Ino, Kind, Lower, RootfsError};

/// Bytes that are copied at a time.
const CHUNK: u64 = 256 << 10;

/// Why a tar does not yield a file.
#[derive(Debug, thiserror::Error)]
pub enum TarFileError {
    /// It is no tar, or is damaged.
    #[error(transparent)]
    Tar(#[from] RootfsError),
    /// It has no regular file, or several.
    #[error("it has to be one file, but the {0}")]
    NotOneFile(Members),
    /// Its file cannot be read.
    #[error("cannot read {} in the tar", path.display())]
    Read {
        /// The path in the tar.
        path: PathBuf,
        /// Why not.
        #[source]
        source: FsError,
    },
    /// Its file cannot be written.
    #[error("cannot write the file of the tar")]
    Write(#[from] io::Error),
}

impl TarFileError {
    /// Says whose fault it is: the tar is not what the job says.
    pub const fn class(&self) -> Class {
        Class::Infrastructure
    }
}

impl Cache {
    /// Takes the only regular file out of `tar`, which is not compressed; directories and links beside it do not count. What was
    /// taken before from a tar with this content is found again. `progress` and `deadline` are as for
    /// [`derive`](Self::derive).
    ///
    /// # Errors
    /// [`DeriveError`]; of the tar's, [`TarFileError::NotOneFile`] names the files.
    pub async fn only_file(
        &self,
        tar: Artifact,
        deadline: Instant,
        progress: impl Fn(u64, Option<u64>) + Send + 'static,
    ) -> Result<Derived, DeriveError<TarFileError>> {
        self.derive(move |proceed| OnlyFile::find(tar, proceed), deadline, progress).await
    }
}

/// A tar and the file in it.
#[derive(Debug)]
struct OnlyFile {
    /// Holds the tar in the cache meanwhile.
    tar: Artifact,
    lower: Lower,
    path: PathBuf,
    ino: Ino,
    size: u64,
}

impl OnlyFile {
    fn find(tar: Artifact, proceed: Proceed<'_>) -> Result<Self, TarFileError> {
        let lower = Lower::from_tar(&tar.path)?;
        let mut members = Members::new("tar");
        let mut found = None;
        let mut left = vec![(Ino::ROOT, String::new())];
        while let Some((directory, path)) = left.pop() {
            proceed()?;
            let failed = |source| TarFileError::Read { path: PathBuf::from(&path), source };
            for (_, name, ino) in lower.list(directory, 0).map_err(failed)? {
                let attributes = lower.attributes_of(ino).ok_or(FsError::Stale).map_err(failed)?;
                let name = String::from_utf8_lossy(name);
                let path = if path.is_empty() { name.into_owned() } else { format!("{path}/{name}") };
                match attributes.kind {
                    Kind::Directory => left.push((ino, path)),
                    Kind::Regular => {
                        members.add(path.as_bytes(), true);
                        found = Some((path, ino, attributes.size));
                    }
                    _ => {}
                }
            }
        }
        match found {
            Some((path, ino, size)) if members.is_one_file() => {
                Ok(Self { tar, lower, path: path.into(), ino, size })
            }
            _ => Err(TarFileError::NotOneFile(members)),
        }
    }
}

impl Recipe for OnlyFile {
    type Error = TarFileError;
    const KIND: &'static str = "tarfile";

    fn key(&self) -> String {
        self.tar.sha256.clone()
    }

    fn total(&self) -> Option<u64> {
        Some(self.size)
    }

    fn make(&self, out: &mut dyn Write, proceed: Proceed<'_>) -> Result<Vec<String>, TarFileError> {
        let mut buffer = vec![0; CHUNK.min(self.size) as usize];
        let mut at = 0;
        while at < self.size {
            proceed()?;
            let count = CHUNK.min(self.size - at);
            let (chunk, _) = buffer.split_at_mut(count as usize);
            let read = self.lower.read(self.ino, at, chunk);
            read.map_err(|source| TarFileError::Read { path: self.path.clone(), source })?;
            out.write_all(chunk)?;
            at += count;
        }
        Ok(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::artifact::{Mirrors, Request};
    use crate::rootfs::testing::TarBuilder;

    async fn only_file(cache: &Cache, tar: TarBuilder) -> Result<Derived, String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let file = cache.tmp().join("../the.tar");
        fs::write(&file, tar.bytes()).unwrap();
        let request = Request { url: file.to_str().unwrap().to_owned(), ..Request::default() };
        let tar = cache.fetch(&request, &Mirrors::default(), deadline, |_, _| ()).await.unwrap();
        cache.only_file(tar, deadline, |_, _| ()).await.map_err(|error| match error {
            DeriveError::Recipe(error) => error.to_string(),
            DeriveError::Cache(reason) => panic!("{reason}"),
        })
    }

    #[tokio::test]
    async fn the_only_file_is_taken_out_once() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        let content = vec![7; 3 * CHUNK as usize / 2];
        let tar = || {
            TarBuilder::new()
                .dir("boot", 0o755)
                .file("boot/zImage", &content)
                .symlink("vmlinuz", "boot/zImage")
        };
        let first = only_file(&cache, tar()).await.unwrap().artifact;
        assert!(fs::read(&first.path).unwrap() == content);
        assert!(!first.from_cache);
        let second = only_file(&cache, tar()).await.unwrap().artifact;
        assert!(second.from_cache && second.path == first.path);
        let empty = only_file(&cache, TarBuilder::new().file("empty", b"")).await.unwrap().artifact;
        assert_eq!(empty.size, 0);
    }

    #[tokio::test]
    async fn no_file_and_several_are_errors_that_name_them() {
        let directory = tempfile::tempdir().unwrap();
        let cache = Cache::open(directory.path()).unwrap();
        let none = TarBuilder::new().dir("boot", 0o755);
        let error = only_file(&cache, none).await.unwrap_err();
        assert_eq!(error, "it has to be one file, but the tar has none");
        let two = TarBuilder::new().file("boot/zImage", b"1").file("board.dtb", b"2");
        let error = only_file(&cache, two).await.unwrap_err();
        assert_eq!(error, "it has to be one file, but the tar has 2: `board.dtb`, `boot/zImage`");
        let error = only_file(&cache, TarBuilder::new()).await.unwrap_err();
        assert!(error.contains("holds no files"), "{error}");
    }
}
