//! What is in a package: files by their places, made once for all formats.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::{Compression, GzBuilder};

use super::{epoch, licences};
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// Shells with completions, and how the file of each is called where its package looks for it.
pub(super) const SHELLS: [(&str, &str); 3] =
    [("bash", "host-runner"), ("zsh", "_host-runner"), ("fish", "host-runner.fish")];

/// The parts of every format.
pub(super) struct Parts {
    /// Version of the workspace.
    pub(super) version: String,
    /// Seconds since 1970, for all files.
    pub(super) epoch: u64,
    /// The program without debugging information.
    pub(super) program: PathBuf,
    /// The directory `ARCH/lava-agent`.
    pub(super) agents: PathBuf,
    /// The directory of the manual pages.
    pub(super) pages: PathBuf,
    /// The directory of the completions.
    pub(super) completions: PathBuf,
    /// Licences of the libraries in the program.
    pub(super) licences: PathBuf,
    /// The repository.
    pub(super) root: PathBuf,
    /// An empty directory for the format's own.
    pub(super) scratch: PathBuf,
}

impl Parts {
    /// Makes the parts in `scratch`.
    ///
    /// # Errors
    /// When an agent is missing, or something cannot be read or written.
    pub(super) fn gather(workspace: &Workspace, program: &Path, scratch: &Path) -> Result<Self, Error> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let agents = workspace.agent();
        let armv7 = agents.join("armv7/lava-agent");
        if !armv7.is_file() {
            return Err(Error::Content {
                directory: agents,
                what: "armv7/lava-agent; `cargo xtask agent` builds it".to_owned(),
            });
        }
        let stripped = scratch.join("host-runner");
        process::show(Command::new("strip").arg("-o").arg(&stripped).arg(program))?;
        let pages = scratch.join("man1");
        process::show(Command::new(program).arg("man").arg(&pages))?;
        let completions = scratch.join("completions");
        fs::create_dir(&completions).map_err(Error::file("cannot make", &completions))?;
        for (shell, name) in SHELLS {
            let script = process::answer(Command::new(program).args(["completions", shell]))?;
            let file = completions.join(name);
            fs::write(&file, script).map_err(Error::file("cannot write", &file))?;
        }
        let licences = scratch.join("third-party-licences.txt");
        licences::write(workspace, &licences)?;
        let own = scratch.join("tree");
        fs::create_dir(&own).map_err(Error::file("cannot make", &own))?;
        Ok(Self {
            version,
            epoch: epoch::epoch(workspace)?,
            program: stripped,
            agents,
            pages,
            completions,
            licences,
            root: workspace.root.clone(),
            scratch: own,
        })
    }

    /// A file of the repository.
    pub(super) fn source(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// The agents: architecture and program, sorted.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(super) fn agents(&self) -> Result<Vec<(String, PathBuf)>, Error> {
        let all = entries(&self.agents)?.into_iter().filter_map(|directory| {
            let program = directory.join("lava-agent");
            let architecture = directory.file_name()?.to_str()?.to_owned();
            program.is_file().then_some((architecture, program))
        });
        Ok(all.collect())
    }
}

/// A directory that becomes a package.
pub(super) struct Tree(PathBuf);

impl Tree {
    /// The empty tree in `root`, which must not exist.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new(root: PathBuf) -> Result<Self, Error> {
        let tree = Self(root);
        tree.directory("")?;
        Ok(tree)
    }

    /// Its root.
    pub(super) fn root(&self) -> &Path {
        &self.0
    }

    /// Makes a directory, with those above it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn directory(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.0.join(name);
        let mut missing: Vec<&Path> = path.ancestors().take_while(|above| !above.exists()).collect();
        missing.reverse();
        for directory in missing {
            fs::create_dir(directory).map_err(Error::file("cannot make", directory))?;
            set_mode(directory, 0o755)?;
        }
        Ok(path)
    }

    /// Puts a copy of the file `from` at `name`.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn file(&self, from: &Path, name: &str, mode: u32) -> Result<(), Error> {
        let content = fs::read(from).map_err(Error::file("cannot read", from))?;
        self.content(&content, name, mode)
    }

    /// Puts a file with `content` at `name`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn content(&self, content: &[u8], name: &str, mode: u32) -> Result<(), Error> {
        let (above, _) = name.rsplit_once('/').unwrap_or(("", name));
        self.directory(above)?;
        let path = self.0.join(name);
        fs::write(&path, content).map_err(Error::file("cannot write", &path))?;
        set_mode(&path, mode)
    }

    /// Puts the file `from`, packed with gzip, at `name`.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub(super) fn packed(&self, from: &Path, name: &str) -> Result<(), Error> {
        let content = fs::read(from).map_err(Error::file("cannot read", from))?;
        // Without a time and a name in it: the same content gives the same bytes.
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        let packed = encoder.write_all(&content).and_then(|()| encoder.finish());
        self.content(&packed.map_err(Error::file("cannot pack", from))?, name, 0o644)
    }

    /// Puts copies of all files below the directory `from` into `name`.
    ///
    /// # Errors
    /// When something cannot be read or written.
    pub(super) fn copy_of(&self, from: &Path, name: &str) -> Result<(), Error> {
        for path in entries(from)? {
            let inner = format!("{name}/{}", path.file_name().unwrap_or_default().to_string_lossy());
            if path.is_dir() {
                self.copy_of(&path, &inner)?;
            } else {
                self.file(&path, &inner, 0o644)?;
            }
        }
        Ok(())
    }

    /// Gives everything the time `epoch`.
    ///
    /// # Errors
    /// When something cannot be changed.
    pub(super) fn set_times(&self, epoch: u64) -> Result<(), Error> {
        set_times(&self.0, std::time::UNIX_EPOCH + std::time::Duration::from_secs(epoch))
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), Error> {
    // Whatever the umask is.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
        .map_err(Error::file("cannot set the mode of", path))
}

fn set_times(path: &Path, time: std::time::SystemTime) -> Result<(), Error> {
    if path.is_dir() {
        for entry in entries(path)? {
            set_times(&entry, time)?;
        }
    }
    File::open(path)
        .and_then(|file| file.set_modified(time))
        .map_err(Error::file("cannot set the time of", path))
}

/// What is in a directory, sorted by name.
///
/// # Errors
/// When it cannot be read.
pub(super) fn entries(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let read = fs::read_dir(directory).and_then(|entries| {
        entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
    });
    let mut paths = read.map_err(Error::file("cannot read", directory))?;
    paths.sort();
    Ok(paths)
}
