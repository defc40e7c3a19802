//! Kernel modules of a job.

use std::process::{Command, Stdio};

use testbench::harness::{ARTIFACTS_URL, Job, Testbench};

/// A gzipped tar of one file.
fn modules_tar(bench: &Testbench, path: &str, content: &[u8]) {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    // As it stands: a name that climbs is refused by the crate.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    tar.append(&header, content).expect("memory takes it");
    let plain = bench.write("modules.tar", tar.into_inner().expect("memory takes it"));
    let gzip = Command::new("gzip").arg("-c").arg(plain).stderr(Stdio::inherit()).output();
    bench.artifact("modules.tar.gz", &gzip.expect("gzip is installed").stdout);
}

/// The usual job with the modules in it.
fn job() -> String {
    let modules = format!("    modules:\n      url: {ARTIFACTS_URL}modules.tar.gz\n      compression: gz\n");
    Job::new().to_yaml().replace("    nfsrootfs:\n", &format!("{modules}    nfsrootfs:\n"))
}

#[test]
fn the_modules_of_a_job_are_in_the_root_filesystem_that_the_board_mounts() {
    let bench = Testbench::new();
    modules_tar(&bench, "lib/modules/6.1/kernel/usb.ko", b"a module");
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-rootfs"]).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let module = bench.start_with(&["rootfs", "cat", "out", "/lib/modules/6.1/kernel/usb.ko"]).finish();
    assert_eq!(module.stdout, "a module", "{module}");
}

#[test]
fn modules_that_climb_are_refused_by_name_before_the_board_is_powered() {
    let bench = Testbench::new();
    modules_tar(&bench, "lib/../../etc/passwd", b"root::0:0");
    let run = bench.start_text(&job()).finish();
    assert_eq!(run.code, Some(3), "{run}");
    let message = run.results()["fault"]["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.contains("modules.tar.gz` cannot be unpacked as modules"), "{message}");
    assert!(
        message.contains("lib/../../etc/passwd") && message.contains("has `..` in its name"),
        "{message}"
    );
    assert_eq!(run.power(), Vec::<String>::new(), "no board was touched");
}
