//! `git`, run so that it cannot ask, linger or be surprised by its surroundings.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::GitReason;
use crate::process_group::ProcessGroup;

/// Longest answer of git's, in bytes: the list of a tree with some 500,000 files.
const MAX_STDOUT: u64 = 64 * 1024 * 1024;
/// Most that is kept of git's words about an error, in bytes.
const MAX_STDERR: u64 = 16 * 1024;

/// Settings that replace the user's and the system's.
///
/// The owner of a repository is not checked: it is the bench's or the job's choice, and none of its hooks run.
const CONFIG: &str = "[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[core]\n\thooksPath = /dev/null\n";

/// Variables of the surroundings that would lead git to another repository or to a prompt.
const UNWANTED: [&str; 10] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_ASKPASS",
    "SSH_ASKPASS",
];

/// Runs git commands in one bare repository.
#[derive(Clone, Debug)]
pub(super) struct Git {
    repository: PathBuf,
    config: PathBuf,
}

/// What a git command left.
#[derive(Debug)]
pub(super) struct Finished {
    status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Finished {
    pub(super) fn success(&self) -> bool {
        self.status.success()
    }

    /// Returns git's words, without the empty ones.
    pub(super) fn words(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() { self.status.to_string() } else { lines.join("; ") }
    }
}

impl Git {
    /// Prepares to run git in `repository`, which need not exist yet; its settings are kept beside it, and written to
    /// the directory `tmp` first.
    pub(super) fn new(repository: PathBuf, tmp: &Path) -> Result<Self, GitReason> {
        let config = repository.with_file_name("config");
        if std::fs::read(&config).ok().as_deref() != Some(CONFIG.as_bytes()) {
            replace(&config, tmp).map_err(|source| GitReason::Cache { path: config.clone(), source })?;
        }
        Ok(Self { repository, config })
    }

    pub(super) fn repository(&self) -> &Path {
        &self.repository
    }

    /// Runs one command to its end, or kills it after `time`.
    pub(super) async fn run(
        &self,
        what: &'static str,
        arguments: &[&str],
        time: Duration,
    ) -> Result<Finished, GitReason> {
        let mut child = self.spawn(arguments, Stdio::null())?;
        let group = ProcessGroup::of(&child);
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let finish = async {
            let stdout = read_answer(what, stdout, MAX_STDOUT);
            let stderr = async { read(stderr, MAX_STDERR).await.map_err(GitReason::Run) };
            let (stdout, stderr) = tokio::try_join!(stdout, stderr)?;
            Ok(Finished { stdout, stderr, status: child.wait().await.map_err(GitReason::Run)? })
        };
        let finished = tokio::time::timeout(time, finish).await;
        let finished = finished.unwrap_or(Err(GitReason::Timeout { what, waited: time }))?;
        // It has ended; whoever gives up before that kills it.
        group.release();
        Ok(finished)
    }

    /// Starts one command with pipes.
    pub(super) fn spawn(&self, arguments: &[&str], stdin: Stdio) -> Result<Child, GitReason> {
        let mut command = Command::new("git");
        for name in UNWANTED {
            command.env_remove(name);
        }
        command
            .arg("--git-dir")
            .arg(&self.repository)
            .args(arguments)
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", &self.config)
            .env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes")
            .env("GIT_ALLOW_PROTOCOL", "file:git:http:https:ssh")
            .env("LC_ALL", "C")
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        command.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => GitReason::NotInstalled,
            _ => GitReason::Run(error),
        })
    }
}

/// Replaces the settings in `config`, whole at any moment: git of another run may be reading them.
fn replace(config: &Path, tmp: &Path) -> io::Result<()> {
    let mut temporary = tempfile::NamedTempFile::new_in(tmp)?;
    temporary.write_all(CONFIG.as_bytes())?;
    temporary.persist(config)?;
    Ok(())
}

/// Reads all of an answer, of which a part would be taken for the whole.
async fn read_answer(
    what: &'static str,
    stream: Option<impl AsyncRead + Unpin>,
    limit: u64,
) -> Result<Vec<u8>, GitReason> {
    let mut answer = Vec::new();
    if let Some(stream) = stream {
        stream.take(limit + 1).read_to_end(&mut answer).await.map_err(GitReason::Run)?;
    }
    if answer.len() as u64 > limit { Err(GitReason::LongAnswer { what, limit }) } else { Ok(answer) }
}

/// Reads all, keeps at most `limit` bytes.
async fn read(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        (&mut stream).take(limit).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Read as _;

    use super::{CONFIG, Git, GitReason, read_answer};

    #[tokio::test]
    async fn an_answer_beyond_the_limit_is_an_error() {
        let read = async |bytes: &'static [u8]| read_answer("ls-tree", Some(bytes), 4).await;
        assert_eq!(read(b"1234").await.unwrap(), b"1234");
        let error = read(b"12345").await.unwrap_err();
        assert!(matches!(error, GitReason::LongAnswer { what: "ls-tree", limit: 4 }), "{error:?}");
        assert_eq!(error.to_string(), "git ls-tree answered more than 4 bytes");
    }

    #[test]
    fn settings_are_replaced_under_a_git_that_reads_them_and_only_if_they_differ() {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config");
        let prepare = || Git::new(directory.path().join("r.git"), directory.path()).unwrap();
        fs::write(&config, "[old]\n").unwrap();
        let mut reader = File::open(&config).unwrap();
        prepare();
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "[old]\n");
        assert_eq!(fs::read_to_string(&config).unwrap(), CONFIG);

        let mut reader = File::open(&config).unwrap();
        prepare();
        fs::write(&config, "[new]\n").unwrap();
        read.clear();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "[new]\n", "the file is still the same");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
