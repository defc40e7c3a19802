//! Files of a commit of a git repository, read from a bare clone in the cache.
//!
//! Nothing is checked out: a [`GitTree`] lists the files and reads them from git's objects, so that nothing is
//! left behind and hooks, filters and line-end settings play no part. The `git` program does the work.

mod checkouts;
mod command;
mod reader;
mod submodules;

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

pub use self::checkouts::Checkouts;
use self::command::Git;
pub use self::reader::{GitEntry, GitReader, GitTree, Mode};
pub use self::submodules::Submodule;
use super::cache::Cache;
use super::checksum::name_of;
use super::copy::Budget;
use super::error::{Mirrored, Reason};
use super::mirror::Mirrors;
use super::url::without_secrets;
use crate::fault::Class;

/// What a job says about a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct GitRequest {
    /// The URL, as in the job.
    pub url: String,
    /// Branch or tag; the repository's default branch without it.
    pub branch: Option<String>,
    /// A commit, by whatever name; the branch's last without it, and for `HEAD`.
    pub revision: Option<String>,
}

/// A repository, branch, revision or file that cannot be had; the source says why.
#[derive(Debug, thiserror::Error)]
#[error("cannot get {url}{}", Mirrored(mirrored.as_deref()))]
pub struct GitError {
    /// The URL, as in the job.
    pub url: String,
    /// Where a mirror rule led, if one matched.
    pub mirrored: Option<String>,
    /// What went wrong.
    #[source]
    pub reason: GitReason,
}

impl GitError {
    /// Whether time was over.
    pub const fn is_late(&self) -> bool {
        match &self.reason {
            GitReason::Timeout { .. } => true,
            GitReason::Lock(reason) => reason.is_late(),
            _ => false,
        }
    }

    /// Says whose fault it is: the job's if it names what the repository does not have, the lock's reason's if there is
    /// one, else the infrastructure's.
    pub const fn class(&self) -> Class {
        match &self.reason {
            GitReason::NoBranch { .. }
            | GitReason::NoRevision { .. }
            | GitReason::NoFile { .. }
            | GitReason::NoSubmodule { .. }
            | GitReason::SubmoduleUrl { .. } => Class::Job,
            GitReason::Lock(reason) => reason.class(),
            _ => Class::Infrastructure,
        }
    }
}

