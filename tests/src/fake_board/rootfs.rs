//! The board's root file system: what of its NFS root the runner cares for, copied into a temporary directory.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, Permissions};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::nfs::{Kind, Mount, Node};

/// An NFS root as boot arguments name it: `nfsroot=SERVER:PATH[,port=N][,mountport=N]…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NfsRoot {
    server: IpAddr,
    path: String,
    port: Option<u16>,
    mount_port: Option<u16>,
}

impl NfsRoot {
    /// Finds the NFS root in `bootargs`.
    pub(super) fn parse(bootargs: &str) -> Option<Self> {
        let value = bootargs.split_whitespace().find_map(|word| word.strip_prefix("nfsroot="))?;
        let (server, rest) = value.split_once(':')?;
        let mut options = rest.split(',');
        let mut root = Self {
            server: server.parse().ok()?,
            path: options.next()?.to_owned(),
            port: None,
            mount_port: None,
        };
        for option in options {
            match option.split_once('=') {
                Some(("port", port)) => root.port = port.parse().ok(),
                Some(("mountport", port)) => root.mount_port = port.parse().ok(),
                _ => {}
            }
        }
        Some(root)
    }
}

/// A directory tree that stands for `/`.
#[derive(Debug)]
pub(super) struct Rootfs {
    directory: tempfile::TempDir,
    /// Where it came from.
    mount: Option<RefCell<Mount>>,
}

impl Rootfs {
    /// A root with nothing in it, in a directory of its own in `parent`.
    pub(super) fn empty(parent: &Path) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("fake-board-").tempdir_in(parent)?;
        Ok(Self { directory, mount: None })
    }

    /// A copy of the directory `source`, in a directory of its own in `parent`.
    pub(super) fn copy(parent: &Path, source: &Path) -> io::Result<Self> {
        let rootfs = Self::empty(parent)?;
        let status = Command::new("cp").arg("-a").arg(source.join(".")).arg(rootfs.path()).status()?;
        if status.success() { Ok(rootfs) } else { Err(io::Error::other(format!("cp: {status}"))) }
    }

    /// Copies `/lava-*`, `/root` and `/etc/ssh` out of `source` to a directory in `parent`, as the board with
    /// `address`.
    pub(super) fn fetch(
        parent: &Path,
        address: IpAddr,
        source: &NfsRoot,
        portmap_port: u16,
    ) -> io::Result<Self> {
        let mut rootfs = Self::empty(parent)?;
        let ports = (source.port, source.mount_port);
        let mut mount = Mount::new(address, source.server, &source.path, ports, portmap_port)?;
        let mut copies = Copies::default();
        let root = mount.root();
        for (name, node) in mount.list(&root)? {
            if name.starts_with("lava-") && node.kind == Kind::Directory {
                copies.copy(&mut mount, &node, &rootfs.path().join(name))?;
            }
        }
        for path in ["root", "etc/ssh"] {
            let mut found = Ok(root.clone());
            for name in path.split('/') {
                found = found.and_then(|directory| mount.lookup(&directory, name));
            }
            match found {
                Ok(node) => {
                    let target = rootfs.path().join(path);
                    fs::create_dir_all(&target)?;
                    copies.copy(&mut mount, &node, &target)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        rootfs.mount = Some(RefCell::new(mount));
        Ok(rootfs)
    }

    /// Writes the files of `/root` back to where the root came from; not what is below its directories, and no file
    /// whose name begins with a dot.
    pub(super) fn write_back(&self) -> io::Result<()> {
        let Some(mount) = &self.mount else { return Ok(()) };
        let Ok(entries) = fs::read_dir(self.path().join("root")) else { return Ok(()) };
        let mut mount = mount.borrow_mut();
        let root = mount.root();
        let directory = mount.lookup(&root, "root")?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && !name.starts_with('.') {
                mount.write(&directory, &name, 0o644, &fs::read(entry.path())?)?;
            }
        }
        Ok(())
    }

    /// Where `/` is.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Where the board's absolute `path` is.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.path().join(path.trim_start_matches('/'))
    }

    /// Puts `agent` in the place of every `/lava-*/bin/lava-agent`.
    pub(super) fn replace_agent(&self, agent: &Path) -> io::Result<()> {
        for entry in fs::read_dir(self.path())? {
            let binary = entry?.path().join("bin/lava-agent");
            if binary.exists() {
                // Written in place: hard links to it are the helpers.
                fs::copy(agent, &binary)?;
                fs::set_permissions(&binary, Permissions::from_mode(0o755))?;
            }
        }
        Ok(())
    }
}

