//! `git`, run so that it cannot ask, linger or be surprised by its surroundings.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use super::GitReason;
use crate::process_group::ProcessGroup;

/// Most that is kept of git's answer, in bytes: the list of a tree with some 500,000 files.
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
    /// Prepares to run git in `repository`, which need not exist yet; its settings are kept beside it.
    pub(super) fn new(repository: PathBuf) -> Result<Self, GitReason> {
        let config = repository.with_file_name("config");
        if std::fs::read(&config).ok().as_deref() != Some(CONFIG.as_bytes()) {
            std::fs::write(&config, CONFIG)
                .map_err(|source| GitReason::Cache { path: config.clone(), source })?;
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
            let (stdout, stderr) = tokio::join!(read(stdout, MAX_STDOUT), read(stderr, MAX_STDERR));
            Ok(Finished { stdout: stdout?, stderr: stderr?, status: child.wait().await? })
        };
        match tokio::time::timeout(time, finish).await {
            Ok(result) => {
                group.release();
                result.map_err(GitReason::Run)
            }
            Err(_) => Err(GitReason::Timeout { what, waited: time }),
        }
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

/// Reads all, keeps at most `limit` bytes.
async fn read(stream: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        (&mut stream).take(limit).read_to_end(&mut kept).await?;
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    }
    Ok(kept)
}
