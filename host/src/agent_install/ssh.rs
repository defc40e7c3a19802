//! A running board, over the user's own `ssh`: their configuration, keys and agent apply.
//!
//! A shell on the board does the work, BusyBox's or another. What is not permitted to the user is done by `sudo` if that asks
//! for no password.

use std::process::Command;
use std::time::Duration;

use super::architecture;
use super::error::InstallError;
use super::layout::{AGENT, DIRECTORY};
use super::manifest::{Manifest, sha256};
use super::program::Program;
use super::status::Installed;
use super::tool::Tool;

/// What the board's shell is told, before the words of each.
const LOOK: &str = include_str!("ssh/look.sh");
const INSTALL: &str = include_str!("ssh/install.sh");
const REMOVE: &str = include_str!("ssh/remove.sh");
const AS_USER: &str = include_str!("ssh/user.sh");

/// What a script's own lines begin with; a log-in may say more.
const MARK: &str = "lava:";

/// `ssh`'s exit code for what went wrong with the connection.
const NO_CONNECTION: i32 = 255;

/// Most of an answer that is read, in bytes: a manifest and the names of links.
const MAX_ANSWER: usize = 1 << 20;

/// Most of what a board says that is told, in bytes.
const MAX_SAID: usize = 2000;

/// A board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshTarget {
    destination: String,
    root: String,
    /// How long one connection may take, with a password that is typed.
    limit: Duration,
}

/// What a board has.
#[derive(Debug, Default)]
pub(super) struct Looked {
    machine: String,
    has_directory: bool,
    manifest: String,
    sha256: Option<String>,
    cannot_sum: bool,
    links: Vec<String>,
    program: Option<String>,
    leftovers: Vec<String>,
    has_foreign: bool,
    is_whole: bool,
}

impl SshTarget {
    /// Reads `ssh:[USER@]HOST` or `ssh://[USER@]HOST[:PORT]`; `None` for anything else. One connection may take as long as
    /// `limit`.
    pub fn parse(text: &str, limit: Duration) -> Option<Self> {
        let rest = text.strip_prefix("ssh:")?;
        let destination = if rest.starts_with("//") { text } else { rest };
        // Nothing that `ssh` would take for an option.
        let is_name = !rest.trim_start_matches('/').is_empty() && !destination.starts_with('-');
        is_name.then(|| Self { destination: destination.to_owned(), root: String::new(), limit })
    }

    /// Another root filesystem than the one that the board has booted from, mounted at `root` there.
    ///
    /// # Errors
    /// [`InstallError::Option`] if it is no absolute path.
    pub(super) fn with_root(self, root: &str) -> Result<Self, InstallError> {
        if !root.starts_with('/') || root.split('/').any(|part| part == "..") {
            return Err(InstallError::Option { option: "--root with anything but an absolute path" });
        }
        Ok(Self { root: root.trim_end_matches('/').to_owned(), ..self })
    }

    /// Asks the board what it has.
    ///
    /// # Errors
    /// [`InstallError::Board`] if it does not answer.
    pub(super) fn look(&self) -> Result<Looked, InstallError> {
        let looked = Looked::parse(&self.run(LOOK, &[], &[])?);
        if looked.is_whole { Ok(looked) } else { Err(unanswered()) }
    }

    /// Installs `program`.
    ///
    /// # Errors
    /// [`InstallError::Board`] with what the board says.
    pub(super) fn install(&self, program: &Program) -> Result<(), InstallError> {
        let manifest = Manifest::new(program, Vec::new());
        let (size, text) = (program.binary.len().to_string(), manifest.text());
        let mut words = vec![size.as_str(), &manifest.sha256, &text];
        words.extend(manifest.links.iter().map(String::as_str));
        self.change(INSTALL, &words, &program.binary)
    }

    /// Removes the installation.
    ///
    /// # Errors
    /// [`InstallError::Board`] with what the board says.
    pub(super) fn remove(&self) -> Result<(), InstallError> {
        self.change(REMOVE, &[], &[])
    }

    fn change(&self, script: &str, words: &[&str], input: &[u8]) -> Result<(), InstallError> {
        let answer = self.run(script, words, input)?;
        if answer.lines().any(|line| line == "lava:end") { Ok(()) } else { Err(unanswered()) }
    }

    /// Runs `script` on the board with the root and `words` as its arguments and `input` as its input; returns its output.
    fn run(&self, script: &str, words: &[&str], input: &[u8]) -> Result<String, InstallError> {
        let mut command = String::from("exec sh -c");
        for word in [AS_USER, "lava-agent", script, "lava-agent", &self.root].iter().chain(words) {
            command.push_str(&format!(" '{}'", word.replace('\'', r"'\''")));
        }
        let mut ssh = Command::new("ssh");
        ssh.args(["-T", "-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=15", "--", &self.destination]);
        ssh.arg(command);
        let tool = Tool {
            name: "ssh",
            package: "openssh-client",
            limit: self.limit,
            most: MAX_ANSWER,
            input,
            asks: true,
        };
        let output = tool.run(ssh)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(refused(output.status.code(), &String::from_utf8_lossy(&output.stderr)))
    }
}

fn unanswered() -> InstallError {
    InstallError::Board {
        said: "what answers is no shell: its output has no end".to_owned(),
        help: Some("log in as a user with a POSIX shell"),
    }
}