/// What was copied, so that hard links stay hard links.
#[derive(Default)]
struct Copies(HashMap<u64, PathBuf>);

impl Copies {
    fn copy(&mut self, mount: &mut Mount, node: &Node, target: &Path) -> io::Result<()> {
        match node.kind {
            Kind::Directory => {
                fs::create_dir_all(target)?;
                for (name, child) in mount.list(node)? {
                    if name.contains('/') {
                        return Err(io::Error::new(
                            io::ErrorKind::InvalidData,
                            format!("file name {name:?}"),
                        ));
                    }
                    self.copy(mount, &child, &target.join(name))?;
                }
                fs::set_permissions(target, Permissions::from_mode(node.mode | 0o700))
            }
            Kind::File => {
                if let Some(first) = self.0.get(&node.inode) {
                    return fs::hard_link(first, target);
                }
                let content = mount.read(node)?;
                if content.len() as u64 != node.size {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("{}: short", target.display()),
                    ));
                }
                fs::write(target, content)?;
                self.0.insert(node.inode, target.to_owned());
                fs::set_permissions(target, Permissions::from_mode(node.mode))
            }
            Kind::Link => symlink(mount.read_link(node)?, target),
            Kind::Other => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::read_to_string;
    use std::os::unix::fs::MetadataExt as _;

    use super::super::nfs::testing;
    use super::*;

    const LOCALHOST: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn what_the_runner_put_there_is_copied_and_nothing_else() {
        let port = testing::serve();
        let source =
            NfsRoot::parse(&format!("nfsroot=127.0.0.1:/123,tcp,port={port},mountport={port}")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let rootfs = Rootfs::fetch(directory.path(), LOCALHOST, &source, port).unwrap();
        assert!(rootfs.path().starts_with(directory.path()));

        let bin = rootfs.path().join("lava-7/bin");
        let agent = fs::metadata(bin.join("lava-agent")).unwrap();
        assert_eq!(agent.mode() & 0o777, 0o755);
        assert_eq!(fs::metadata(bin.join("lava-send")).unwrap().ino(), agent.ino());
        assert_eq!(fs::read_link(bin.join("lava-wait")).unwrap(), Path::new("lava-agent"));
        let long = read_to_string(rootfs.path().join("lava-7/environment")).unwrap();
        assert_eq!(long.len(), testing::ENVIRONMENT_SIZE);
        assert_eq!(
            read_to_string(rootfs.path().join("root/.ssh/authorized_keys")).unwrap(),
            "ssh-ed25519 key\n"
        );
        assert!(!rootfs.path().join("home").exists());

        rootfs.replace_agent(&bin.join("../environment")).unwrap();
        assert_eq!(fs::metadata(bin.join("lava-send")).unwrap().len(), testing::ENVIRONMENT_SIZE as u64);
    }

    #[test]
    fn ports_are_asked_of_the_port_mapper_and_a_missing_export_is_named() {
        let port = testing::serve();
        let source = NfsRoot::parse("nfsroot=127.0.0.1:/123,tcp").unwrap();
        let fetch = |source| Rootfs::fetch(&std::env::temp_dir(), LOCALHOST, source, port);
        assert!(fetch(&source).is_ok());
        let source = NfsRoot::parse("nfsroot=127.0.0.1:/absent,tcp").unwrap();
        assert!(fetch(&source).unwrap_err().to_string().contains("MNT /absent"));
    }

    #[test]
    fn the_nfs_root_is_found_in_the_boot_arguments() {
        let bootargs = "console=ttyO0,115200n8 root=/dev/nfs rw nfsroot=127.0.0.1:/123/rootfs,tcp,hard,port=20049,mountport=20048 ip=dhcp";
        let expected = NfsRoot {
            server: "127.0.0.1".parse().unwrap(),
            path: "/123/rootfs".to_owned(),
            port: Some(20049),
            mount_port: Some(20048),
        };
        assert_eq!(NfsRoot::parse(bootargs), Some(expected));
        assert_eq!(NfsRoot::parse("root=/dev/mmcblk0p2"), None);
    }
}
