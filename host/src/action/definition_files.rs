//! Files of a test definition that comes as a tar, or that is a directory of this PC.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use super::definition_links::{Link, LinkKind, follow};
use super::overlay::{MAX_DEFINITION_BYTES, OverlayFile};
use crate::fault::Class;

/// Most files of a definition.
pub(super) const MAX_FILES: usize = 20_000;

/// Why the files cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilesError {
    /// The system refused.
    #[error("`{}` cannot be read", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The tar is damaged, or none.
    #[error("it is no tar, or damaged")]
    Tar(#[source] io::Error),
    /// They are more, or larger, than a definition may bring.
    #[error("it has more than {MAX_FILES} files or {MAX_DEFINITION_BYTES} bytes")]
    TooLarge,
    /// The task that reads them ended badly.
    #[error("reading them ended badly: {0}")]
    Task(String),
}

impl FilesError {
    /// Whose fault it is.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound => Class::Job,
            Self::Io { .. } => Class::Infrastructure,
            Self::Tar(_) | Self::TooLarge => Class::Job,
            Self::Task(_) => Class::Bug,
        }
    }
}

/// The files of a definition, and how many links among them are left out, since they lead to none of them.
#[derive(Debug)]
pub(super) struct DefinitionFiles {
    pub(super) files: Vec<OverlayFile>,
    pub(super) left_out: usize,
}

/// Files as they are collected, within bounds.
#[derive(Default)]
pub(super) struct Files {
    files: Vec<OverlayFile>,
    links: Vec<Link>,
    bytes: u64,
}

impl Files {
    fn add(&mut self, path: &Path, mode: u32, size: u64, content: &mut impl io::Read) -> io::Result<bool> {
        if !self.reserve(size) {
            return Ok(false);
        }
        // What is not text could not be typed by the definition either.
        let Some(path) = path.to_str() else { return Ok(true) };
        let mut bytes = Vec::new();
        content.take(size).read_to_end(&mut bytes)?;
        self.add_content(path.to_owned(), mode & 0o111 != 0, bytes);
        Ok(true)
    }

    /// Whether a file of `size` bytes is not too much.
    pub(super) fn reserve(&mut self, size: u64) -> bool {
        self.bytes = self.bytes.saturating_add(size);
        !self.is_full() && self.bytes <= MAX_DEFINITION_BYTES
    }

    /// Adds a file whose size was reserved.
    pub(super) fn add_content(&mut self, path: String, is_executable: bool, content: Vec<u8>) {
        let mode = if is_executable { 0o755 } else { 0o644 };
        self.files.push(OverlayFile { path, mode, content });
    }

    fn is_full(&self) -> bool {
        self.files.len() + self.links.len() == MAX_FILES
    }

    pub(super) fn add_link(&mut self, path: &Path, target: &Path, kind: LinkKind) -> Result<(), FilesError> {
        if self.is_full() {
            return Err(FilesError::TooLarge);
        }
        if let (Some(path), Some(target)) = (path.to_str(), target.to_str()) {
            self.links.push(Link { path: path.to_owned(), target: target.to_owned(), kind });
        }
        Ok(())
    }

    /// The files, and what links lead to.
    pub(super) fn finish(self) -> Result<DefinitionFiles, FilesError> {
        let Self { mut files, links, .. } = self;
        let left_out = follow(&mut files, &links)?;
        Ok(DefinitionFiles { files, left_out })
    }
}

/// The files of the tar at `path`; `strip` leading parts of their names are left out, and files with no more parts.
pub(super) async fn of_tar(path: PathBuf, strip: u32) -> Result<DefinitionFiles, FilesError> {
    blocking(move || read_tar(&path, strip as usize)).await
}

/// The files below `directory`, but for those of version control.
pub(super) async fn of_directory(directory: PathBuf) -> Result<DefinitionFiles, FilesError> {
    blocking(move || {
        let mut files = Files::default();
        read_directory(&directory, Path::new(""), &mut files)?;
        files.finish()
    })
    .await
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(FilesError::Task(error.to_string())),
    }
}

fn read_tar(path: &Path, strip: usize) -> Result<DefinitionFiles, FilesError> {
    let file = File::open(path).map_err(|source| FilesError::Io { path: path.to_owned(), source })?;
    let mut archive = tar::Archive::new(io::BufReader::new(file));
    let mut files = Files::default();
    for entry in archive.entries().map_err(FilesError::Tar)? {
        let mut entry = entry.map_err(FilesError::Tar)?;
        let kind = entry.header().entry_type();
        let Some(name) = inside(&entry.path().map_err(FilesError::Tar)?) else { continue };
        if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name().map_err(FilesError::Tar)?.unwrap_or_default();
            let kind = if kind.is_hard_link() { LinkKind::Hard } else { LinkKind::Symbolic };
            files.add_link(&name, &target, kind)?;
            continue;
        }
        if !kind.is_file() {
            continue;
        }
        let mode = entry.header().mode().unwrap_or(0o644);
        let size = entry.size();
        if !files.add(&name, mode, size, &mut entry).map_err(FilesError::Tar)? {
            return Err(FilesError::TooLarge);
        }
    }
    // Links lead to names as they are in the tar.
    let DefinitionFiles { files, left_out } = files.finish()?;
    let stripped = files.into_iter().filter_map(|file| {
        let path = file.path.splitn(strip + 1, '/').nth(strip)?.to_owned();
        Some(OverlayFile { path, ..file })
    });
    Ok(DefinitionFiles { files: stripped.collect(), left_out })
}

