//! The udev rules, by the newest `udevadm`: that of Debian 12 cannot verify any.

use std::fs;
use std::path::Path;

use super::chroot::{Chroot, steps};
use crate::apt;

/// The first release of Debian whose udevadm can (systemd 254 and later).
const SUITE: &str = "trixie";

/// Names of groups are not looked up: nothing of the release is installed.
const SCRIPT: &str = "for rules in /files/*.rules; do
    echo \"=== ${rules##*/}\"
    udevadm verify --resolve-names=never \"$rules\"
    echo \"=== exit $?\"
done
";

#[test]
fn the_udev_rules_are_verified_and_wrong_ones_are_not() {
    let files = tempfile::tempdir().unwrap();
    let name = "70-host-runner.rules";
    let rules = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../udev").join(name)).unwrap();
    fs::write(files.path().join(name), &rules).unwrap();
    // The check can fail.
    fs::write(files.path().join("wrong.rules"), rules.replace("GROUP=", "GROUPS=")).unwrap();
    fs::write(files.path().join("verify.sh"), SCRIPT).unwrap();
    let mut source = apt::main_suite().unwrap();
    source.suite = SUITE.to_owned();
    let chroot =
        Chroot { source: &source, variant: "extract", packages: "base-files,dash,udev", image: None };
    let said = chroot.run(files.path(), "dash /files/verify.sh");
    let steps = steps(&said);
    let [(right, verified), (wrong, refused)] = &steps[..] else { panic!("{said}") };
    assert_eq!((right.as_str(), verified.code), (name, 0), "{said}");
    assert_eq!((wrong.as_str(), refused.code), ("wrong.rules", 1), "{said}");
    assert!(refused.text.contains("Invalid key 'GROUPS'"), "{said}");
}
