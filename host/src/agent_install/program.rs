//! The agents that can be installed, and what a line or a file says of itself.

use std::fmt;
use std::path::{Path, PathBuf};

use protocol::version;
use serde::{Deserialize, Serialize};

use super::error::InstallError;

/// Largest agent that is believed to be one, in bytes.
pub(crate) const MAX_AGENT: u64 = 8 << 20;

/// What the line begins with that an agent prints for `--version`.
const LINE: &str = "lava-agent ";

/// Most bytes of that line.
const MAX_LINE: usize = 80;

/// Which agent it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Its version.
    pub version: String,
    /// Its architecture, such as `armv7`.
    pub arch: String,
    /// Oldest and newest version of the protocol that it speaks.
    pub protocol: [u8; 2],
}

impl Build {
    /// Reads the line that an agent prints for `--version`: `lava-agent 0.1.0 armv7 protocol 1-1`.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.trim_end().strip_prefix(LINE)?.split(' ');
        let (version, arch) = (words.next()?, words.next()?);
        let range = words.next().filter(|word| *word == "protocol").and_then(|_| words.next())?;
        let (min, max) = range.split_once('-')?;
        let is_plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte))
        };
        let is_whole = is_plain(version) && is_plain(arch) && words.next().is_none();
        let protocol = [min.parse().ok()?, max.parse().ok()?];
        is_whole.then(|| Self { version: version.to_owned(), arch: arch.to_owned(), protocol })
    }

    /// Whether this host-runner and the agent speak a version of the protocol that both know.
    pub fn is_compatible(&self) -> bool {
        let [min, max] = self.protocol;
        min <= version::CURRENT && max >= version::MIN
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lava-agent {} for {}", self.version, self.arch)
    }
}

/// An agent.
#[derive(Clone, Debug)]
pub struct Program {
    /// Which one it is.
    pub build: Build,
    /// The file.
    pub binary: Vec<u8>,
}

impl Program {
    /// Takes a file for an agent; `None` if it does not say that it is one.
    pub(super) fn new(binary: Vec<u8>) -> Option<Self> {
        let build = find_build(&binary)?;
        Some(Self { build, binary })
    }
}

/// Finds the line of `--version` in a program.
pub(super) fn find_build(binary: &[u8]) -> Option<Build> {
    let mut rest = binary;
    while let Some(at) = rest.windows(LINE.len()).position(|bytes| bytes == LINE.as_bytes()) {
        rest = rest.get(at..)?;
        let line = rest.get(..MAX_LINE).unwrap_or(rest);
        let line = line.split(|byte| *byte == b'\n').next().and_then(|line| std::str::from_utf8(line).ok());
        if let Some(build) = line.and_then(Build::parse) {
            return Some(build);
        }
        rest = rest.get(LINE.len()..)?;
    }
    None
}

/// Reads the agent for `arch` from the first of `directories` that has one as `ARCH/lava-agent`.
///
/// # Errors
/// [`InstallError::NoAgent`] where none has, or what keeps the file from being read.
pub fn program_in(directories: &[PathBuf], arch: &str) -> Result<Program, InstallError> {
    let tried: Vec<PathBuf> =
        directories.iter().map(|directory| directory.join(arch).join("lava-agent")).collect();
    let Some(path) = tried.iter().find(|path| path.exists()) else {
        return Err(InstallError::NoAgent { arch: arch.to_owned(), tried });
    };
    let program = Program::new(read_bounded(path)?);
    program
        .filter(|program| program.build.arch == arch)
        .ok_or_else(|| InstallError::NotAnAgent { path: path.clone(), arch: arch.to_owned() })
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, InstallError> {
    let failed = InstallError::io("read", path);
    match std::fs::metadata(path) {
        Ok(file) if file.len() > MAX_AGENT => Err(failed(std::io::ErrorKind::FileTooLarge.into())),
        Ok(_) => std::fs::read(path).map_err(failed),
        Err(source) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_line_tells_the_build() {
        let build = Build { version: "0.1.0-rc.1".to_owned(), arch: "x86_64".to_owned(), protocol: [1, 12] };
        assert_eq!(Build::parse("lava-agent 0.1.0-rc.1 x86_64 protocol 1-12\r\n"), Some(build));
        let others = [
            "lava-agent 0.1.0 armv7",
            "lava-agent 0.1.0 armv7 protocol 1",
            "lava-agent 0.1.0 armv7 protocol 1-1 more",
            "lava-agent 0.1.0 armv7 protocol 1-999",
            "lava-agent 0.1.0 $(reboot) protocol 1-1",
            "x lava-agent 0.1.0 armv7 protocol 1-1",
            "lava-agent: not found",
        ];
        for line in others {
            assert_eq!(Build::parse(line), None, "{line}");
        }
    }

    #[test]
    fn the_line_is_found_in_a_program() {
        let program =
            b"\x7fELF\0lava-agent: runs\0lava-agent lava-agent 1.2.3 armv7 protocol 1-2\nlava-agent console";
        assert_eq!(find_build(program).map(|build| build.protocol), Some([1, 2]));
        assert_eq!(find_build(b"\x7fELF lava-agent console [--baud RATE]\n"), None);
    }

    #[test]
    fn a_common_version_is_what_makes_compatible() {
        let speaks = |protocol| Build { version: String::new(), arch: String::new(), protocol };
        let current = version::CURRENT;
        assert!(speaks([current, current + 5]).is_compatible());
        assert!(!speaks([current + 1, current + 5]).is_compatible());
        assert!(!speaks([0, version::MIN - 1]).is_compatible());
    }
}
