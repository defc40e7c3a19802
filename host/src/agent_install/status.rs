//! What is installed, and whether it is whole.

use serde::Serialize;

use super::error::InstallError;
use super::layout::{BIN, LIBRARIES, MANIFEST, NAME, join};
use super::manifest::{Manifest, sha256};
use super::plan::Place;
use super::program::{Build, MAX_AGENT};
use super::tree::{Change, Found, Tree};

/// What there is of an agent in a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The installation, if there is one.
    pub installed: Option<Installed>,
    /// Architecture of the target, if that can be told.
    pub arch: Option<String>,
}

/// An installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The agent's build, as the manifest has it; `None` if there is no manifest.
    pub build: Option<Build>,
    /// Its directory, without symbolic links on the way.
    pub directory: String,
    /// What is not as it was installed; nothing if it is whole.
    pub problems: Vec<String>,
    /// Whether an installation was begun and not finished.
    pub interrupted: bool,
}

impl Installed {
    /// Compares what is there with the manifest. `link` says whether `/usr/bin/lava-agent` leads to it, `found` what is at a
    /// path below its directory, and `digest` is the agent's SHA-256 if it is there.
    pub(super) fn compare(
        directory: String,
        manifest: Option<&Manifest>,
        digest: Option<&str>,
        mut is_link: impl FnMut(&str) -> Result<bool, InstallError>,
        has_link: bool,
    ) -> Result<Self, InstallError> {
        let mut problems = Vec::new();
        match manifest {
            None => problems.push(format!("{MANIFEST} is missing or damaged")),
            Some(manifest) => {
                for name in &manifest.links {
                    if !is_link(name)? {
                        problems.push(format!("{BIN}/{name} is no link to the agent"));
                    }
                }
            }
        }
        match (digest, manifest) {
            (None, _) => problems.push(format!("{BIN}/{NAME} is missing or not executable")),
            (Some(digest), Some(manifest)) if digest != manifest.sha256 => {
                problems.push(format!("{BIN}/{NAME} is not the file that was installed"));
            }
            _ => {}
        }
        if !has_link {
            problems.push("/usr/bin/lava-agent does not lead to it".to_owned());
        }
        let build = manifest.map(|manifest| manifest.build.clone());
        Ok(Self { build, directory, problems, interrupted: false })
    }

    /// Adds that an installation was interrupted, and of what it has left beside how many there are and the first.
    pub(super) fn with_interrupted(mut self, count: usize, first: Option<&str>) -> Self {
        self.interrupted = true;
        if let Some(first) = first {
            self.problems.push(match count {
                1 => format!("/{first} is left of an installation that was interrupted"),
                _ => format!(
                    "/{first} and {} more are left of an installation that was interrupted",
                    count - 1
                ),
            });
        }
        self
    }
}

/// Looks at the installation in `tree`.
///
/// # Errors
/// When the target cannot be read or is none.
pub(super) fn of_tree(tree: &mut dyn Tree) -> Result<Option<Installed>, InstallError> {
    let place = Place::find(tree)?;
    let first = place.leftovers.first().map(Change::path);
    let Some(base) = &place.base else {
        let directory = format!("/{LIBRARIES}/{NAME}");
        let nothing = Installed { build: None, directory, problems: Vec::new(), interrupted: true };
        return Ok(first.map(|_| nothing.with_interrupted(place.leftovers.len(), first)));
    };
    let bin = join(base, BIN);
    let agent = join(&bin, NAME);
    let digest = match tree.look(&agent)? {
        Some(Found::File { mode, .. }) if mode & 0o111 != 0 => {
            Some(sha256(&tree.read(&agent, MAX_AGENT as usize)?))
        }
        _ => None,
    };
    let is_link = |name: &str| {
        let found = tree.look(&join(&bin, name))?;
        Ok(found == Some(Found::Link(NAME.to_owned())))
    };
    let directory = format!("/{base}");
    let manifest = place.manifest.as_ref();
    let installed =
        Installed::compare(directory, manifest, digest.as_deref(), is_link, place.link.is_some())?;
    Ok(Some(match place.is_interrupted() {
        true => installed.with_interrupted(place.leftovers.len(), first),
        false => installed,
    }))
}
