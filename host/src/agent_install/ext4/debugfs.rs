//! e2fsprogs' `debugfs` and `e2undo`.
//!
//! Both are always told the file by an absolute path, and run in a directory of their own, so that the names in their commands
//! are ours.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::superblock;
use crate::agent_install::error::InstallError;
use crate::agent_install::tool::{Ended, Tool};

const PACKAGE: &str = "e2fsprogs";
/// The files in the directory.
const COMMANDS: &str = "commands";
const UNDO: &str = "undo";
const SUPERBLOCK: &str = "superblock";
/// Bytes that are taken of what a tool says while it writes.
const NOTHING: usize = 0;
/// Most bytes that an answer of `debugfs` may have.
const MAX_ANSWER: usize = 16 << 20;
/// Most bytes of a symbolic link's target, as Linux has it.
const MAX_TARGET: usize = 4096;
/// Lines of what a tool says that are told.
const SAID_LINES: usize = 4;

/// A file system, by the tool for it.
#[derive(Debug)]
pub(super) struct Debugfs {
    image: PathBuf,
    offset: u64,
    directory: TempDir,
    /// How long one run of a tool may take.
    limit: Duration,
}

/// An entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its name.
    pub(super) name: String,
    /// Type and permission bits, as in `st_mode`.
    pub(super) mode: u32,
    /// Bytes, if it is a file.
    pub(super) size: u64,
}

/// A path as a word of a command.
///
/// # Errors
/// [`InstallError::OddPath`] where quoting would be needed.
pub(super) fn quoted(path: &str) -> Result<String, InstallError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._+-".contains(&byte);
    if path.bytes().all(is_plain) {
        Ok(format!("/{path}"))
    } else {
        Err(InstallError::OddPath { path: path.to_owned() })
    }
}

impl Debugfs {
    /// For the file system at byte `offset` of `image`, an absolute path.
    pub(super) fn new(image: &Path, offset: u64, limit: Duration) -> Result<Self, InstallError> {
        let directory = tempfile::tempdir();
        let directory = directory.map_err(InstallError::io("write into", &std::env::temp_dir()))?;
        Ok(Self { image: image.to_owned(), offset, directory, limit })
    }

    /// What [`change`](Self::change) calls the file with content number `index`.
    pub(super) fn content(index: usize) -> String {
        format!("content-{index}")
    }

    /// Lists the directory at `path`; none if there is no such directory.
    pub(super) fn list(&self, path: &str) -> Result<Vec<Entry>, InstallError> {
        let (answer, said) = self.ask(&format!("ls -p {}", quoted(path)?), MAX_ANSWER)?;
        if answer.is_empty() && !said.is_empty() && !is_absent(&said) {
            return Err(InstallError::Tool { program: "debugfs", said });
        }
        Ok(String::from_utf8_lossy(&answer).lines().filter_map(entry).collect())
    }

    /// The target of the symbolic link at `path`; `None` if it is not UTF-8.
    pub(super) fn read_link(&self, path: &str) -> Result<Option<String>, InstallError> {
        let path = quoted(path)?;
        let (stat, _) = self.ask(&format!("stat {path}"), MAX_ANSWER)?;
        let stat = String::from_utf8_lossy(&stat);
        let fast = stat.lines().find_map(|line| line.strip_prefix("Fast link dest: \"")?.strip_suffix('"'));
        if let Some(target) = fast {
            return Ok(Some(target.to_owned()));
        }
        // A long one is in a block, like data.
        let (target, _) = self.ask(&format!("cat {path}"), MAX_TARGET)?;
        Ok(String::from_utf8(target).ok())
    }

    /// The file at `path`, at most its first `limit` bytes.
    pub(super) fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, InstallError> {
        self.ask(&format!("cat {}", quoted(path)?), limit).map(|(content, _)| content)
    }

    /// Does all of `commands`, or none; `contents` are what they write. [`undo`](Self::undo) can still take it back.
    pub(super) fn change<'c>(
        &self,
        contents: impl Iterator<Item = (usize, &'c [u8])>,
        commands: &[String],
    ) -> Result<(), InstallError> {
        let directory = self.directory.path();
        let failed = InstallError::io("write into", directory);
        for (index, content) in contents {
            fs::write(directory.join(Self::content(index)), content).map_err(&failed)?;
        }
        fs::write(directory.join(COMMANDS), commands.join("\n") + "\n").map_err(&failed)?;
        // debugfs appends to one of an earlier change.
        let _ = fs::remove_file(directory.join(UNDO));
        let superblock = superblock::bytes(&self.image, self.offset)?;
        fs::write(directory.join(SUPERBLOCK), superblock).map_err(&failed)?;
        let mut command = self.command("debugfs");
        command.args(["-w", "-z", UNDO, "-f", COMMANDS]).arg(self.device());
        let output = match self.run("debugfs", command, NOTHING) {
            Ok(output) => output,
            Err(late) => {
                self.undo()?;
                return Err(late);
            }
        };
        let said = said(&output.stderr);
        if !output.status.success() || !said.is_empty() {
            self.undo()?;
            return Err(InstallError::Tool { program: "debugfs", said });
        }
        Ok(())
    }

