//! The tools that do a part of the work, each with a limit of time and of what is taken from it.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::error::InstallError;
use crate::process_group::ProcessGroup;

/// Most that is kept of a program's words about an error, in bytes.
const MAX_STDERR: usize = 64 * 1024;

/// How long a program that was killed may take to be gone; one that waits for a dead disk never is.
const DYING: Duration = Duration::from_secs(5);

/// How long the last words of a program that has ended may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Most that is told of a program's last line, in characters.
const MAX_LINE: usize = 200;

/// A tool, and what it may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tool<'i> {
    /// Its name.
    pub(super) name: &'static str,
    /// The Debian package that has it.
    pub(super) package: &'static str,
    /// How long it may run.
    pub(super) limit: Duration,
    /// Bytes of its output that are taken; of what comes then the tool is told by a closed pipe. With 0 its output goes nowhere,
    /// and it finishes what it has begun if this process is killed meanwhile.
    pub(super) most: usize,
    /// What it reads.
    pub(super) input: &'i [u8],
    /// Whether it may ask the user on the terminal, whose Ctrl-C reaches it then.
    pub(super) asks: bool,
}

/// How a program ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code, or the signal.
    pub(super) status: ExitStatus,
    /// What it wrote to its standard output.
    pub(super) stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub(super) stderr: Vec<u8>,
}

impl Tool<'_> {
    /// Runs `command`, which starts the program, to its end.
    ///
    /// # Errors
    /// [`InstallError::Start`], [`InstallError::Late`] for a program that was killed because its time was up.
    pub(super) fn run(&self, command: std::process::Command) -> Result<Ended, InstallError> {
        let start = |source| InstallError::Start { program: self.name, package: self.package, source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(start)?;
        runtime.block_on(self.finish(command.into()))
    }

    async fn finish(&self, mut command: tokio::process::Command) -> Result<Ended, InstallError> {
        let start = |source| InstallError::Start { program: self.name, package: self.package, source };
        let output = if self.most == 0 { Stdio::null() } else { Stdio::piped() };
        command.stdin(Stdio::piped()).stdout(output).stderr(Stdio::piped()).kill_on_drop(true);
        if !self.asks {
            command.process_group(0);
        }
        let mut child = command.spawn().map_err(start)?;
        let group = (!self.asks).then(|| ProcessGroup::of(&child));
        let (stdin, from_stdout, from_stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let send = async {
            if let Some(mut stdin) = stdin {
                // A program that refuses closes the pipe; why, its own words tell.
                let _ = stdin.write_all(self.input).await;
            }
        };
        let talk = async {
            let (out, err) = (keep(from_stdout, self.most, &mut stdout), words(from_stderr, &mut stderr));
            let streams = async { tokio::join!(send, out, err) };
            tokio::pin!(streams);
            tokio::select! {
                ((), out, err) = &mut streams => {
                    out.and(err)?;
                    child.wait().await
                }
                status = child.wait() => {
                    // What is in the pipes comes at once. A connection that `ssh` shares keeps them open behind it.
                    let _ = timeout(LAST_WORDS, streams).await;
                    status
                }
            }
        };
        let Ok(ended) = timeout(self.limit, talk).await else {
            // The next one must find nobody at the file.
            drop(group);
            let _ = timeout(DYING, child.kill()).await;
            let said = last_line(&stderr).or_else(|| last_line(&stdout));
            return Err(InstallError::Late { program: self.name, limit: self.limit, said });
        };
        if let Some(group) = group {
            group.release();
        }
        Ok(Ended { status: ended.map_err(start)?, stdout, stderr })
    }
}

/// Reads at most `most` bytes, and lets go of the stream then.
async fn keep(stream: Option<impl AsyncRead + Unpin>, most: usize, kept: &mut Vec<u8>) -> io::Result<()> {
    if let Some(stream) = stream {
        let mut stream = stream.take(most as u64);
        while stream.read_buf(kept).await? > 0 {}
    }
    Ok(())
}

/// Reads all, and keeps its end.
async fn words(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) -> io::Result<()> {
    let Some(mut stream) = stream else { return Ok(()) };
    while stream.read_buf(kept).await? > 0 {
        let excess = kept.len().saturating_sub(MAX_STDERR);
        kept.drain(..excess);
    }
    Ok(())
}

/// The last line with anything on it.
fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    Some(line.chars().filter(|character| !character.is_control()).take(MAX_LINE).collect())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd as _;

    use super::*;

    fn shell(script: &str, tool: Tool<'_>) -> Result<Ended, InstallError> {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        tool.run(command)
    }

    const SH: Tool<'_> = Tool {
        name: "sh",
        package: "dash",
        limit: Duration::from_secs(60),
        most: 1000,
        input: b"",
        asks: false,
    };

    #[test]
    fn a_tool_gets_its_input_and_gives_both_outputs() {
        let ended = shell("cat; echo words >&2; exit 3", Tool { input: b"data", ..SH }).unwrap();
        assert_eq!((&*ended.stdout, &*ended.stderr), (&b"data"[..], &b"words\n"[..]));
        assert_eq!(ended.status.code(), Some(3));
    }

    #[test]
    fn a_tool_that_says_more_than_is_wanted_ends() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo $i words >&2; i=$((i + 1)); done; yes";
        let ended = shell(script, Tool { most: 7, ..SH }).unwrap();
        assert_eq!(ended.stdout, b"y\ny\ny\ny");
        assert_eq!(ended.stderr.len(), MAX_STDERR);
        assert_eq!(last_line(&ended.stderr).as_deref(), Some("19999 words"));
    }

    /// Makes sure that a program that does `hang` with the end of a pipe is killed, which closes it.
    fn assert_killed(hang: &str, asks: bool) {
        let (reader, writer) = io::pipe().unwrap();
        let far_end = format!("/proc/{}/fd/{}", std::process::id(), writer.as_raw_fd());
        let script = format!("echo first >&2; echo 'and  last' >&2; {hang} 3>{far_end}; echo never");
        let error = shell(&script, Tool { limit: Duration::from_secs(5), asks, ..SH }).unwrap_err();
        assert_eq!(error.to_string(), "`sh` did not end within 5 s; it said last: and  last");
        drop(writer);
        assert_eq!(io::read_to_string(reader).unwrap(), "");
    }

    #[test]
    fn a_tool_that_hangs_is_killed_with_what_it_has_started() {
        assert_killed("sleep 1000", false);
    }

    #[test]
    fn a_tool_that_asks_and_hangs_is_killed() {
        assert_killed("exec sleep 1000", true);
    }

    #[test]
    fn what_a_tool_leaves_running_does_not_hold_it_up() {
        // It ends with the writer, at the end of the test.
        let (reader, _writer) = io::pipe().unwrap();
        let input = format!("/proc/{}/fd/{}", std::process::id(), reader.as_raw_fd());
        let ended = shell(&format!("cat {input} & echo done"), SH).unwrap();
        assert_eq!(ended.stdout, b"done\n");
    }

    #[test]
    fn a_missing_tool_is_told_with_its_package() {
        let tool = Tool { name: "no-such-program", package: "none", ..SH };
        let error = tool.run(std::process::Command::new("no-such-program")).unwrap_err();
        assert_eq!(error.help().as_deref(), Some("install it: `sudo apt install none`"));
    }
}