fn refused(code: Option<i32>, stderr: &str) -> InstallError {
    let said = stderr.trim();
    let end = said.char_indices().map(|(at, _)| at).take_while(|at| *at <= MAX_SAID).last().unwrap_or(0);
    let said = if said.len() > MAX_SAID { said.get(..end).unwrap_or_default() } else { said };
    let help = match said {
        _ if code == Some(NO_CONNECTION) => {
            Some("try `ssh` by hand first: the same options and keys are used")
        }
        said if said.contains("Read-only file system") => Some("make it writable: `mount -o remount,rw /`"),
        said if said.contains("ermission denied") || said.contains("sudo: ") => {
            Some("log in as root, or let `sudo` be used there without a password")
        }
        said if said.contains("No space left") => Some("make room there; nothing was changed"),
        _ => None,
    };
    let said = if said.is_empty() {
        format!("it ended with exit code {}", code.unwrap_or(-1))
    } else {
        said.to_owned()
    };
    InstallError::Board { said, help }
}

impl Looked {
    fn parse(text: &str) -> Self {
        let mut looked = Self::default();
        for line in text.lines().filter_map(|line| line.strip_prefix(MARK)) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match word {
                "machine" => looked.machine = rest.to_owned(),
                "directory" => looked.has_directory = true,
                "manifest" => looked.manifest.extend([rest, "\n"]),
                "sha256" => looked.sha256 = Some(rest.to_owned()),
                "unsummed" => looked.cannot_sum = true,
                "link" => looked.links.push(rest.to_owned()),
                "leftover" => looked.leftovers.push(rest.to_owned()),
                "foreign" => looked.has_foreign = true,
                "program" => looked.program = Some(rest.to_owned()),
                "end" => looked.is_whole = true,
                _ => {}
            }
        }
        looked
    }

    /// The agent's architecture for the board.
    ///
    /// # Errors
    /// [`InstallError::UnknownArchitecture`].
    pub(super) fn arch(&self) -> Result<&'static str, InstallError> {
        architecture::of_uname(&self.machine).ok_or(InstallError::UnknownArchitecture)
    }

    /// The installation on the board.
    ///
    /// # Errors
    /// [`InstallError::Occupied`] if something else is there.
    pub(super) fn installed(&self) -> Result<Option<Installed>, InstallError> {
        if self.program.as_ref().is_some_and(|target| target != AGENT) {
            return Err(InstallError::Occupied { path: "usr/bin/lava-agent".to_owned() });
        }
        if !self.has_directory && self.leftovers.is_empty() {
            return Ok(None);
        }
        let manifest = Manifest::parse(self.manifest.as_bytes());
        // Without a program for it nothing can be said against the file.
        let unsummed = manifest.as_ref().filter(|_| self.cannot_sum).map(|manifest| manifest.sha256.as_str());
        let digest = self.sha256.as_deref().or(unsummed);
        let is_link = |name: &str| Ok(self.links.iter().any(|link| link == name));
        let has_link = self.program.is_some();
        let installed =
            Installed::compare(DIRECTORY.to_owned(), manifest.as_ref(), digest, is_link, has_link)?;
        let is_ours = manifest.is_some() || !self.has_foreign;
        Ok(Some(match is_ours && (manifest.is_none() || !self.leftovers.is_empty()) {
            true => {
                installed.with_interrupted(self.leftovers.len(), self.leftovers.first().map(String::as_str))
            }
            false => installed,
        }))
    }
}

/// Whether `installed` is what installing `program` would make.
pub(super) fn is_same(looked: &Looked, program: &Program) -> bool {
    let whole = looked.installed().ok().flatten().is_some_and(|installed| installed.problems.is_empty());
    let manifest = Manifest::parse(looked.manifest.as_bytes());
    whole
        && manifest.is_some_and(|manifest| {
            manifest.sha256 == sha256(&program.binary)
                && manifest.links == Manifest::new(program, Vec::new()).links
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_those_of_ssh() {
        let destination =
            |text| SshTarget::parse(text, Duration::from_secs(60)).map(|target| target.destination);
        assert_eq!(destination("ssh:debian@bbb.lan").as_deref(), Some("debian@bbb.lan"));
        assert_eq!(destination("ssh://root@bbb:2222").as_deref(), Some("ssh://root@bbb:2222"));
        for other in ["ssh:", "ssh://", "ssh:-oProxyCommand=reboot", "rootfs.tar", "/ssh:x"] {
            assert_eq!(destination(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_login_says_is_not_taken_for_an_answer() {
        let looked = Looked::parse("Welcome!\nlava:machine armv7l\nlava:directory\nmachine x\nlava:end\n");
        assert_eq!(looked.arch().ok(), Some("armv7"));
        let installed = looked.installed().ok().flatten().map(|installed| installed.problems.len());
        // Manifest, agent and link.
        assert_eq!(installed, Some(3));
        assert!(!Looked::parse("lava:machine armv7l\n").is_whole);
    }

    #[test]
    fn refusals_say_what_to_do() {
        let help = |code, said: &str| match refused(Some(code), said) {
            InstallError::Board { help, .. } => help.unwrap_or_default(),
            other => panic!("{other:?}"),
        };
        assert!(help(1, "mkdir: cannot create '/usr/lib/x': Read-only file system").contains("remount,rw"));
        assert!(help(1, "mkdir: can't create directory: Permission denied").contains("root"));
        assert!(help(255, "ssh: Could not resolve hostname bbb").contains("by hand"));
        assert_eq!(refused(Some(3), "").to_string(), "it ended with exit code 3");
    }
}
