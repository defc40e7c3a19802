//! Room for what runs keep, and permission to write it.

use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::finding::{BENCH, Check, Finding, Findings};
use crate::board::Bench;
use crate::fault::Class;
use crate::run::{cache_directory, persistent_directory};
use crate::text::Size;

/// With less than this many bytes not even the results of a run can be kept.
const TOO_LITTLE: u64 = 64 << 20;
/// With less than this many bytes a root filesystem does not fit.
const LITTLE: u64 = 2 << 30;

/// Checks the directories of cache, results and root filesystems.
pub(super) fn check(bench: &Bench, directory: &Path, findings: &mut Findings<'_>) {
    let directories = [
        ("cache", cache_directory(Some(bench))),
        ("results", Ok(directory.join("runs"))),
        ("root filesystems", persistent_directory(Some(bench))),
    ];
    for (what, directory) in directories {
        findings.add(match directory {
            Ok(directory) => of_directory(what, &directory),
            Err(fault) => Finding::from_fault(Check::Disk, BENCH, fault),
        });
    }
}

fn of_directory(what: &str, directory: &Path) -> Finding {
    // It is made by the first run that needs it.
    let Some(existing) = directory.ancestors().find(|path| path.exists()) else {
        return Finding::unknown(
            Check::Disk,
            BENCH,
            format!("{what}: {} leads nowhere", directory.display()),
        );
    };
    let shown = directory.display();
    let fault = |text: String| Finding::fault(Check::Disk, BENCH, Class::Infrastructure, text);
    if let Err(error) = access(existing, Access::WRITE_OK | Access::EXEC_OK) {
        // One that is there is somebody's; one that is not is not to be had by taking over what is above it.
        let make = match existing == directory {
            true => format!("take it over with `sudo chown -R \"$USER\" {shown}`"),
            false => format!("make it with `sudo install -d -o \"$USER\" {shown}`"),
        };
        return fault(format!("{what}: {shown} cannot be written: {error}"))
            .with_help(format!("{make}, or name another directory in the bench file or with --out"));
    }
    let room = match statvfs(existing) {
        Ok(disk) => disk.f_bavail.saturating_mul(disk.f_frsize),
        Err(error) => return Finding::unknown(Check::Disk, BENCH, format!("{what}: {shown}: {error}")),
    };
    let text = format!("{what}: {} free for {shown}", Size(room));
    let help =
        "`host-runner cache prune --unused-for 7` makes room, and so does removing old directories of `runs`";
    if room < TOO_LITTLE {
        fault(text).with_help(help)
    } else if room < LITTLE {
        Finding::warning(Check::Disk, BENCH, text).with_help(help)
    } else {
        Finding::ok(Check::Disk, BENCH, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_is_yet_to_be_made_has_the_room_of_the_one_it_will_be_in() {
        let directory = tempfile::tempdir().unwrap();
        let finding = of_directory("cache", &directory.path().join("a/b"));
        assert!(finding.message.contains(" free for ") && finding.message.ends_with("/a/b"), "{finding:?}");
    }
}
