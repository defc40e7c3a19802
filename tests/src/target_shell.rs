//! A target of which there is nothing but a shell: a real one, on a serial line, with just the programs that it is given.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::pacer::Pacer;

/// Bits on a serial line for one byte: start, eight of data, stop.
const BITS_PER_BYTE: u32 = 10;

/// Where this PC's programs are looked for.
const SEARCH: [&str; 4] = ["/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// Programs that every target has.
const BASIC: [&str; 7] = ["cat", "chmod", "dd", "mkdir", "rm", "rmdir", "stty"];

/// What the shell's prompt begins with.
pub const PROMPT: &str = "root@target:";

/// A shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    /// With readline: its own echo, escape sequences.
    Bash,
    /// The terminal's echo.
    Dash,
    /// BusyBox' ash with its own line editor.
    Busybox,
}

impl Shell {
    fn command(self) -> io::Result<Vec<String>> {
        let (program, arguments): (_, &[&str]) = match self {
            Self::Bash => ("bash", &["--norc", "--noprofile", "-i"]),
            Self::Dash => ("dash", &["-i"]),
            Self::Busybox => ("busybox", &["sh", "-i"]),
        };
        let program = find(program)?.display().to_string();
        Ok([&[program][..], &arguments.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()].concat())
    }
}

/// The target; it ends when it is dropped.
#[derive(Debug)]
pub struct TargetShell {
    line: Pacer,
    directory: TempDir,
    shell: Child,
}

impl TargetShell {
    /// Starts `shell` on a line of `baud`, with what every target has and `programs` in its search path.
    ///
    /// A name such as `busybox:uudecode` is BusyBox under another.
    ///
    /// # Errors
    /// When a program is not on this PC, or the system refuses.
    pub fn start(shell: Shell, programs: &[&str], baud: u32) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("target-").tempdir()?;
        let bin = directory.path().join("bin");
        fs::create_dir(&bin)?;
        for name in BASIC.iter().chain(programs) {
            let (program, name) = name.split_once(':').unwrap_or((name, name));
            symlink(find(program)?, bin.join(name))?;
        }
        let line = Pacer::new(baud / BITS_PER_BYTE)?;
        let tty = line.board.open()?;
        cook(&tty)?;
        // Its controlling terminal, for Ctrl-C.
        let shell = Command::new(find("setsid")?)
            .args(["--ctty", "--wait"])
            .args(shell.command()?)
            .env_clear()
            .env("PATH", &bin)
            .env("PS1", format!("{PROMPT}~# "))
            .env("TERM", "vt100")
            // No place for a history: it would be written while the directory is removed.
            .env("HOME", "/nonexistent")
            .current_dir(directory.path())
            .stdin(tty.try_clone()?)
            .stdout(tty.try_clone()?)
            .stderr(tty)
            .spawn()?;
        Ok(Self { line, directory, shell })
    }

    /// The runner's end of the line.
    pub fn port(&self) -> &Path {
        self.line.runner.path()
    }

    /// A directory of its own.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for TargetShell {
    fn drop(&mut self) {
        // One that has ended is as good; its shell finds its terminal hung up.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// Lines with echo, as getty leaves a terminal.
fn cook(tty: &fs::File) -> io::Result<()> {
    use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};
    let mut settings = tcgetattr(tty)?;
    settings.local_modes |= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHOE | LocalModes::ISIG;
    settings.input_modes |= InputModes::ICRNL;
    settings.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    Ok(tcsetattr(tty, OptionalActions::Now, &settings)?)
}

fn find(program: &str) -> io::Result<PathBuf> {
    let places = SEARCH.iter().map(|directory| Path::new(directory).join(program));
    let absent = || io::Error::new(io::ErrorKind::NotFound, format!("there is no `{program}` on this PC"));
    places.into_iter().find(|path| path.exists()).ok_or_else(absent)
}
