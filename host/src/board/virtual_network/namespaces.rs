//! What keeps the system from giving us namespaces, and what permits them.

use std::fs;
use std::path::Path;

/// A setting of the kernel that forbids user namespaces to ordinary users.
struct Setting {
    name: &'static str,
    /// The value that forbids them.
    forbids: &'static str,
    /// One that permits them.
    permits: &'static str,
}

/// Of Debian's kernels, of all (user_namespaces(7)), and of Ubuntu's since 23.10.
const SETTINGS: [Setting; 3] = [
    Setting { name: "kernel.unprivileged_userns_clone", forbids: "0", permits: "1" },
    Setting { name: "user.max_user_namespaces", forbids: "0", permits: "10000" },
    Setting { name: "kernel.apparmor_restrict_unprivileged_userns", forbids: "1", permits: "0" },
];

/// What to do where the system refuses a namespace or a link in it.
pub(super) fn help() -> String {
    if rustix::process::geteuid().is_root() {
        return "root lacks CAP_SYS_ADMIN or CAP_NET_ADMIN here, as in most containers: give it both"
            .to_owned();
    }
    help_for_user(Path::new("/proc/sys"))
}

/// Names the settings below `directory` that forbid namespaces to ordinary users, as far as they can be seen.
fn help_for_user(directory: &Path) -> String {
    let forbids = |setting: &&Setting| {
        let file = directory.join(setting.name.replace('.', "/"));
        fs::read_to_string(file).is_ok_and(|value| value.trim() == setting.forbids)
    };
    let assignments: Vec<String> = SETTINGS
        .iter()
        .filter(forbids)
        .map(|setting| format!("{}={}", setting.name, setting.permits))
        .collect();
    if assignments.is_empty() {
        return "run as root, or where user namespaces are permitted (most containers do not permit them)"
            .to_owned();
    }
    format!(
        "permit user namespaces: `sudo sysctl -w {}` (to last, in a file of /etc/sysctl.d); or run as root",
        assignments.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help_with(values: &[(&str, &str)]) -> String {
        let directory = tempfile::tempdir().unwrap();
        for (name, value) in values {
            let file = directory.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, format!("{value}\n")).unwrap();
        }
        help_for_user(directory.path())
    }

    #[test]
    fn every_setting_that_forbids_namespaces_is_named_with_the_value_that_permits_them() {
        let debian = help_with(&[("kernel/unprivileged_userns_clone", "0")]);
        assert!(debian.contains("`sudo sysctl -w kernel.unprivileged_userns_clone=1`"), "{debian}");
        let ubuntu = help_with(&[
            ("kernel/unprivileged_userns_clone", "1"),
            ("user/max_user_namespaces", "0"),
            ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ]);
        let both = "user.max_user_namespaces=10000 kernel.apparmor_restrict_unprivileged_userns=0`";
        assert!(ubuntu.contains(both), "{ubuntu}");
    }

    #[test]
    fn without_such_a_setting_it_is_the_container() {
        let help = help_with(&[("user/max_user_namespaces", "96365")]);
        assert!(help.starts_with("run as root, or where user namespaces are permitted"), "{help}");
    }
}
