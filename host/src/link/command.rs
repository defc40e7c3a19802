//! A console behind a program's standard input and output, such as `["picocom", "-q", "/dev/ttyUSB0"]` or `ssh`.

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Port;
use crate::process_group::ProcessGroup;

/// Lines of the program's standard error that are kept for errors.
const KEPT_LINES: usize = 10;
/// Longest kept line, in bytes.
const LINE_LIMIT: u64 = 512;
/// How long a program may clean up after its console was dropped.
const GRACE: Duration = Duration::from_millis(500);

/// Why a console program could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The bench file gives an empty list.
    #[error("the console command is empty; the bench file's `console` needs a program and its arguments")]
    Empty,
    /// It could not be started.
    #[error("the console command `{command}` cannot be started; is it installed and in PATH?")]
    Start {
        /// The words, joined.
        command: String,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// It ended in mid-run.
    #[error("the console command `{command}` ended{status}{}", said(stderr))]
    Ended {
        /// The words, joined.
        command: String,
        /// How, such as ` (exit status: 1)`.
        status: String,
        /// Its last lines of standard error.
        stderr: Vec<String>,
    },
}

fn said(stderr: &[String]) -> String {
    if stderr.is_empty() { String::new() } else { format!("; it last said: {}", stderr.join(" / ")) }
}

/// A running console program; on drop it sees the end of its input, and its process group is killed a moment later.
pub(super) struct CommandStream {
    command: String,
    /// `None` once it was ended.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    stderr: Arc<Mutex<VecDeque<String>>>,
    status: Arc<OnceLock<ExitStatus>>,
    /// Ends when status and standard error are complete; `None` when that was waited for.
    last_words: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    _dropped: DropGuard,
}

impl fmt::Debug for CommandStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandStream").field("command", &self.command).finish_non_exhaustive()
    }
}

/// Starts `words[0]` with the other words as arguments, in a process group of its own.
///
/// # Errors
/// [`CommandError::Empty`] and [`CommandError::Start`].
pub(super) fn start(words: &[String]) -> Result<CommandStream, CommandError> {
    let (program, arguments) = words.split_first().ok_or(CommandError::Empty)?;
    let command = words.join(" ");
    let failed = |source| CommandError::Start { command: command.clone(), source };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let group = ProcessGroup::of(&child);
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    let lines = Arc::new(Mutex::new(VecDeque::new()));
    let complaints = tokio::spawn(keep_last_lines(stderr, lines.clone()));
    let (status, dropped) = (Arc::new(OnceLock::new()), CancellationToken::new());
    let exited = CancellationToken::new();
    tokio::spawn(supervise(child, group, status.clone(), exited.clone(), dropped.clone()));
    let last_words = async move {
        let complete = async {
            exited.cancelled().await;
            // A reader that panicked has nothing more to say.
            let _ = complaints.await;
        };
        // A program may close its output and live on.
        let _ = timeout(GRACE, complete).await;
    };
    Ok(CommandStream {
        command,
        stdin: Some(stdin),
        stdout,
        stderr: lines,
        status,
        last_words: Some(Box::pin(last_words)),
        _dropped: dropped.drop_guard(),
    })
}

/// Notes how the program ended; gives it a moment to clean up once its console is dropped.
async fn supervise(
    mut child: Child,
    _group: ProcessGroup,
    status: Arc<OnceLock<ExitStatus>>,
    exited: CancellationToken,
    dropped: CancellationToken,
) {
    let ended = tokio::select! {
        ended = child.wait() => ended,
        () = dropped.cancelled() => timeout(GRACE, child.wait()).await.unwrap_or_else(|elapsed| Err(elapsed.into())),
    };
    if let Ok(ended) = ended {
        // The only place that sets it.
        let _ = status.set(ended);
        exited.cancel();
        // Its children may go on holding the console.
        dropped.cancelled().await;
    }
}

