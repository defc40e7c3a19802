//! Where things are: the repository and cargo's target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process;

/// The repository and its target directory.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The directory of the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target directory, which the user may have moved.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Asks cargo, which alone knows all the ways in which the target directory can be set.
    ///
    /// # Errors
    /// When cargo fails or its answer cannot be read.
    pub(crate) fn locate() -> Result<Self, Error> {
        let mut cargo = cargo();
        cargo.args(["metadata", "--format-version=1", "--no-deps", "--offline", "--manifest-path"]);
        cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
        let answer = process::answer(&mut cargo)?;
        let unexpected =
            || Error::Answer { program: "cargo metadata", found: answer.chars().take(200).collect() };
        let metadata: serde_json::Value = serde_json::from_str(&answer).map_err(|_| unexpected())?;
        let path = |key: &str| metadata.get(key).and_then(serde_json::Value::as_str).map(PathBuf::from);
        Ok(Self {
            root: path("workspace_root").ok_or_else(unexpected)?,
            target: path("target_directory").ok_or_else(unexpected)?,
        })
    }

    /// The directory of everything that the virtual board needs; it can be deleted.
    pub(crate) fn lab(&self) -> PathBuf {
        self.target.join("lab")
    }

    /// The directory of the built agents, as bench files name it.
    pub(crate) fn agent(&self) -> PathBuf {
        self.target.join("agent")
    }

    /// The directory of what fuzz targets find, and of their failures.
    pub(crate) fn fuzz(&self) -> PathBuf {
        self.target.join("fuzz")
    }

    /// The fuzz targets and their corpora in the repository.
    pub(crate) fn fuzz_sources(&self) -> PathBuf {
        self.root.join("fuzz")
    }

    /// The bench file of the virtual board.
    pub(crate) fn bench(&self) -> PathBuf {
        self.lab().join("bench.toml")
    }

    /// The lab's own sources in the repository.
    pub(crate) fn lab_sources(&self) -> PathBuf {
        self.root.join("xtask/lab")
    }

    /// A cargo command in the workspace.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = cargo();
        command.current_dir(&self.root);
        command
    }
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
