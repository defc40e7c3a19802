//! Making all parts of the lab, in order, each only when it is not there yet.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{artifacts, bench, git_mirror, initrd, kernel, rootfs, u_boot_tests, user_mode_linux};
use crate::apt::{self, PrivateApt, Source};
use crate::error::Error;
use crate::stamp::{Inputs, Stamp};
use crate::workspace::Workspace;

/// The Debian packages that the lab is made with and runs on.
pub(crate) fn packages() -> Vec<&'static str> {
    let mut packages = vec![
        "arch-test",
        "binfmt-support",
        "cpio",
        "git",
        "gzip",
        "iproute2",
        "kmod",
        "mmdebstrap",
        "qemu-system-arm",
        "qemu-user-static",
        "u-boot-qemu",
        "xz-utils",
    ];
    if !apt::is_root() {
        packages.push("uidmap");
    }
    packages
}

/// Makes what is missing of the lab.
///
/// # Errors
/// When a part cannot be made; the error says which command failed and where its log is.
pub(crate) fn prepare(workspace: &Workspace) -> Result<(), Error> {
    let lab = Lab::open(workspace)?;
    lab.part("kernel", &[kernel::ZIMAGE, kernel::MODULES], &kernel::inputs(), kernel::make)?;
    lab.part("initrd", &[initrd::IMAGE], &initrd::inputs(&lab)?, initrd::make)?;
    lab.part("artifacts", &[artifacts::DIRECTORY], &artifacts::inputs(&lab), artifacts::make)?;
    lab.part("git-mirror", &[git_mirror::REPOSITORY], &git_mirror::inputs(&lab)?, git_mirror::make)?;
    lab.part("rootfs", &[rootfs::ARCHIVE], &rootfs::inputs(&lab)?, rootfs::make)?;
    let suite = [u_boot_tests::TEST_PY, u_boot_tests::SCRIPT];
    lab.part("u-boot-tests", &suite, &u_boot_tests::inputs(), u_boot_tests::make)?;
    lab.part("bench", &[bench::FILE], &bench::inputs(), bench::make)?;
    if cfg!(target_arch = "x86_64") {
        let products = [user_mode_linux::PROGRAM, user_mode_linux::MODULES];
        lab.part("user-mode-linux", &products, &user_mode_linux::inputs(), user_mode_linux::make)?;
    } else {
        println!("lab: not made: user-mode-linux, which runs on x86-64 alone; its tests fail here");
    }
    lab.close()?;
    println!("lab: ready: {}", workspace.bench().display());
    Ok(())
}

/// The lab's directory while this process, and no other, works in it.
pub(super) struct Lab {
    /// The lab's directory.
    pub(super) directory: PathBuf,
    /// The lab's sources in the repository.
    pub(super) sources: PathBuf,
    /// Unfinished things; emptied at the start and at the end.
    pub(super) scratch: PathBuf,
    /// Made when the first part needs it; its lists then serve the others.
    apt: OnceCell<PrivateApt>,
    /// Held for as long as the lab is worked on.
    _lock: File,
}

impl Lab {
    fn open(workspace: &Workspace) -> Result<Self, Error> {
        let directory = workspace.lab();
        fs::create_dir_all(&directory).map_err(Error::file("cannot make", &directory))?;
        let lock = directory.join(".lock");
        let file = File::create(&lock).map_err(Error::file("cannot write", &lock))?;
        file.lock().map_err(Error::file("cannot lock", &lock))?;
        let scratch = directory.join("scratch");
        remove(&scratch)?;
        fs::create_dir_all(&scratch).map_err(Error::file("cannot make", &scratch))?;
        Ok(Self { directory, sources: workspace.lab_sources(), scratch, apt: OnceCell::new(), _lock: file })
    }

    fn close(self) -> Result<(), Error> {
        remove(&self.scratch)
    }

    /// Where the output of a part's commands goes.
    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.directory.join("log").join(format!("{name}.log"))
    }

    /// The path of one of the lab's own files.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Moves something finished from the scratch directory to its place `name`, over what may be there.
    pub(super) fn finish(&self, made: &Path, name: &str) -> Result<(), Error> {
        let place = self.path(name);
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent).map_err(Error::file("cannot make", parent))?;
        }
        if place.is_dir() {
            remove(&place)?;
        }
        fs::rename(made, &place).map_err(Error::file("cannot move a finished part to", &place))
    }

    /// The archive of this machine's Debian release.
    pub(super) fn source(&self) -> Result<Source, Error> {
        apt::main_suite()
    }

    /// A package system that knows armhf; the user's own does not have to.
    pub(super) fn apt(&self) -> Result<&PrivateApt, Error> {
        if let Some(apt) = self.apt.get() {
            return Ok(apt);
        }
        let apt = PrivateApt::new(self.scratch.join("apt"), &self.source()?, &["armhf"])?;
        Ok(self.apt.get_or_init(|| apt))
    }

    fn part(
        &self,
        name: &str,
        products: &[&str],
        inputs: &Inputs,
        make: impl FnOnce(&Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let stamp = Stamp::new(self.directory.join("stamps").join(name), inputs);
        let products: Vec<PathBuf> = products.iter().map(|product| self.path(product)).collect();
        if stamp.is_current(&products.iter().map(PathBuf::as_path).collect::<Vec<_>>()) {
            return Ok(());
        }
        println!("lab: making {name} …");
        let start = Instant::now();
        make(self)?;
        stamp.set()?;
        println!("lab: made {name} in {:.1} s", start.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Removes a directory and everything in it, if it is there.
fn remove(directory: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file("cannot remove", directory)(error))
        }
        _ => Ok(()),
    }
}

/// The entry of `directory` whose name starts with `prefix`.
///
/// # Errors
/// When there is none, or the directory cannot be read.
pub(super) fn entry(directory: &Path, prefix: &str) -> Result<PathBuf, Error> {
    let entries = fs::read_dir(directory).map_err(Error::file("cannot read", directory))?;
    let mut names = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let first = names.next().map(|entry| entry.path());
    first.ok_or_else(|| Error::Content { directory: directory.to_owned(), what: format!("{prefix}*") })
}

/// Copies a file.
///
/// # Errors
/// Those of the files.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    fs::copy(from, to).map(drop).map_err(Error::file("cannot copy", from))
}
