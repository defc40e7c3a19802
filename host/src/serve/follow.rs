//! The events of a run as they come, by Server-Sent Events (HTML standard, §9.2).
//!
//! An event's id is the offset of `run.jsonl` behind its line. A client that comes back with the last one that it had goes
//! on there: nothing is lost, and nothing comes twice.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep};

use crate::report::jsonl::is_being_written;

use super::answer::{Body, Pieces};
use super::files;
use super::watched::Lines;

/// How often a file that has no more is looked at again.
const POLL: Duration = Duration::from_millis(200);
/// After how long without an event a line is sent that says nothing: it shows that the client is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// A run and where in it somebody goes on.
#[derive(Debug)]
pub(super) struct Follower {
    file: File,
    path: PathBuf,
    from: u64,
}

/// Why a run cannot be followed from there.
#[derive(Debug, thiserror::Error)]
pub(super) enum FollowError {
    /// The file cannot be read.
    #[error("run.jsonl cannot be read")]
    Read(#[from] io::Error),
    /// No line begins there.
    #[error("no event begins at offset {0} of run.jsonl")]
    Offset(u64),
}

impl Follower {
    /// Of the run in `directory`, from the offset `from` of its `run.jsonl`.
    ///
    /// # Errors
    /// When the file cannot be read, or no line begins there.
    pub(super) fn open(directory: &Path, from: u64) -> Result<Self, FollowError> {
        let path = directory.join("run.jsonl");
        let mut file = files::open(&path)?;
        if let Some(before) = from.checked_sub(1) {
            let mut byte = [0];
            file.seek(SeekFrom::Start(before))?;
            if file.read(&mut byte)? == 0 || byte != *b"\n" {
                return Err(FollowError::Offset(from));
            }
        }
        Ok(Self { file, path, from })
    }

    /// Sends the events until the run has ended or the client has gone; gives `permit` back then.
    pub(super) fn follow(self, permit: OwnedSemaphorePermit) -> Body {
        let (pieces, body) = Body::pieces();
        tokio::spawn(async move {
            // A client that has gone does not want to know; one that is there sees the stream break and comes back.
            if let Err(error) = self.send(&pieces).await {
                let _ = pieces.send(Err(error)).await;
            }
            drop(permit);
        });
        body
    }

    async fn send(self, pieces: &Pieces) -> io::Result<()> {
        let mut file = tokio::fs::File::from_std(self.file);
        file.seek(SeekFrom::Start(self.from)).await?;
        let mut lines = Lines::from(self.from);
        let mut buffer = vec![0; PIECE];
        let (mut has_ended, mut last_sent) = (false, Instant::now());
        let mut next = Bytes::from_static(b"retry: 2000\n\n");
        loop {
            if !next.is_empty() {
                if pieces.send(Ok(next)).await.is_err() {
                    return Ok(());
                }
                last_sent = Instant::now();
            }
            let count = file.read(&mut buffer).await?;
            next = if count > 0 {
                lines.add(buffer.get(..count).unwrap_or_default());
                events(&mut lines)?
            } else if has_ended {
                // Nobody answers for whether this arrives: whoever comes back is told again.
                let _ = pieces.send(Ok(Bytes::from_static(b"event: end\ndata: {}\n\n"))).await;
                return Ok(());
            } else if files::open(&self.path).is_ok_and(|file| is_being_written(&file)) {
                tokio::select! {
                    () = sleep(POLL) => {}
                    () = pieces.closed() => return Ok(()),
                }
                let is_quiet = last_sent.elapsed() > KEEP_ALIVE;
                if is_quiet { Bytes::from_static(b": still here\n\n") } else { Bytes::new() }
            } else {
                // What was written before the writer went is read once more.
                has_ended = true;
                Bytes::new()
            };
        }
    }
}

/// The complete lines as events.
fn events(lines: &mut Lines) -> io::Result<Bytes> {
    let mut text = Vec::new();
    while let Some((_, line)) = lines.next_line()? {
        text.extend_from_slice(format!("id: {}\ndata: ", lines.offset()).as_bytes());
        // JSON has a carriage return between its values only; here one would end the line.
        text.extend(line.into_iter().map(|byte| if byte == b'\r' { b' ' } else { byte }));
        text.extend_from_slice(b"\n\n");
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_the_offset_behind_it_for_an_id() {
        let mut lines = Lines::from(10);
        lines.add(b"{\"seq\":1}\r\n{\"seq\":2}\n{\"se");
        let text = events(&mut lines).unwrap();
        assert_eq!(&*text, b"id: 21\ndata: {\"seq\":1} \n\nid: 31\ndata: {\"seq\":2}\n\n");
    }

    #[test]
    fn a_run_is_followed_from_the_begin_of_a_line_only() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("run.jsonl"), "{}\n{}\n").unwrap();
        for (from, is_right) in
            [(0, true), (1, false), (3, true), (5, false), (6, true), (7, false), (u64::MAX, false)]
        {
            assert_eq!(Follower::open(directory.path(), from).is_ok(), is_right, "{from}");
        }
    }
}
