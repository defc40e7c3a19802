//! Files that the runner sends: one at a time, below the agent's directory.

use protocol::AgentToHost;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::{Errno, Result};

use crate::path::{self, PathText};
use crate::stdio;

/// What is being received.
#[derive(Default)]
pub(crate) struct Reception {
    open: Option<Open>,
}

struct Open {
    /// The file, or why it is not written (any more); what follows is dropped until the runner closes it.
    file: Result<OwnedFd>,
    mode: Mode,
    bytes: u32,
}

impl Reception {
    /// Begins a file; one that is still open is ended first, with its answer.
    pub(crate) fn open(&mut self, directory: &str, path: &str, mode: u32) -> Option<AgentToHost<'static>> {
        let unfinished = self.open.take().map(|open| open.finish());
        self.open =
            Some(Open { file: create(directory, path), mode: Mode::from_raw_mode(mode & 0o7777), bytes: 0 });
        unfinished
    }

    /// Appends to the file that is open.
    pub(crate) fn append(&mut self, data: &[u8]) {
        let Some(open) = &mut self.open else { return };
        if let Ok(file) = &open.file {
            match stdio::write_all(file.as_fd(), data) {
                Ok(()) => open.bytes = open.bytes.saturating_add(data.len() as u32),
                Err(errno) => open.file = Err(errno),
            }
        }
    }

    /// Ends the file that is open.
    pub(crate) fn close(&mut self) -> AgentToHost<'static> {
        self.open.take().map_or(done(Err(Errno::BADF), 0), |open| open.finish())
    }
}

impl Open {
    fn finish(self) -> AgentToHost<'static> {
        done(self.file.and_then(|file| rustix::fs::fchmod(&file, self.mode)), self.bytes)
    }
}

fn done(result: Result<()>, bytes: u32) -> AgentToHost<'static> {
    AgentToHost::FileDone { errno: result.err().map_or(0, number), bytes }
}

/// Returns the number of an error as the protocol carries it.
pub(crate) fn number(errno: Errno) -> u16 {
    u16::try_from(errno.raw_os_error().unsigned_abs()).unwrap_or(u16::MAX)
}

/// Creates a file and its parents. An old file gives way to the new one, also where it is a program that runs.
fn create(directory: &str, path: &str) -> Result<OwnedFd> {
    if !path::stays_below(path) {
        return Err(Errno::INVAL);
    }
    for (end, _) in path.match_indices('/') {
        let parent = joined(directory, path.get(..end).unwrap_or_default())?;
        match rustix::fs::mkdirat(CWD, parent.as_c_str(), Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
    }
    let whole = joined(directory, path)?;
    match rustix::fs::unlinkat(CWD, whole.as_c_str(), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(errno) => return Err(errno),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(CWD, whole.as_c_str(), flags, Mode::from_raw_mode(0o600))
}

/// Joins the agent's directory and a path below it.
///
/// # Errors
/// `ENAMETOOLONG` if that is longer than a path may be here.
pub(crate) fn joined(directory: &str, path: &str) -> Result<PathText> {
    PathText::join(&[directory.as_bytes(), b"/", path.as_bytes()]).ok_or(Errno::NAMETOOLONG)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("lava-agent-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("the temporary directory is writable");
            Self(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().expect("a plain name")
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_file_arrives_with_its_parents_and_mode() {
        let scratch = Scratch::new("file");
        let mut reception = Reception::default();
        assert_eq!(reception.open(scratch.path(), "0/tests/run.sh", 0o755), None);
        reception.append(b"echo ");
        reception.append(b"hello\n");
        assert_eq!(reception.close(), AgentToHost::FileDone { errno: 0, bytes: 11 });
        let file = scratch.0.join("0/tests/run.sh");
        assert_eq!(fs::read(&file).expect("written"), b"echo hello\n");
        assert_eq!(fs::metadata(&file).expect("written").permissions().mode() & 0o7777, 0o755);
    }

    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let scratch = Scratch::new("link");
        fs::write(scratch.0.join("victim"), "safe").expect("writable");
        std::os::unix::fs::symlink(scratch.0.join("victim"), scratch.0.join("name")).expect("writable");
        let mut reception = Reception::default();
        reception.open(scratch.path(), "name", 0o644);
        reception.append(b"new");
        assert_eq!(reception.close(), AgentToHost::FileDone { errno: 0, bytes: 3 });
        assert_eq!(fs::read(scratch.0.join("victim")).expect("there"), b"safe");
        assert_eq!(fs::read(scratch.0.join("name")).expect("there"), b"new");
    }

    #[test]
    fn what_cannot_be_written_is_told_once_when_it_is_closed() {
        let mut reception = Reception::default();
        reception.open("/proc", "../etc/x", 0o644);
        reception.append(b"lost");
        assert_eq!(reception.close(), AgentToHost::FileDone { errno: number(Errno::INVAL), bytes: 0 });
        assert_eq!(reception.close(), AgentToHost::FileDone { errno: number(Errno::BADF), bytes: 0 });
    }

    #[test]
    fn a_second_file_ends_the_first() {
        let scratch = Scratch::new("second");
        let mut reception = Reception::default();
        reception.open(scratch.path(), "one", 0o644);
        reception.append(b"1");
        assert_eq!(
            reception.open(scratch.path(), "two", 0o644),
            Some(AgentToHost::FileDone { errno: 0, bytes: 1 })
        );
        assert_eq!(reception.close(), AgentToHost::FileDone { errno: 0, bytes: 0 });
    }
}
