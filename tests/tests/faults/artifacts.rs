//! Artifacts that cannot be had or used.

use testbench::harness::{ARTIFACTS_URL, Job, Testbench};

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