/// What went wrong with a repository.
#[derive(Debug, thiserror::Error)]
pub enum GitReason {
    /// There is no `git` program.
    #[error("the program `git` is not installed")]
    NotInstalled,
    /// The repository is not there, or cannot be reached.
    #[error("the repository cannot be read: {words}")]
    Repository {
        /// What git said.
        words: String,
    },
    /// The repository has no such branch or tag.
    #[error("the repository has no branch or tag `{branch}`")]
    NoBranch {
        /// The name.
        branch: String,
    },
    /// The repository has no commit at all.
    #[error("the repository is empty")]
    Empty,
    /// The repository's HEAD points to no branch that it has, as in a bare one whose first branch has another name.
    #[error("the repository has no default branch: its HEAD names one that is not there")]
    NoDefault,
    /// The repository has no such commit.
    #[error("the repository has no revision `{revision}`")]
    NoRevision {
        /// The name.
        revision: String,
    },
    /// The commit has no such file.
    #[error("commit {commit} has no file `{path}`")]
    NoFile {
        /// The commit's id.
        commit: String,
        /// The path.
        path: String,
    },
    /// Nothing says where a submodule comes from.
    #[error("`.gitmodules` does not say where the submodule `{path}` comes from")]
    NoSubmodule {
        /// Its directory.
        path: String,
    },
    /// A submodule is on this PC, and only its repository says so.
    #[error("the submodule `{path}` has no URL of another computer")]
    SubmoduleUrl {
        /// Its directory.
        path: String,
    },
    /// The file is too large.
    #[error("`{path}` has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// The path.
        path: String,
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A git command failed in the cache's clone.
    #[error("git {what} failed: {words}")]
    Command {
        /// The command.
        what: &'static str,
        /// What git said.
        words: String,
    },
    /// A git command did not end in time.
    #[error("git {what} has not ended after {waited:.1?}")]
    Timeout {
        /// The command.
        what: &'static str,
        /// How long it was given.
        waited: Duration,
    },
    /// Git's output is not as documented.
    #[error("git {what} answered something else than it should")]
    Output {
        /// The command.
        what: &'static str,
    },
    /// Git's output is too long.
    #[error("git {what} answered more than {limit} bytes")]
    LongAnswer {
        /// The command.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// Git cannot be run.
    #[error("git cannot be run")]
    Run(#[source] io::Error),
    /// The cache cannot be used.
    #[error("the cache cannot use {}", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The clone in the cache cannot be locked.
    #[error("the clone in the cache cannot be locked")]
    Lock(#[source] Reason),
}

/// Gets the tree of a commit, by way of a bare clone in the cache that is brought up to date if it must be.
///
/// The mirror rules decide where from. Ends by `deadline`. A commit that is named by its full id and is in the
/// cache needs no network.
///
/// # Errors
/// [`GitError`] says which repository and what is missing.
pub async fn checkout(
    request: &GitRequest,
    mirrors: &Mirrors,
    cache: &Cache,
    deadline: Instant,
) -> Result<GitTree, GitError> {
    let source = mirrors.rewrite(&request.url).into_owned();
    let mirrored = (source != request.url).then(|| source.clone());
    let checkout = async {
        let key = name_of(&source);
        let budget = Budget::new(deadline);
        let _cancel = budget.cancel_on_drop();
        let (locks, name) = (cache.clone(), format!("git-{key}"));
        let lock = tokio::task::spawn_blocking(move || locks.lock(&name, &budget)).await;
        let _lock = lock.unwrap_or(Err(Reason::Panicked)).map_err(GitReason::Lock)?;
        let clone = BareClone { git: Git::new(cache.repository(&key), &cache.tmp())?, source, deadline };
        clone.prepare().await?;
        let claim = clone.claim()?;
        let commit = clone.commit(request).await?;
        let entries = clone.entries(&commit).await?;
        Ok((clone.git, claim, commit, entries))
    };
    match checkout.await {
        Ok((git, claim, commit, entries)) => {
            Ok(GitTree::new(git, claim, request.url.clone(), mirrored, commit, entries))
        }
        Err(reason) => Err(GitError { url: request.url.clone(), mirrored, reason }),
    }
}

/// The reference that names the default branch.
const HEAD: &str = "HEAD";

/// The references of an origin, and the ids that they stand for.
type References = HashMap<String, String>;

/// A bare clone in the cache, locked by this run.
struct BareClone {
    git: Git,
    source: String,
    deadline: Instant,
}

impl BareClone {
    /// Finds the id of the commit that is asked for, and makes sure that it is here.
    async fn commit(&self, request: &GitRequest) -> Result<String, GitReason> {
        // The clone has a HEAD of its own, which says nothing about the origin's.
        if let Some(revision) = request.revision.as_deref().filter(|revision| *revision != HEAD) {
            if !(is_commit_id(revision) && self.has(revision).await?) {
                self.fetch(&self.advertised().await?).await?;
            }
            let no_revision = || GitReason::NoRevision { revision: revision.to_owned() };
            return self.resolve(revision).await?.ok_or_else(no_revision);
        }
        let references = self.advertised().await?;
        let tip = tip(&references, request.branch.as_deref())?;
        if let Some(commit) = self.resolve(&tip).await? {
            return Ok(commit);
        }
        self.fetch(&references).await?;
        self.resolve(&tip).await?.ok_or(GitReason::NoRevision { revision: tip })
    }

    async fn prepare(&self) -> Result<(), GitReason> {
        let repository = self.git.repository();
        if !repository.join("HEAD").exists() {
            self.succeed("init", &["init", "--quiet", "--bare"]).await?;
        }
        // Whoever left a lock of git's in here was killed: the clone is locked by this run.
        remove_stale_locks(repository)
            .map_err(|source| GitReason::Cache { path: repository.to_owned(), source })
    }

    /// Keeps the clone in the cache as long as the file is open, and says there what it is of.
    fn claim(&self) -> Result<File, GitReason> {
        let path = self.git.repository().join(Cache::DESCRIPTION);
        let claim = || {
            let file = File::options().create(true).append(true).open(&path)?;
            // Who removes clones has the lock that this run has.
            file.try_lock_shared()?;
            file.set_len(0)?;
            writeln!(&file, "{}", without_secrets(&self.source))?;
            Ok(file)
        };
        claim().map_err(|source| GitReason::Cache { path: path.clone(), source })
    }

    /// Asks the origin for its references.
    async fn advertised(&self) -> Result<References, GitReason> {
        let finished = self.run("ls-remote", &["ls-remote", "--quiet", "--", &self.source]).await?;
        if !finished.success() {
            return Err(GitReason::Repository { words: finished.words() });
        }
        let text = String::from_utf8_lossy(&finished.stdout);
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(lines.map(|(id, name)| (name.to_owned(), id.to_owned())).collect())
    }

    /// Brings the clone up to date with an origin that has these `references`.
    async fn fetch(&self, references: &References) -> Result<(), GitReason> {
        let mut arguments =
            vec!["fetch", "--quiet", "--force", "--prune", "--no-write-fetch-head", "--", &self.source];
        arguments.extend(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
        // Asked for where it is not, it would make the whole command fail.
        if references.contains_key(HEAD) {
            arguments.push("+HEAD:refs/origin/HEAD");
        }
        let finished = self.run("fetch", &arguments).await?;
        if finished.success() { Ok(()) } else { Err(GitReason::Repository { words: finished.words() }) }
    }

    async fn has(&self, id: &str) -> Result<bool, GitReason> {
        let commit = format!("{id}^{{commit}}");
        Ok(self.run("cat-file", &["cat-file", "-e", &commit]).await?.success())
    }

    /// Returns the id of the commit that `name` means, if it means one.
    async fn resolve(&self, name: &str) -> Result<Option<String>, GitReason> {
        let commit = format!("{name}^{{commit}}");
        let arguments = ["rev-parse", "--quiet", "--verify", "--end-of-options", &commit];
        let finished = self.run("rev-parse", &arguments).await?;
        let id = String::from_utf8_lossy(&finished.stdout).trim().to_owned();
        Ok((finished.success() && is_commit_id(&id)).then_some(id))
    }

    async fn entries(&self, commit: &str) -> Result<Vec<GitEntry>, GitReason> {
        let arguments = ["ls-tree", "-r", "-z", "-l", "--full-tree", commit];
        reader::parse_tree(&self.succeed("ls-tree", &arguments).await?)
    }

    async fn succeed(&self, what: &'static str, arguments: &[&str]) -> Result<Vec<u8>, GitReason> {
        let finished = self.run(what, arguments).await?;
        if finished.success() {
            Ok(finished.stdout)
        } else {
            Err(GitReason::Command { what, words: finished.words() })
        }
    }

    async fn run(&self, what: &'static str, arguments: &[&str]) -> Result<command::Finished, GitReason> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.git.run(what, arguments, left).await
    }
}

/// Returns the id of the last commit of `branch`, or of the default branch.
fn tip(references: &References, branch: Option<&str>) -> Result<String, GitReason> {
    let Some(branch) = branch else {
        let missing = if references.is_empty() { GitReason::Empty } else { GitReason::NoDefault };
        return references.get(HEAD).cloned().ok_or(missing);
    };
    [format!("refs/heads/{branch}"), format!("refs/tags/{branch}^{{}}"), format!("refs/tags/{branch}")]
        .iter()
        .find_map(|name| references.get(name))
        .cloned()
        .ok_or_else(|| GitReason::NoBranch { branch: branch.to_owned() })
}

/// Returns whether `text` is the full id of a commit, SHA-1 or SHA-256.
fn is_commit_id(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Removes git's lock files of the repository itself and of its references.
fn remove_stale_locks(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if path.file_name().is_none_or(|name| name != "objects") {
                remove_stale_locks(&path)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "lock") {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
