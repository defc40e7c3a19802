//! A commit's list of files, and their bytes.

use std::fs::File;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::command::Git;
use super::{GitError, GitReason};
use crate::process_group::ProcessGroup;

/// Largest file that is read, in bytes.
const MAX_FILE: u64 = 64 * 1024 * 1024;
/// Longest line that `cat-file --batch` answers before a file, in bytes.
const MAX_HEADER: u64 = 256;
/// How long git may take for one file; it only reads the disk.
const READ_TIME: Duration = Duration::from_secs(30);

/// What kind of file an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A file, mode 0644.
    File,
    /// A file that can be run, mode 0755.
    Executable,
    /// A symbolic link; its content is where it points to.
    Symlink,
    /// Another repository; it has no content here.
    Submodule,
}

/// One file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitEntry {
    /// Path from the top of the tree, with `/`; bytes that are no UTF-8 are replaced.
    pub path: String,
    /// What kind of file it is.
    pub mode: Mode,
    /// Size in bytes; 0 for a submodule.
    pub size: u64,
    object: String,
}

impl GitEntry {
    /// The id of its object: of a submodule, its commit.
    pub(super) fn object(&self) -> &str {
        &self.object
    }
}

/// The files of one commit.
#[derive(Debug)]
pub struct GitTree {
    git: Git,
    url: String,
    mirrored: Option<String>,
    commit: String,
    entries: Vec<GitEntry>,
    _claim: File,
}

impl GitTree {
    pub(super) fn new(
        git: Git,
        claim: File,
        url: String,
        mirrored: Option<String>,
        commit: String,
        entries: Vec<GitEntry>,
    ) -> Self {
        Self { git, url, mirrored, commit, entries, _claim: claim }
    }

    /// Returns the id of the commit.
    pub fn commit(&self) -> &str {
        &self.commit
    }

    /// Returns all files, sorted by path.
    pub fn entries(&self) -> &[GitEntry] {
        &self.entries
    }

    /// Reads one file; a leading `./` or `/` of `path` has no meaning.
    ///
    /// # Errors
    /// [`GitReason::NoFile`] if the commit has no such file, and those of [`GitReader::read`].
    pub async fn read(&self, path: &str) -> Result<Vec<u8>, GitError> {
        let wanted = path.trim_start_matches("./").trim_start_matches('/');
        let found = self.entries.iter().find(|entry| entry.path == wanted && entry.mode != Mode::Submodule);
        let Some(entry) = found else {
            return Err(self.error(GitReason::NoFile { commit: self.commit.clone(), path: path.to_owned() }));
        };
        self.reader()?.read(entry).await
    }

    /// Starts to read many files: one process for all of them.
    ///
    /// # Errors
    /// [`GitReason::NotInstalled`] or [`GitReason::Run`] if git cannot be started.
    pub fn reader(&self) -> Result<GitReader<'_>, GitError> {
        let arguments = ["cat-file", "--batch"];
        let mut child = self.git.spawn(&arguments, Stdio::piped()).map_err(|reason| self.error(reason))?;
        let group = ProcessGroup::of(&child);
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                // Nothing reads what git might complain about; it must not wait for that.
                drop(child.stderr.take());
                let output = BufReader::new(output);
                Ok(GitReader { tree: self, input, output, _group: group, _child: child })
            }
            _ => Err(self.error(GitReason::Output { what: "cat-file" })),
        }
    }

    /// The repository's URL, as in the job.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Git in the clone.
    pub(super) const fn git(&self) -> &Git {
        &self.git
    }

    pub(super) fn error(&self, reason: GitReason) -> GitError {
        GitError { url: self.url.clone(), mirrored: self.mirrored.clone(), reason }
    }
}

/// Reads files of one commit, one after the other.
#[derive(Debug)]
pub struct GitReader<'a> {
    tree: &'a GitTree,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _group: ProcessGroup,
    _child: Child,
}

impl GitReader<'_> {
    /// Reads the bytes of `entry`; a symbolic link's are where it points to, a submodule has none.
    ///
    /// # Errors
    /// [`GitReason::TooLarge`] beyond 64 MiB, [`GitReason::Timeout`] after 30 s, [`GitReason::Output`] or
    /// [`GitReason::Run`] if git breaks off. After these three the reader cannot be used any more.
    pub async fn read(&mut self, entry: &GitEntry) -> Result<Vec<u8>, GitError> {
        if entry.mode == Mode::Submodule {
            return Ok(Vec::new());
        }
        let tree = self.tree;
        if entry.size > MAX_FILE {
            let (path, size) = (entry.path.clone(), entry.size);
            return Err(tree.error(GitReason::TooLarge { path, size, limit: MAX_FILE }));
        }
        let read = tokio::time::timeout(READ_TIME, self.read_object(entry)).await;
        read.unwrap_or(Err(GitReason::Timeout { what: "cat-file", waited: READ_TIME }))
            .map_err(|reason| tree.error(reason))
    }

    /// Asks for an object: `<id> LF`; answered by `<id> SP blob SP <size> LF <bytes> LF`.
    async fn read_object(&mut self, entry: &GitEntry) -> Result<Vec<u8>, GitReason> {
        let request = format!("{}\n", entry.object);
        self.input.write_all(request.as_bytes()).await.map_err(GitReason::Run)?;
        let mut header = String::new();
        (&mut self.output).take(MAX_HEADER).read_line(&mut header).await.map_err(GitReason::Run)?;
        if header != format!("{} blob {}\n", entry.object, entry.size) {
            return Err(GitReason::Output { what: "cat-file" });
        }
        let mut bytes = Vec::new();
        (&mut self.output).take(entry.size + 1).read_to_end(&mut bytes).await.map_err(GitReason::Run)?;
        match bytes.pop() {
            Some(b'\n') if bytes.len() as u64 == entry.size => Ok(bytes),
            _ => Err(GitReason::Output { what: "cat-file" }),
        }
    }
}

/// Reads what `ls-tree -r -z -l` prints: `<mode> SP <type> SP <id> SP+ <size> TAB <path> NUL`.
pub(super) fn parse_tree(bytes: &[u8]) -> Result<Vec<GitEntry>, GitReason> {
    let lines = bytes.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let entries: Option<Vec<GitEntry>> = lines.map(parse_entry).collect();
    entries.ok_or(GitReason::Output { what: "ls-tree" })
}

fn parse_entry(line: &[u8]) -> Option<GitEntry> {
    let line = String::from_utf8_lossy(line);
    let (head, path) = line.split_once('\t')?;
    let mut fields = head.split_ascii_whitespace();
    let mode = match fields.next()? {
        "120000" => Mode::Symlink,
        "160000" => Mode::Submodule,
        "100755" => Mode::Executable,
        mode if mode.starts_with("100") => Mode::File,
        _ => return None,
    };
    let object = fields.nth(1)?.to_owned();
    let size = match fields.next()? {
        "-" => 0,
        size => size.parse().ok()?,
    };
    Some(GitEntry { path: path.to_owned(), mode, size, object })
}
