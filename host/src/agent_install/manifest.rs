//! `manifest.toml`: what was installed.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::program::{Build, Program};

/// Most bytes of a manifest that is believed to be one.
pub(super) const MAX_MANIFEST: usize = 64 * 1024;

/// What an installation consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The agent's build.
    #[serde(flatten)]
    pub(super) build: Build,
    /// SHA-256 of the agent, in hexadecimal digits.
    pub(super) sha256: String,
    /// Names of the helpers: links beside the agent.
    pub(super) links: Vec<String>,
    /// Directories that were made for the installation and may be removed with it.
    #[serde(default)]
    pub(super) made: Vec<String>,
}

impl Manifest {
    /// Of an installation of `program` for which the directories `made` were made.
    pub(super) fn new(program: &Program, made: Vec<String>) -> Self {
        Self {
            build: program.build.clone(),
            sha256: sha256(&program.binary),
            links: protocol::helper::NAMES.map(str::to_owned).to_vec(),
            made,
        }
    }

    /// Reads a manifest; `None` if the text is none.
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let manifest: Self = toml::from_str(std::str::from_utf8(text).ok()?).ok()?;
        // Names and paths that another program has written are followed no farther than ours.
        let is_name = |name: &String| !name.is_empty() && !name.contains('/') && name != ".." && name != ".";
        let is_path = |path: &String| path.split('/').all(|part| !matches!(part, "" | "." | ".."));
        (manifest.links.iter().all(is_name) && manifest.made.iter().all(is_path)).then_some(manifest)
    }

    /// The manifest as a file.
    pub(super) fn text(&self) -> String {
        // Strings and numbers only: nothing that TOML could not hold.
        let body = toml::to_string(self).unwrap_or_default();
        format!("# The host-runner's agent in this root filesystem; see `host-runner agent --help`.\n{body}")
    }
}

/// SHA-256 in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let build = Build { version: "0.1.0".to_owned(), arch: "armv7".to_owned(), protocol: [1, 1] };
        Manifest::new(&Program { build, binary: b"abc".to_vec() }, vec!["usr/lib".to_owned()])
    }

    #[test]
    fn what_is_written_is_read_again() {
        let manifest = manifest();
        assert_eq!(Manifest::parse(manifest.text().as_bytes()), Some(manifest.clone()));
        // FIPS 180-2, appendix B.1.
        assert_eq!(manifest.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(manifest.links.iter().any(|name| name == "lava-test-case"));
    }

    #[test]
    fn names_that_lead_elsewhere_make_no_manifest() {
        let text = manifest().text();
        for (from, to) in
            [("\"lava-send\"", "\"../../sh\""), ("\"usr/lib\"", "\"../etc\""), ("0.1.0\"", "0.1.0")]
        {
            assert_eq!(Manifest::parse(text.replace(from, to).as_bytes()), None, "{to}");
        }
        assert_eq!(Manifest::parse(b"\xff"), None);
    }
}