    /// Takes the last change back.
    ///
    /// # Errors
    /// When that is not possible; the file system is damaged then.
    pub(super) fn undo(&self) -> Result<(), InstallError> {
        if !self.directory.path().join(UNDO).exists() {
            return Ok(());
        }
        let mut command = self.command("e2undo");
        command.args(["-o", &self.offset.to_string(), UNDO]).arg(&self.image);
        let output = self.run("e2undo", command, NOTHING)?;
        if !output.status.success() {
            return Err(InstallError::Tool { program: "e2undo", said: said(&output.stderr) });
        }
        // Behind an offset e2undo (1.47) restores all but this.
        let failed = InstallError::io("write", &self.image);
        let superblock = fs::read(self.directory.path().join(SUPERBLOCK)).map_err(&failed)?;
        let image = fs::File::options().write(true).open(&self.image).map_err(&failed)?;
        let place = self.offset + superblock::PLACE;
        image.write_all_at(&superblock, place).and_then(|()| image.sync_all()).map_err(failed)
    }

    /// Asks one thing, and takes at most `limit` bytes of the answer; what was said of errors is the second.
    fn ask(&self, request: &str, limit: usize) -> Result<(Vec<u8>, String), InstallError> {
        let mut command = self.command("debugfs");
        command.args(["-R", request]).arg(self.device());
        // A longer answer ends at the closed pipe, and what it says of that is no error of the file system.
        let Ended { stdout, stderr, .. } = self.run("debugfs", command, limit)?;
        Ok((stdout, said(&stderr)))
    }

    fn run(&self, name: &'static str, command: Command, most: usize) -> Result<Ended, InstallError> {
        Tool { name, package: PACKAGE, limit: self.limit, most, input: &[], asks: false }.run(command)
    }

    fn command(&self, program: &'static str) -> Command {
        let mut command = Command::new(find(program));
        command.current_dir(self.directory.path());
        command.env("LC_ALL", "C").env("DEBUGFS_PAGER", "cat").env("PAGER", "cat");
        command
    }

    /// The image as `debugfs` wants it.
    fn device(&self) -> OsString {
        let mut device = self.image.clone().into_os_string();
        if self.offset > 0 {
            device.push(format!("?offset={}", self.offset));
        }
        device
    }
}

/// Where a tool is: Debian keeps it out of a user's `PATH`.
fn find(program: &'static str) -> PathBuf {
    let places = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&places).chain(["/usr/sbin", "/sbin"].map(Into::into));
    places.map(|place| place.join(program)).find(|path| path.exists()).unwrap_or_else(|| program.into())
}

/// What a tool said on standard error, without its name and version.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines = lines.filter(|line| !["debugfs 1.", "e2undo 1."].iter().any(|name| line.starts_with(name)));
    lines.take(SAID_LINES).collect::<Vec<_>>().join("; ")
}

fn is_absent(said: &str) -> bool {
    ["File not found", "Ext2 inode is not a directory"].iter().any(|text| said.contains(text))
}

/// Reads `/14/100755/0/0/name/309/`.
fn entry(line: &str) -> Option<Entry> {
    let mut fields = line.strip_prefix('/')?.split('/');
    let inode: u64 = fields.next()?.parse().ok()?;
    let mode = u32::from_str_radix(fields.next()?, 8).ok()?;
    let name = fields.nth(2)?.to_owned();
    let size = fields.next().and_then(|size| size.parse().ok()).unwrap_or(0);
    (inode > 0 && !matches!(name.as_str(), "." | "..")).then_some(Entry { name, mode, size })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_and_the_directory_itself_is_left_out() {
        let text = "/13/040755/0/0/.//\n/12/040755/0/0/..//\n/15/120777/0/0/l/1/\n/14/100755/0/0/c/309/\n\n/0/0/0/0/gone/0/\n";
        let entries: Vec<Entry> = text.lines().filter_map(entry).collect();
        let expected = [("l", 0o120_777, 1), ("c", 0o100_755, 309)];
        let expected = expected.map(|(name, mode, size)| Entry { name: name.to_owned(), mode, size });
        assert_eq!(entries, expected);
    }

    #[test]
    fn names_that_would_need_quotes_are_refused() {
        assert_eq!(quoted("usr/lib").ok().as_deref(), Some("/usr/lib"));
        for path in ["usr/my lib", "a\"b", "a\nrm b", "<2>"] {
            assert!(quoted(path).is_err(), "{path}");
        }
    }
}
