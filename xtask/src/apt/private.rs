//! An apt of our own: other configuration, lists and cache, so that the user's never learns of a foreign architecture.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Source;
use super::source::access_settings;
use crate::error::Error;
use crate::process;

/// The `sources.list` of what packages are made from.
const SOURCES: &str = "etc/sources-of-packages.list";

/// An apt root in a directory of its own.
#[derive(Debug)]
pub(crate) struct PrivateApt {
    root: PathBuf,
}

impl PrivateApt {
    /// Makes an apt root in `root` that knows the packages of this machine's architecture and of `foreign` ones.
    ///
    /// # Errors
    /// When files cannot be written or the archive cannot be reached.
    pub(crate) fn new(root: PathBuf, source: &Source, foreign: &[&str]) -> Result<Self, Error> {
        let native = process::answer(Command::new("dpkg").arg("--print-architecture"))?;
        let native = native.trim();
        for directory in
            ["etc/apt.conf.d", "etc/preferences.d", "state/lists/partial", "cache/archives/partial"]
        {
            let directory = root.join(directory);
            fs::create_dir_all(&directory).map_err(Error::file("cannot make", &directory))?;
        }
        let mut architectures = vec![native];
        architectures.extend(foreign.iter().filter(|foreign| **foreign != native));
        let mut settings = access_settings()?;
        settings.extend([
            format!("Dir::Etc \"{}\";", root.join("etc").display()),
            "Dir::Etc::Trusted \"/etc/apt/trusted.gpg\";".to_owned(),
            "Dir::Etc::TrustedParts \"/etc/apt/trusted.gpg.d/\";".to_owned(),
            format!("Dir::State \"{}\";", root.join("state").display()),
            format!("Dir::State::status \"{}\";", root.join("status").display()),
            format!("Dir::Cache \"{}\";", root.join("cache").display()),
            format!("APT::Architecture \"{native}\";"),
            format!("APT::Architectures \"{}\";", architectures.join(",")),
            "APT::Sandbox::User \"\";".to_owned(),
        ]);
        let write = |name: &str, text: &str| {
            let file = root.join(name);
            fs::write(&file, text).map_err(Error::file("cannot write", &file))
        };
        write("apt.conf", &(settings.join("\n") + "\n"))?;
        write("etc/sources.list", &(source.line(&architectures) + "\n"))?;
        // Its index is large, and most of the lab needs none of it: it is fetched when something is asked for.
        write(SOURCES, &(source.source_line() + "\n"))?;
        write("status", "")?;
        let apt = Self { root };
        process::logged(apt.command("apt-get").args(["--quiet", "update"]), &apt.root.join("update.log"))?;
        Ok(apt)
    }

    /// The version of `package` (`name` or `name:armhf`) in the archive.
    ///
    /// # Errors
    /// When apt-cache fails.
    pub(crate) fn version(&self, package: &str) -> Result<Option<String>, Error> {
        let madison = process::answer(self.command("apt-cache").args(["madison", package]))?;
        Ok(madison
            .lines()
            .next()
            .and_then(|line| line.split('|').nth(1))
            .map(|version| version.trim().to_owned()))
    }

    /// Names of the packages that `package` depends on, directly or through others if `recurse`.
    ///
    /// # Errors
    /// When apt-cache fails, as for a package that the archive lacks.
    pub(crate) fn dependencies(&self, package: &str, recurse: bool) -> Result<Vec<String>, Error> {
        let mut command = self.command("apt-cache");
        command.args(["depends", "--important"]);
        if recurse {
            command.arg("--recurse");
        }
        let text = process::answer(command.arg(package))?;
        let names =
            text.lines().filter_map(|line| line.trim_start_matches([' ', '|']).strip_prefix("Depends: "));
        let mut names: Vec<String> = names.filter(|name| !name.starts_with('<')).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Fetches `packages` and unpacks them into `directory`; none of their scripts runs.
    ///
    /// # Errors
    /// When the archive lacks one, it cannot be fetched, or is damaged.
    pub(crate) fn unpack<S: AsRef<str>>(&self, packages: &[S], directory: &Path) -> Result<(), Error> {
        let packages = packages.iter().map(AsRef::as_ref);
        let downloads =
            tempfile::tempdir_in(&self.root).map_err(Error::file("cannot write in", &self.root))?;
        let mut download = self.command("apt-get");
        download.current_dir(downloads.path()).args(["--quiet", "download"]).args(packages);
        process::logged(&mut download, &self.root.join("download.log"))?;
        let entries = fs::read_dir(downloads.path()).map_err(Error::file("cannot read", downloads.path()))?;
        for entry in entries {
            let deb = entry.map_err(Error::file("cannot read", downloads.path()))?.path();
            let mut dpkg = Command::new("dpkg-deb");
            process::logged(dpkg.arg("--extract").arg(deb).arg(directory), &self.root.join("unpack.log"))?;
        }
        Ok(())
    }

    /// Fetches the files of which `package` is made, verified as packages are, into `directory`.
    ///
    /// # Errors
    /// When the archive lacks it, or it cannot be fetched.
    pub(crate) fn fetch_source(&self, package: &str, directory: &Path) -> Result<(), Error> {
        let lists = self.root.join("state/source-lists");
        let partial = lists.join("partial");
        fs::create_dir_all(&partial).map_err(Error::file("cannot make", &partial))?;
        let command = |words: &[&str]| {
            let mut command = self.command("apt-get");
            command
                .arg(format!("--option=Dir::Etc::SourceList={}", self.root.join(SOURCES).display()))
                .arg(format!("--option=Dir::State::Lists={}", lists.display()))
                .arg("--quiet")
                .args(words);
            command
        };
        process::logged(&mut command(&["update"]), &self.root.join("update-sources.log"))?;
        let mut fetch = command(&["source", "--download-only", "--only-source", package]);
        process::logged(fetch.current_dir(directory), &self.root.join("download-source.log"))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.root.join("apt.conf"));
        command
    }
}