/// A name from the top of the tar; `None` if it leads out of it.
fn inside(name: &Path) -> Option<PathBuf> {
    let parts = name.components().filter(|part| !matches!(part, Component::CurDir | Component::RootDir));
    let parts: Vec<_> = parts.collect();
    let is_inside = parts.iter().all(|part| matches!(part, Component::Normal(_)));
    (!parts.is_empty() && is_inside).then(|| parts.iter().collect())
}

fn read_directory(root: &Path, below: &Path, files: &mut Files) -> Result<(), FilesError> {
    let directory = root.join(below);
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| FilesError::Io { path, source }
    };
    let entries = fs::read_dir(&directory).map_err(failed(&directory))?;
    let mut entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(failed(&directory))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), below.join(entry.file_name()));
        let metadata = entry.metadata().map_err(failed(&path))?;
        if metadata.is_dir() && entry.file_name() != ".git" {
            read_directory(root, &name, files)?;
        } else if metadata.is_symlink() {
            files.add_link(&name, &fs::read_link(&path).map_err(failed(&path))?, LinkKind::Symbolic)?;
        } else if metadata.is_file() {
            let mut file = File::open(&path).map_err(failed(&path))?;
            let mode = metadata.permissions().mode();
            if !files.add(&name, mode, metadata.len(), &mut file).map_err(failed(&path))? {
                return Err(FilesError::TooLarge);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[OverlayFile]) -> Vec<(&str, u32)> {
        files.iter().map(|file| (file.path.as_str(), file.mode)).collect()
    }

    fn tar(entries: &[(&str, u32, &str)]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut builder = tar::Builder::new(file.reopen().unwrap());
        for (name, mode, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_mode(*mode);
            header.set_size(content.len() as u64);
            header.set_cksum();
            builder.append(&header, content.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap();
        file
    }

    #[tokio::test]
    async fn leading_parts_are_left_out_and_names_that_lead_out_are_passed_over() {
        let file = tar(&[
            ("./top/smoke.yaml", 0o644, "a"),
            ("top/bin/run.sh", 0o750, "bb"),
            ("README", 0o644, "c"),
            ("top/../../etc/passwd", 0o644, "d"),
        ]);
        let DefinitionFiles { files, .. } = of_tar(file.path().to_owned(), 1).await.unwrap();
        assert_eq!(names(&files), [("smoke.yaml", 0o644), ("bin/run.sh", 0o755)]);
        assert_eq!(files[1].content, b"bb");
    }

    #[tokio::test]
    async fn links_of_a_tar_become_what_they_lead_to() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut builder = tar::Builder::new(file.reopen().unwrap());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o755);
        header.set_size(1);
        builder.append_data(&mut header, "top/lib/run", &b"x"[..]).unwrap();
        for (kind, name, target) in [
            (tar::EntryType::Link, "top/hard", "top/lib/run"),
            (tar::EntryType::Symlink, "top/bin/soft", "../../top/lib/run"),
            (tar::EntryType::Symlink, "top/passwd", "/etc/passwd"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(0);
            builder.append_link(&mut header, name, target).unwrap();
        }
        builder.into_inner().unwrap();
        let DefinitionFiles { files, left_out } = of_tar(file.path().to_owned(), 1).await.unwrap();
        assert_eq!(names(&files), [("lib/run", 0o755), ("hard", 0o755), ("bin/soft", 0o755)]);
        assert_eq!(left_out, 1);
    }

    #[tokio::test]
    async fn a_file_that_is_no_tar_is_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), [b'x'; 2000]).unwrap();
        let error = of_tar(file.path().to_owned(), 0).await.unwrap_err();
        assert_eq!(error.class(), Class::Job, "{error}");
    }

    #[tokio::test]
    async fn a_directory_comes_with_its_files_and_without_version_control_and_what_is_elsewhere() {
        let directory = tempfile::tempdir().unwrap();
        for (path, content) in [("smoke.yaml", "a"), ("lib/x.sh", "b"), (".git/config", "c")] {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        for (target, name) in [("/etc/passwd", "out"), ("../x", "above"), ("lib/x.sh", "link")] {
            std::os::unix::fs::symlink(target, directory.path().join(name)).unwrap();
        }
        let DefinitionFiles { files, left_out } = of_directory(directory.path().to_owned()).await.unwrap();
        assert_eq!(names(&files), [("lib/x.sh", 0o644), ("smoke.yaml", 0o644), ("link", 0o644)]);
        assert_eq!(left_out, 2);
        assert_eq!(files[2].content, b"b");
        let missing = of_directory(directory.path().join("nothing")).await.unwrap_err();
        assert_eq!(missing.class(), Class::Job);
    }
}
