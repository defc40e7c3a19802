//! `host-runner u-boot-test install DIR`: links with the hooks' names.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Hook;
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::fault::{Class, Fault};

/// Makes the links; those that are there already are made anew, and nothing else is replaced.
pub(super) fn install(directory: &Path) -> Result<Option<Class>, Failure> {
    let failed = |path: &Path| {
        let place = path.display().to_string();
        move |error: io::Error| Fault::from_error(Class::Infrastructure, place, &error)
    };
    let program = std::env::current_exe().map_err(failed(Path::new("host-runner")))?;
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let links = Hook::ALL.map(|hook| directory.join(hook.name()));
    if let Some(other) = links.iter().find(|link| is_other(link)) {
        let text = "it is no link: it is left as it is, and no link was made";
        let help = "move it away, or name another directory";
        return Err(Fault::new(Class::Usage, other.display().to_string(), text).with_help(help).into());
    }
    for link in &links {
        match fs::remove_file(link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(link)(error).into()),
            _ => symlink(&program, link).map_err(failed(link))?,
        }
    }
    let directory = std::path::absolute(directory).map_err(failed(directory))?;
    print(|out| {
        for link in &links {
            writeln!(out, "{} -> {}", link.display(), program.display())?;
        }
        writeln!(out, "for test/py: export PATH={}:$PATH HOST_RUNNER_BENCH=FILE", directory.display())
    })
}

/// Whether something else than a link is there.
fn is_other(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| !found.is_symlink())
}
