//! The archive for any Linux on the bench PC's kind of processor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::tree::{Parts, SHELLS, Tree, entries};
use crate::error::Error;
use crate::process;

/// Makes `host-runner-VERSION-x86_64-linux.tar.gz` in `out`.
///
/// # Errors
/// When something cannot be read or written.
pub(super) fn make(parts: &Parts, out: &Path) -> Result<PathBuf, Error> {
    let name = format!("host-runner-{}-{}-linux", parts.version, std::env::consts::ARCH);
    let tree = Tree::new(parts.scratch.join(&name))?;
    tree.file(&parts.program, "host-runner", 0o755)?;
    for (architecture, agent) in parts.agents()? {
        // Beside the program, where it looks first.
        tree.file(&agent, &format!("agent/{architecture}/lava-agent"), 0o755)?;
    }
    for file in ["README.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        tree.file(&parts.source(file), file, 0o644)?;
    }
    tree.file(&parts.licences, "third-party-licences.txt", 0o644)?;
    for directory in ["boards", "docs", "examples", "udev"] {
        tree.copy_of(&parts.source(directory), directory)?;
    }
    tree.copy_of(&parts.source("host/packaging/systemd"), "systemd")?;
    tree.copy_of(&parts.source("host/packaging/sysusers.d"), "sysusers.d")?;
    tree.copy_of(&parts.source("host/packaging/tmpfiles.d"), "tmpfiles.d")?;
    for page in entries(&parts.pages)? {
        let page_name = page.file_name().unwrap_or_default().to_string_lossy();
        tree.file(&page, &format!("man/man1/{page_name}"), 0o644)?;
    }
    for (shell, file) in SHELLS {
        tree.file(&parts.completions.join(file), &format!("completions/{shell}/{file}"), 0o644)?;
    }
    tree.set_times(parts.epoch)?;
    pack(parts, &name, out)
}

fn pack(parts: &Parts, name: &str, out: &Path) -> Result<PathBuf, Error> {
    let archive = out.join(format!("{name}.tar.gz"));
    let tar = parts.scratch.join("archive.tar");
    let mut pack = Command::new("tar");
    pack.args(["--create", "--sort=name", "--format=gnu", "--owner=root:0", "--group=root:0"]);
    pack.arg("--directory").arg(&parts.scratch).arg("--file").arg(&tar).arg(name);
    process::answer(&mut pack)?;
    process::answer(Command::new("gzip").args(["--no-name", "--best", "--force"]).arg(&tar))?;
    let packed = tar.with_extension("tar.gz");
    fs::copy(&packed, &archive).map_err(Error::file("cannot write", &archive))?;
    Ok(archive)
}
