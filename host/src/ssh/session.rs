//! An authenticated connection: commands and files.

use std::fmt;
use std::time::Duration;

use russh::client::Handle;
use russh::{ChannelMsg, Disconnect};
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::connect::{End, Handler, Socket};
use super::{ExecStatus, SshChannel, SshError};
use crate::shell::quote;

/// How long the host may take to open a channel and to start a command.
const EXEC_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the host may take for one [`UPLOAD_CHUNK`] of a file, and for what follows the last.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a file that are timed together.
const UPLOAD_CHUNK: usize = 256 * 1024;

/// How long saying goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// A session on a host. Dropping it ends the connection and all of its channels.
pub struct SshSession {
    handle: Handle<Handler>,
    end: End,
    /// Last, so that the connection outlives the handle.
    _socket: Socket,
}

impl fmt::Debug for SshSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SshSession").field("end", &self.end).finish_non_exhaustive()
    }
}

impl SshSession {
    pub(super) fn new(handle: Handle<Handler>, socket: Socket, end: End) -> Self {
        Self { handle, end, _socket: socket }
    }

    /// Starts `command`, which the user's shell interprets, without a terminal.
    ///
    /// # Errors
    /// [`SshError::Refused`], [`SshError::Lost`], or [`SshError::Timeout`] after 30 s.
    pub async fn exec(&self, command: &str) -> Result<SshChannel, SshError> {
        timeout(EXEC_TIMEOUT, self.start(command))
            .await
            .map_err(|_| SshError::Timeout { awaited: "start of a command over SSH", limit: EXEC_TIMEOUT })?
    }

    async fn start(&self, command: &str) -> Result<SshChannel, SshError> {
        let failed = |error| match error {
            russh::Error::ChannelOpenFailure(_) => SshError::Refused { command: command.to_owned() },
            error => SshError::Lost { reason: self.end.reason(&error.to_string()) },
        };
        let mut channel = self.handle.channel_open_session().await.map_err(failed)?;
        channel.exec(true, command).await.map_err(failed)?;
        loop {
            match channel.wait().await {
                Some(ChannelMsg::Success) => return Ok(SshChannel::new(channel, self.end.clone())),
                Some(ChannelMsg::Failure | ChannelMsg::Close) => {
                    return Err(SshError::Refused { command: command.to_owned() });
                }
                Some(_) => {}
                None => {
                    return Err(SshError::Lost { reason: self.end.reason("before the command was started") });
                }
            }
        }
    }

    /// Writes `bytes` to the file `path` with permissions `mode`, by the host's shell alone.
    ///
    /// Missing directories are made, for the user only. The file appears with its whole content or not at all.
    ///
    /// # Errors
    /// [`SshError::Upload`] with the shell's own words; [`SshError::Timeout`] when the host stops taking bytes for 30 s.
    pub async fn upload(&self, path: &str, mode: u32, bytes: &[u8]) -> Result<(), SshError> {
        let mut channel = self.exec(&upload_command(path, mode)).await?;
        for chunk in bytes.chunks(UPLOAD_CHUNK) {
            let written = timeout(UPLOAD_TIMEOUT, channel.write_all(chunk)).await;
            match written {
                Ok(Ok(())) => {}
                // The shell has ended early, and its status says why.
                Ok(Err(_)) => break,
                Err(_) => {
                    return Err(SshError::Timeout {
                        awaited: "progress of an upload",
                        limit: UPLOAD_TIMEOUT,
                    });
                }
            }
        }
        let end = channel.finish(UPLOAD_TIMEOUT).await?;
        if end.status == ExecStatus::Code(0) {
            return Ok(());
        }
        Err(SshError::Upload {
            path: path.to_owned(),
            status: end.status,
            stderr: end.stderr.trim().to_owned(),
        })
    }

    /// Says goodbye and ends the connection.
    pub async fn close(self) {
        // The connection ends in any case, when the socket is dropped.
        let _ = timeout(CLOSE_TIMEOUT, self.handle.disconnect(Disconnect::ByApplication, "", "en")).await;
        let _ = timeout(CLOSE_TIMEOUT, self.handle).await;
    }
}

/// The shell command that takes a file from its standard input.
fn upload_command(path: &str, mode: u32) -> String {
    let directory = match path.rsplit_once('/') {
        Some(("", _)) => "/",
        Some((directory, _)) => directory,
        None => ".",
    };
    let (directory, part, path) = (quote(directory), quote(&format!("{path}.part")), quote(path));
    // By another name first: a program that runs cannot be written to, but it can be replaced.
    format!(
        "umask 077 && mkdir -p -- {directory} && cat > {part} && chmod {mode:o} -- {part} && mv -f -- {part} {path}",
        mode = mode & 0o7777
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upload_command_survives_any_path() {
        assert_eq!(
            upload_command("/lava-1/it's a $(test)", 0o755),
            r"umask 077 && mkdir -p -- '/lava-1' && cat > '/lava-1/it'\''s a $(test).part' && chmod 755 -- '/lava-1/it'\''s a $(test).part' && mv -f -- '/lava-1/it'\''s a $(test).part' '/lava-1/it'\''s a $(test)'"
        );
        assert!(upload_command("/file", 0o644).contains("mkdir -p -- '/' &&"));
        assert!(upload_command("file", 0o644).contains("mkdir -p -- '.' &&"));
    }
}