async fn keep_last_lines(stderr: ChildStderr, lines: Arc<Mutex<VecDeque<String>>>) {
    let mut stderr = BufReader::new(stderr);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut stderr).take(LINE_LIMIT).read_until(b'\n', &mut line).await {
        let text = String::from_utf8_lossy(&line).trim().to_owned();
        line.clear();
        if text.is_empty() {
            continue;
        }
        let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}

impl CommandStream {
    /// Why there is no more to read or write, once the program's last words are in.
    fn poll_ended(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(last_words) = &mut self.last_words {
            ready!(last_words.as_mut().poll(cx));
            self.last_words = None;
        }
        Poll::Ready(self.ended())
    }

    fn ended(&self) -> io::Error {
        let status = self.status.get().map(|status| format!(" ({status})")).unwrap_or_default();
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect();
        io::Error::new(
            io::ErrorKind::BrokenPipe,
            CommandError::Ended { command: self.command.clone(), status, stderr },
        )
    }
}

impl Port for CommandStream {
    fn set_break(&mut self, _on: bool) -> io::Result<()> {
        let text = "a console by command has no break: the keys by which its program sends one do it, if it has them; a \
                    serial port, and `telnet://HOST:PORT`, have one in the bench file";
        Err(io::Error::new(io::ErrorKind::Unsupported, text))
    }
}

impl AsyncRead for CommandStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stdout).poll_read(cx, buf))?;
        if buf.filled().len() > before { Poll::Ready(Ok(())) } else { this.poll_ended(cx).map(Err) }
    }
}

impl AsyncWrite for CommandStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let Some(stdin) = &mut this.stdin else { return this.poll_ended(cx).map(Err) };
        match ready!(Pin::new(stdin).poll_write(cx, buf)) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => this.poll_ended(cx).map(Err),
            result => Poll::Ready(result),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stdin {
            Some(stdin) => Pin::new(stdin).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Ends the program's input and gives it a moment to end by itself.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.stdin = None;
        if let Some(last_words) = &mut this.last_words {
            ready!(last_words.as_mut().poll(cx));
            this.last_words = None;
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::Pid;
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    fn shell(script: &str) -> CommandStream {
        start(&["sh".to_owned(), "-c".to_owned(), script.to_owned()]).unwrap()
    }

    #[tokio::test]
    async fn a_program_is_a_console() {
        let mut console = shell("echo ready; cat");
        let mut greeting = [0; 6];
        console.read_exact(&mut greeting).await.unwrap();
        console.write_all(b"boot\n").await.unwrap();
        let mut echo = [0; 5];
        console.read_exact(&mut echo).await.unwrap();
        assert_eq!((&greeting, &echo), (b"ready\n", b"boot\n"));
    }

    #[tokio::test]
    async fn a_program_that_ends_is_named() {
        // Standard error is closed before standard output, so both are complete at the end.
        let mut console = shell("echo 'no such port' >&2; exec 2>&-; read line; exit 3");
        while console.stderr.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        console.write_all(b"\n").await.unwrap();
        let error = console.read_u8().await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("console command `sh -c"), "{text}");
        assert!(text.contains("it last said: no such port"), "{text}");
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = start(&["/nonexistent/console".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("`/nonexistent/console` cannot be started"), "{error}");
        assert!(matches!(start(&[]), Err(CommandError::Empty)));
    }

    #[tokio::test]
    async fn dropping_the_console_ends_the_whole_process_group() {
        let mut console = shell("sleep 1000 & echo $!; wait");
        let mut line = String::new();
        BufReader::new(&mut console).read_line(&mut line).await.unwrap();
        let grandchild = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        assert!(rustix::process::test_kill_process(grandchild).is_ok());

        drop(console);

        let status = format!("/proc/{}/stat", line.trim());
        // A killed orphan is a zombie until init takes note of it.
        while std::fs::read_to_string(&status).is_ok_and(|text| !text.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    }
}
