//! From a job's URL to a file of the cache.

use std::fs::{self, File, Metadata};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::cache::{Blob, Cache};
use super::checksum::{Checksums, Digests, Hasher, name_of};
use super::copy::{BUFFER, Budget, CopyError, Progress, copy};
use super::decompress::{Compression, DecompressError, decompress};
use super::error::{ArtifactError, Reason};
use super::headers::Headers;
use super::http::{Download, Source, Validators, download};
use super::mirror::Mirrors;
use super::scp;
use super::url::{Location, Remote, without_secrets};

/// How often a local file is copied that changes meanwhile.
const COPIES: u32 = 2;

/// What a job says about an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The URL, as in the job.
    pub url: String,
    /// How the file is compressed; it is undone.
    pub compression: Option<Compression>,
    /// Checksums of the file as it is downloaded.
    pub checksums: Checksums,
    /// Headers that a server is sent, for HTTP.
    pub headers: Headers,
    /// Whether it comes from `url` itself, past mirrors and what the cache has of it.
    pub is_fresh: bool,
    /// A configuration of OpenSSH's client for `scp`, instead of the user's.
    pub ssh_config: Option<PathBuf>,
}

/// A file of the cache; it stays there at least as long as this lives.
#[derive(Debug)]
pub struct Artifact {
    /// The file, decompressed. It must not be written to.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in lower-case hexadecimal digits.
    pub sha256: String,
    /// Whether nothing had to be downloaded, read or decompressed.
    pub from_cache: bool,
    _lock: File,
}

impl Artifact {
    pub(super) fn new(blob: Blob, sha256: String, from_cache: bool) -> Self {
        Self { path: blob.path, size: blob.size, sha256, from_cache, _lock: blob.file }
    }
}

/// Which file a URL or path led to, and how to see whether it has changed.
#[derive(Debug, Serialize, Deserialize)]
struct Origin {
    /// For people who look into the cache; records of earlier releases have none.
    #[serde(default)]
    url: Option<String>,
    version: Version,
    size: u64,
    #[serde(flatten)]
    digests: Digests,
}

/// The version of a file at its origin.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Version {
    Http(Validators),
    /// Not known: there is nothing to ask but for the file.
    Scp,
    File {
        size: u64,
        modified: (i64, i64),
        changed: (i64, i64),
        inode: u64,
        device: u64,
    },
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self::File {
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            // What `cp --preserve` and `touch --date` cannot set back.
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
        }
    }
}

/// What a compressed file decompresses to.
#[derive(Debug, Serialize, Deserialize)]
struct Unpacked {
    sha256: String,
    size: u64,
}

/// A file as it is at its origin, in the cache.
struct Original {
    blob: Blob,
    digests: Digests,
    from_cache: bool,
}

impl Cache {
    /// Gets an artifact: from the cache if its origin has not changed, else from there.
    ///
    /// The mirror rules decide where from. `progress` is called at most five times a second with the bytes that
    /// were downloaded or decompressed, and their total if it is known. Ends by `deadline`; dropping the future
    /// stops the download.
    ///
    /// # Errors
    /// [`ArtifactError`] says which URL and why.
    pub async fn fetch(
        &self,
        request: &Request,
        mirrors: &Mirrors,
        deadline: Instant,
        progress: impl Fn(u64, Option<u64>) + Send + 'static,
    ) -> Result<Artifact, ArtifactError> {
        let url = request.url.clone();
        let source = if request.is_fresh { url.clone() } else { mirrors.rewrite(&url).into_owned() };
        let mirrored = (source != url).then(|| source.clone());
        let budget = Budget::new(deadline);
        let _cancel = budget.cancel_on_drop();
        let (cache, request) = (self.clone(), request.clone());
        let work = move || {
            Fetch { cache: &cache, request: &request, budget: &budget, progress: &progress }.run(&source)
        };
        on_thread(work).await.map_err(|reason| ArtifactError { url, mirrored, reason })
    }
}

/// Runs `work` on a thread of its own. The runtime waits for its own blocking threads when it ends: a server
/// that is silent would hold up a run that is cancelled.
pub(super) async fn on_thread<T: Send + 'static, E: From<Reason> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let work = move || {
        // Nobody listens any more if the fetch was dropped.
        let _ = sender.send(work());
    };
    std::thread::Builder::new().name("fetch".to_owned()).spawn(work).map_err(Reason::Thread)?;
    receiver.await.unwrap_or_else(|_| Err(Reason::Panicked.into()))
}

