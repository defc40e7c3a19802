//! The board's SSH server: OpenSSH's sshd with host key and authorized keys of the root file system.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::rootfs::Rootfs;

/// A running sshd; killed on drop.
#[derive(Debug)]
pub(super) struct Sshd(Child);

impl Drop for Sshd {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `program` on 127.0.0.1:`port`.
///
/// Commands that arrive have their `/lava-…` paths moved into the fake root file system, for there is no chroot
/// without privileges.
pub(super) fn start(program: &Path, port: u16, rootfs: &Rootfs) -> io::Result<Sshd> {
    let root = rootfs.path();
    let wrapper = root.join("ssh-command");
    let script = format!(
        "#!/bin/sh\ncd '{0}' || exit 1\nexec sh -c \"$(printf %s \"$SSH_ORIGINAL_COMMAND\" | sed 's#/lava-#{0}/lava-#g')\"\n",
        root.display()
    );
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755))?;

    let mut config = format!(
        "ListenAddress 127.0.0.1\nPort {port}\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nAuthorizedKeysFile {}\nForceCommand {}\n",
        root.join("root/.ssh/authorized_keys").display(),
        wrapper.display()
    );
    for entry in fs::read_dir(root.join("etc/ssh"))? {
        let key = entry?.path();
        let name = key.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("ssh_host_") && name.ends_with("_key") {
            fs::set_permissions(&key, Permissions::from_mode(0o600))?;
            config.push_str(&format!("HostKey {}\n", key.display()));
        }
    }
    let config_file = root.join("sshd_config");
    fs::write(&config_file, config)?;
    let child = Command::new(program)
        .args(["-D", "-e", "-f"])
        .arg(&config_file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::from(fs::File::create(root.join("sshd.log"))?))
        .spawn()?;
    Ok(Sshd(child))
}
