//! Artifacts that cannot be had or used.

use std::fs;
use std::process::Command;

use testbench::harness::{ARTIFACTS_URL, Job, Testbench, host_runner};

use crate::evidence::{Expected, assert_power_untouched};

/// The run ends in the deployment, before the board is switched on.
#[track_caller]
fn assert_deployment_fails(bench: &Testbench, job: &Job, line: usize, said: &[&str]) {
    let run = bench.run(job);
    Expected { class: "infrastructure", phase: "deploy-tftp", said }.assert(&run);
    let place = run.results()["fault"]["where"].as_str().unwrap().to_owned();
    assert!(place.contains(&format!("(job.yaml:{line}:12)")), "{place}");
    assert_power_untouched(&run);
}

const KERNEL_LINE: usize = 14;
const ROOTFS_LINE: usize = 19;

#[test]
fn a_missing_artifact_is_named_with_the_place_that_the_mirror_led_to() {
    let url = format!("url: {ARTIFACTS_URL}absent/zImage");
    let job = Job::new().kernel(&[&url, "type: zimage"]);
    let said = ["absent/zImage", "mirrored to", "No such file or directory"];
    assert_deployment_fails(&Testbench::new(), &job, KERNEL_LINE, &said);
}

#[test]
fn a_server_that_refuses_the_connection_is_told_as_such() {
    let bench = Testbench::new();
    // Nobody listens on an address of our own.
    let to = format!("http://{}:9/", bench.addresses().server);
    let bench = bench.mirror("https://artifacts.example.org/remote/", &to);
    let url = format!("url: {ARTIFACTS_URL}remote/zImage");
    let job = Job::new().kernel(&[&url, "type: zimage"]).timeout("tftp-deploy", 3);
    assert_deployment_fails(&bench, &job, KERNEL_LINE + 2, &["remote/zImage", &to, "refused"]);
}

#[test]
fn a_wrong_checksum_is_shown_beside_the_right_one() {
    let wrong = "0123456789abcdef".repeat(4);
    let url = format!("url: {ARTIFACTS_URL}zImage");
    let job = Job::new().kernel(&[&url, "type: zimage", &format!("sha256sum: {wrong:?}")]);
    let said = ["sha256 does not match", wrong.as_str(), "got "];
    assert_deployment_fails(&Testbench::new(), &job, KERNEL_LINE, &said);
}

#[test]
fn a_root_filesystem_that_is_no_archive_is_refused() {
    let bench = Testbench::new();
    bench.artifact("rootfs.tar", b"<html>404: this is no archive</html>\n".repeat(100).as_slice());
    assert_deployment_fails(
        &bench,
        &Job::new(),
        ROOTFS_LINE,
        &["rootfs.tar", "cannot be used as a root filesystem"],
    );
}

#[test]
fn a_file_that_is_not_compressed_as_the_job_says_is_shown_with_its_first_bytes() {
    let url = format!("url: {ARTIFACTS_URL}page.tar.gz");
    let job = Job::new().nfsrootfs(&[&url, "compression: gz"]);
    let bench = Testbench::new();
    bench.artifact("page.tar.gz", b"<html>404</html>");
    assert_deployment_fails(&bench, &job, ROOTFS_LINE, &["not a valid gzip file", "<html>"]);
}

#[test]
fn a_compression_that_the_job_does_not_tell_is_told() {
    let bench = Testbench::new();
    let gzip = Command::new("gzip").arg(bench.path().join("artifacts/rootfs.tar")).status().unwrap();
    assert!(gzip.success(), "{gzip}");
    let run = bench.run(&Job::new().nfsrootfs(&[&format!("url: {ARTIFACTS_URL}rootfs.tar.gz")]));
    let said = ["rootfs.tar.gz` is compressed with gzip"];
    Expected { class: "job", phase: "deploy-tftp", said: &said }.assert(&run);
    let fault = run.results()["fault"].to_string();
    assert!(fault.contains("say so in the job: `compression: gz`"), "{fault}");
    assert_power_untouched(&run);
}

#[test]
fn a_full_disk_is_told_with_the_file_that_did_not_fit_and_leaves_nothing() {
    let bench = Testbench::new();
    bench.artifact("large.tar", &vec![0; 8 << 20]);
    let gzip = Command::new("gzip").arg(bench.path().join("artifacts/large.tar")).status().unwrap();
    assert!(gzip.success(), "{gzip}");
    let url = format!("url: {ARTIFACTS_URL}large.tar.gz");
    let job = Job::new().nfsrootfs(&[&url, "compression: gz"]);
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job.to_yaml());
    fs::create_dir(bench.path().join("cache")).unwrap();
    // The cache has a disk of 1 MiB; the network is another one because its ports must be the user's.
    let script = "PATH=$PATH:/usr/sbin:/sbin
        ip link set dev lo up
        mount -t tmpfs -o size=1m tmpfs cache
        \"$0\" run job.yaml --out out || code=$?
        ls cache/tmp cache/records > left
        exit $code";
    let ended = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--net", "sh", "-ec", script])
        .arg(host_runner())
        .current_dir(bench.path())
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{stderr}");
    let results = fs::read_to_string(bench.path().join("out/results.json")).unwrap();
    let directory = bench.path().join("cache/tmp").display().to_string();
    for said in ["No space left on device", &directory, "large.tar.gz", "infrastructure"] {
        assert!(results.contains(said), "{said}: {results}");
    }
    let left = fs::read_to_string(bench.path().join("left")).unwrap();
    let records = left.split_once("cache/tmp:").unwrap();
    assert_eq!(records.1.trim(), "", "{left}");
    assert!(!left.contains("unpacked-"), "{left}");
}