/// One fetch, on a thread that may block.
struct Fetch<'a> {
    cache: &'a Cache,
    request: &'a Request,
    budget: &'a Budget,
    progress: Progress<'a>,
}

impl Fetch<'_> {
    fn run(&self, source: &str) -> Result<Artifact, Reason> {
        self.request.checksums.check()?;
        let location = Location::parse(source).ok_or(Reason::UnsupportedUrl)?;
        let known = if self.request.is_fresh { None } else { self.known_by_checksum() };
        let original = match known {
            Some(original) => original,
            None => self.original(source, &location)?,
        };
        match self.request.compression {
            None => Ok(Artifact::new(original.blob, original.digests.sha256, original.from_cache)),
            Some(compression) => self.unpack(original, compression),
        }
    }

    /// A job that demands a SHA-256 needs no origin if that very file is there.
    fn known_by_checksum(&self) -> Option<Original> {
        let checksums = &self.request.checksums;
        let digests = Digests { sha256: checksums.sha256()?, md5: None, sha512: None };
        if !digests.cover(checksums) {
            return None;
        }
        let blob = self.cache.blob(&digests.sha256, None)?;
        Some(Original { blob, digests, from_cache: true })
    }

    fn original(&self, source: &str, location: &Location) -> Result<Original, Reason> {
        let key = name_of(source);
        let _lock = self.cache.lock(&format!("origin-{key}"), self.budget)?;
        let known = if self.request.is_fresh { None } else { self.known(&key)? };
        let original = match location {
            Location::File(path) => self.local(path, source, known)?,
            Location::Http(url) => self.remote(url, source, known)?,
            Location::Scp(remote) => self.over_ssh(remote, source)?,
        };
        self.request.checksums.verify(&original.digests)?;
        Ok(original)
    }

    /// Finds what the origin led to before, with all the digests that are needed now.
    fn known(&self, key: &str) -> Result<Option<(Version, Original)>, Reason> {
        let Some(mut origin) = self.cache.record::<Origin>("origin", key) else { return Ok(None) };
        let Some(mut blob) = self.cache.blob(&origin.digests.sha256, Some(origin.size)) else {
            return Ok(None);
        };
        if !origin.digests.cover(&self.request.checksums) {
            let computed = self.digest(&mut blob)?;
            if computed.sha256 == origin.digests.sha256 {
                origin.digests = computed.or(origin.digests);
                self.cache.set_record("origin", key, &origin)?;
            } else {
                // The file is damaged: what it is now is for the job's checksums, and not for the record.
                origin.digests = computed;
            }
        }
        let original = Original { blob, digests: origin.digests, from_cache: true };
        Ok(Some((origin.version, original)))
    }

    fn digest(&self, blob: &mut Blob) -> Result<Digests, Reason> {
        let mut hasher = Hasher::new(&self.request.checksums);
        let mut sink = HashWriter(&mut hasher);
        copy(&mut blob.file, &mut sink, u64::MAX, self.budget, Some(blob.size), &|_, _| ()).map_err(
            |error| match error {
                CopyError::Budget(reason) => reason,
                CopyError::Read { source, .. } | CopyError::Write(source) => {
                    Reason::Cache { path: blob.path.clone(), source }
                }
                CopyError::TooLarge => Reason::TooLarge { limit: u64::MAX },
            },
        )?;
        Ok(hasher.finish())
    }

    fn local(
        &self,
        path: &Path,
        source: &str,
        known: Option<(Version, Original)>,
    ) -> Result<Original, Reason> {
        let failed = |source| Reason::Local { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(failed)?;
        if !metadata.is_file() {
            return Err(Reason::NotAFile(path.to_owned()));
        }
        if let Some((version, original)) = known
            && version == Version::of(&metadata)
        {
            return Ok(original);
        }
        for _ in 0..COPIES {
            if let Some(original) = self.copy_local(path, source)? {
                return Ok(original);
            }
        }
        Err(Reason::Changing { path: path.to_owned(), copies: COPIES })
    }

    /// Copies a local file into the cache; `None` if it changed meanwhile, so that the copy may be of no version at all.
    fn copy_local(&self, path: &Path, source: &str) -> Result<Option<Original>, Reason> {
        let failed = |source| Reason::Local { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let version = Version::of(&metadata);
        let mut writer = self.cache.writer(&self.request.checksums)?;
        let limit = self.cache.max_size;
        copy(&mut file, &mut writer, limit, self.budget, Some(metadata.len()), self.progress).map_err(
            |error| match error {
                CopyError::Read { source, .. } => failed(source),
                CopyError::Write(source) => Reason::Cache { path: writer.path().to_owned(), source },
                CopyError::TooLarge => Reason::TooLarge { limit },
                CopyError::Budget(reason) => reason,
            },
        )?;
        if Version::of(&file.metadata().map_err(failed)?) != version {
            return Ok(None);
        }
        let (blob, digests) = self.cache.keep(writer)?;
        self.remember(source, version, &blob, &digests)?;
        Ok(Some(Original { blob, digests, from_cache: false }))
    }

    fn remote(
        &self,
        url: &str,
        source: &str,
        known: Option<(Version, Original)>,
    ) -> Result<Original, Reason> {
        let (validators, original) = match known {
            Some((Version::Http(validators), original)) => (Some(validators), Some(original)),
            _ => (None, None),
        };
        let checksums = &self.request.checksums;
        let from = Source { url, headers: &self.request.headers, known: validators.as_ref() };
        match download(self.cache, &from, checksums, self.budget, self.progress)? {
            Some(Download { writer, validators }) => {
                let (blob, digests) = self.cache.keep(writer)?;
                self.remember(source, Version::Http(validators), &blob, &digests)?;
                Ok(Original { blob, digests, from_cache: false })
            }
            None => {
                original.ok_or_else(|| Reason::Status { status: "304 to an unconditional request".into() })
            }
        }
    }

    fn over_ssh(&self, remote: &Remote, source: &str) -> Result<Original, Reason> {
        let (config, checksums) = (self.request.ssh_config.as_deref(), &self.request.checksums);
        let writer = self.cache.retry.run(self.budget, || {
            scp::download(self.cache, remote, config, checksums, self.budget, self.progress)
        })?;
        let (blob, digests) = self.cache.keep(writer)?;
        self.remember(source, Version::Scp, &blob, &digests)?;
        Ok(Original { blob, digests, from_cache: false })
    }

    fn remember(&self, source: &str, version: Version, blob: &Blob, digests: &Digests) -> Result<(), Reason> {
        let url = Some(without_secrets(source));
        let origin = Origin { url, version, size: blob.size, digests: digests.clone() };
        self.cache.set_record("origin", &name_of(source), &origin)
    }

    fn unpack(&self, original: Original, compression: Compression) -> Result<Artifact, Reason> {
        let key = format!("{}-{}", compression.name(), original.digests.sha256);
        let _lock = self.cache.lock(&format!("unpacked-{key}"), self.budget)?;
        if let Some(unpacked) = self.cache.record::<Unpacked>("unpacked", &key)
            && let Some(blob) = self.cache.blob(&unpacked.sha256, Some(unpacked.size))
        {
            return Ok(Artifact::new(blob, unpacked.sha256, original.from_cache));
        }
        let input = File::open(&original.blob.path)
            .map_err(|source| Reason::Cache { path: original.blob.path.clone(), source })?;
        let mut writer = self.cache.writer(&Checksums::default())?;
        let limit = self.cache.max_size;
        decompress(
            BufReader::with_capacity(BUFFER, input),
            &mut writer,
            compression,
            limit,
            self.budget,
            self.progress,
        )
        .map_err(|error| match error {
            DecompressError::Reason(reason) => reason,
            DecompressError::Output(source) => Reason::Cache { path: writer.path().to_owned(), source },
        })?;
        let (blob, digests) = self.cache.keep(writer)?;
        let unpacked = Unpacked { sha256: digests.sha256.clone(), size: blob.size };
        self.cache.set_record("unpacked", &key, &unpacked)?;
        Ok(Artifact::new(blob, digests.sha256, false))
    }
}

/// Hashes what is written to it.
struct HashWriter<'a>(&'a mut Hasher);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
