//! The board's SSH server: OpenSSH's sshd with host key and authorized keys of the root file system.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::rootfs::Rootfs;

/// The empty directory that Debian's sshd wants.
const PRIVILEGE_SEPARATION: &str = "/run/sshd";

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

/// Starts `program` on `address`.
///
/// Commands that arrive have their `/lava-…` paths moved into the fake root file system, for there is no chroot
/// without privileges.
pub(super) fn start(program: &Path, address: SocketAddr, rootfs: &Rootfs) -> io::Result<Sshd> {
    let root = rootfs.path();
    let wrapper = root.join("ssh-command");
    let script = format!(
        "#!/bin/sh\ncd '{0}' || exit 1\nexec sh -c \"$(printf %s \"$SSH_ORIGINAL_COMMAND\" | sed 's#/lava-\\([0-9]\\)#{0}/lava-\\1#g')\"\n",
        root.display()
    );
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, Permissions::from_mode(0o755))?;

    let mut config = format!(
        "ListenAddress {address}\nPidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nAuthorizedKeysFile {}\nForceCommand {}\n\
         SetEnv HOME={}\n",
        root.join("root/.ssh/authorized_keys").display(),
        wrapper.display(),
        // Start-up files of this PC's user are none of the board's.
        root.join("root").display()
    );
    for entry in fs::read_dir(root.join("etc/ssh"))? {
        let key = entry?.path();
        let name = key.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("ssh_host_") && name.ends_with("_key") {
            fs::set_permissions(&key, Permissions::from_mode(0o600))?;
            config.push_str(&format!("HostKey {}\n", key.display()));
        }
    }
    // Its service makes it; sshd itself says so if it is missing.
    let _ = fs::create_dir(PRIVILEGE_SEPARATION);
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

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    fn make_key(path: &Path) {
        let status =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
        assert!(status.unwrap().success());
    }

    #[test]
    fn a_command_arrives_with_its_paths_in_the_fake_root() {
        let program = Path::new("/usr/sbin/sshd");
        assert!(program.exists(), "there is no {}: install openssh-server", program.display());
        let rootfs = Rootfs::empty(&std::env::temp_dir()).unwrap();
        let root = rootfs.path();
        for directory in ["etc/ssh", "root/.ssh", "lava-7"] {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        make_key(&root.join("etc/ssh/ssh_host_ed25519_key"));
        make_key(&root.join("key"));
        fs::copy(root.join("key.pub"), root.join("root/.ssh/authorized_keys")).unwrap();
        let host_key = fs::read_to_string(root.join("etc/ssh/ssh_host_ed25519_key.pub")).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        fs::write(root.join("known_hosts"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();

        let _sshd = start(program, SocketAddr::from(([127, 0, 0, 1], port)), &rootfs).unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(root.join("sshd.log")).unwrap();
            assert!(started.elapsed() < Duration::from_secs(60), "sshd does not listen: {log}");
            std::thread::yield_now();
        }
        let output = Command::new("ssh")
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                "StrictHostKeyChecking=yes",
            ])
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", root.join("known_hosts").display()))
            .arg("-i")
            .arg(root.join("key"))
            .args(["-p", &port.to_string(), "127.0.0.1", "cat > /lava-7/file; ls /lava-7; exit 4"])
            .stdin(fs::File::open(root.join("key.pub")).unwrap())
            .output()
            .unwrap();

        let log = fs::read_to_string(root.join("sshd.log")).unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "file\n",
            "{}\n{log}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(4));
        assert!(fs::read(root.join("lava-7/file")).unwrap().starts_with(b"ssh-ed25519 "));
    }
}
