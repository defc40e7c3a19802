//! Where the keys of LAVA's language belong, for those that stand elsewhere.

/// Keys, and where each belongs.
const PLACES: [(&[&str], &str); 14] = [
    (&["job_name", "device_type", "visibility", "priority", "secrets"], "the top level of the job"),
    (
        &[
            "to",
            "kernel",
            "dtb",
            "dtbo",
            "ramdisk",
            "nfsrootfs",
            "persistent_nfs",
            "modules",
            "preseed",
            "authorize",
        ],
        "`deploy`",
    ),
    (&["compression", "archive", "md5sum", "sha256sum", "sha512sum", "headers"], "a file, such as `kernel`"),
    (&["install_overlay", "install_modules"], "`nfsrootfs`"),
    (&["method", "prompts", "auto_login", "failure_message", "soft_reboot", "transfer_overlay"], "`boot`"),
    (&["login_prompt", "username", "password_prompt", "login_commands"], "`auto_login`"),
    (&["hostID", "host_key", "shutdown-message", "kernel-start-message"], "`parameters` of `boot`"),
    (&["definitions", "interactive", "monitors"], "`test`"),
    (&["repository", "from", "branch", "revision", "history"], "an entry of `definitions`"),
    (&["script"], "an entry of `interactive`"),
    (&["successes", "failures"], "the command in `script` that they judge"),
    (&["steps"], "`run` of a test definition"),
    (&["extra_kernel_args", "extra_nfsroot_args", "kernel_start_message", "bootloader_prompt"], "`context`"),
    (&["expect_role", "host_role"], "a role"),
];

/// Where `key` belongs, as a help text; `None` if no part of a job has it, or several have.
pub(super) fn of(key: &str) -> Option<String> {
    let (_, place) = PLACES.iter().find(|(keys, _)| keys.contains(&key))?;
    Some(format!("`{key}` belongs to {place}"))
}
