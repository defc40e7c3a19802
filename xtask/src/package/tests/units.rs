//! The systemd units: sound, and as confined as they can be.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::installed::packaging;
use crate::package::tree::entries;

/// Where the units of this PC's systemd are; ours need its targets.
const SYSTEM: &str = "/usr/lib/systemd/system";

/// The most that `systemd-analyze security` may find, in tenths: of 0 to 100.
const EXPOSURE: [(&str, &str); 2] =
    [("host-runner-ports.service", "16"), ("host-runner-serve.service", "14")];

/// A root with our units, an executable in place of the program, and the targets of this PC.
fn root(change: impl Fn(String) -> String) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let units = root.path().join(&SYSTEM[1..]);
    fs::create_dir_all(&units).unwrap();
    fs::create_dir_all(root.path().join("usr/bin")).unwrap();
    fs::copy("/bin/true", root.path().join("usr/bin/host-runner")).unwrap();
    let is_target =
        |path: &&std::path::PathBuf| path.extension().is_some_and(|extension| extension == "target");
    for target in entries(Path::new(SYSTEM)).unwrap().iter().filter(is_target) {
        fs::copy(target, units.join(target.file_name().unwrap())).unwrap();
    }
    for unit in entries(&packaging("systemd")).unwrap() {
        let text = change(fs::read_to_string(&unit).unwrap());
        fs::write(units.join(unit.file_name().unwrap()), text).unwrap();
    }
    root
}

fn systemd_analyze(root: &TempDir, arguments: &[&str], units: &[String]) -> Output {
    let mut command = Command::new("systemd-analyze");
    command.args(arguments).arg(format!("--root={}", root.path().display())).args(units);
    command.output().expect("systemd-analyze runs (Debian package systemd)")
}

fn all_units() -> Vec<String> {
    let units = entries(&packaging("systemd")).unwrap();
    units.iter().map(|unit| unit.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn the_units_are_verified_and_wrong_ones_are_not() {
    let units = all_units();
    assert_eq!(units, ["host-runner-ports.service", "host-runner-ports.socket", "host-runner-serve.service"]);
    let verify = |change: fn(String) -> String| {
        let output = systemd_analyze(&root(change), &["verify", "--man=no"], &units);
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(verify(|text| text), (true, String::new()));
    // The check can fail.
    let (_, said) = verify(|text| text.replace("ProtectHome=", "ProtectHouse="));
    assert!(said.contains("'ProtectHouse'"), "{said}");
}

#[test]
fn the_services_are_confined() {
    let root = root(|text| text);
    for (service, most) in EXPOSURE {
        let threshold = format!("--threshold={most}");
        let arguments = ["security", "--offline=true", "--no-pager", &threshold];
        let output = systemd_analyze(&root, &arguments, &[service.to_owned()]);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("Overall exposure level"), "{service}: {said}");
        assert!(output.status.success(), "{service}: {said}");
    }
}
