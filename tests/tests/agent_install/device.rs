//! Block devices: loop devices, which only root can make.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::ext4::check;
use crate::fixture::{Fixture, make_ext4, sbin};
use crate::gpt;

/// A loop device.
struct Loop {
    device: String,
}

impl Loop {
    /// Attaches one to `image`.
    ///
    /// # Errors
    /// Where that is not possible: what is not tested, and why.
    fn new(image: &Path, options: &[&str]) -> Result<Self, String> {
        let output = sbin("losetup").args(["--find", "--show"]).args(options).arg(image).output().unwrap();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("not tested: block devices: {}", said.trim()));
        }
        Ok(Self { device: String::from_utf8(output.stdout).unwrap().trim().to_owned() })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        // It stays if a test has failed to unmount it.
        let _ = sbin("losetup").args(["--detach", &self.device]).status();
    }
}

#[test]
fn an_agent_lives_on_a_device() {
    let fixture = Fixture::new();
    make_ext4(&fixture, "rootfs.img", 16, &["-t", "ext4"]);
    let device = match Loop::new(&fixture.path("rootfs.img"), &[]) {
        Ok(device) => device,
        Err(said) => return eprintln!("{said}"),
    };
    fixture.assert_life(&[&device.device]);
    check(Path::new(&device.device), 0);
    fixture
        .install_earlier(&["rootfs.img"])
        .assert(3, &[&format!("it is in use: {} is attached to it", device.device)]);
    fixture.remove(&[&device.device]).assert(0, &["is removed"]);
}

#[test]
fn an_agent_lives_in_a_partition_of_a_device_with_sectors_of_either_size() {
    for sector in [512, 4096] {
        let fixture = Fixture::new();
        gpt::disk(&fixture, sector);
        let sector = sector.to_string();
        let device = match Loop::new(&fixture.path("disk.img"), &["--sector-size", &sector]) {
            Ok(device) => device,
            Err(said) => return eprintln!("{said}"),
        };
        fixture.install(&[&device.device]).assert(2, &["1 (2 MiB), 2 (16 MiB, ext4)", "`--partition 2`"]);
        fixture.assert_life(&[&device.device, "--partition", "2"]);
        check(Path::new(&device.device), 3 << 20);
    }
}

#[test]
fn a_file_system_that_is_larger_than_its_device_is_left_as_it_is() {
    let fixture = Fixture::new();
    make_ext4(&fixture, "rootfs.img", 16, &["-t", "ext4"]);
    let device = match Loop::new(&fixture.path("rootfs.img"), &["--sizelimit", "8388608"]) {
        Ok(device) => device,
        Err(said) => return eprintln!("{said}"),
    };
    let before = fs::read(fixture.path("rootfs.img")).unwrap();
    fixture
        .install(&[&device.device])
        .assert(3, &["the ext4 file system in it needs 16777216 bytes, there are only 8388608"]);
    assert!(fs::read(fixture.path("rootfs.img")).unwrap() == before, "the image has changed");
}

#[test]
fn a_device_that_is_mounted_is_left_to_the_kernel() {
    let fixture = Fixture::new();
    make_ext4(&fixture, "rootfs.img", 16, &["-t", "ext4"]);
    let device = match Loop::new(&fixture.path("rootfs.img"), &[]) {
        Ok(device) => device,
        Err(said) => return eprintln!("{said}"),
    };
    fs::create_dir(fixture.path("mounted")).unwrap();
    let mut holder = Command::new("unshare")
        .args(["--mount", "sh", "-c", "mount \"$1\" \"$2\" && echo mounted && exec cat > /dev/null", "sh"])
        .arg(&device.device)
        .arg(fixture.path("mounted"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    if said == "mounted\n" {
        fixture.install(&[&device.device]).assert(3, &["it is in use: it is mounted", "unmount it first"]);
    } else {
        eprintln!("not tested: mounted block devices: mount has failed");
    }
    drop(holder.stdin.take());
    holder.wait().unwrap();
    fixture.install(&[&device.device]).assert(0, &["is installed"]);
    check(Path::new(&device.device), 0);
}
