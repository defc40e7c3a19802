//! Jobs whose root filesystem is not ours: kernel and RAM disk over TFTP, tests at the shell that comes with them.

use testbench::harness::{ARTIFACTS_URL, Definition, Job, Testbench};

/// BusyBox on a system of which only `/run` can be written: its agent must go there.
const SHELL: &str = "exec unshare --mount sh -c 'mount -t tmpfs tmpfs /run && mount -o remount,bind,ro / && \
                     PS1=\"root@debian:~# \" exec busybox sh -i'";

#[test]
fn a_job_with_a_ram_disk_brings_its_agent_along_once() {
    let bench = Testbench::new().board_option(&["--shell", SHELL]);
    bench.artifact("initrd.img", b"what no fake board looks into");
    let again = Definition::new("again", &["lava-test-case again --shell 'case $0 in sh) true;; esac'"]);
    let job = Job::new().ramdisk(&[&format!("url: {ARTIFACTS_URL}initrd.img")]).then(&[again]);
    let ended = bench.run(&job);
    assert_eq!(ended.code, Some(0), "{ended}");
    let results = ended.results();
    let node = &results["nodes"][0];
    let cases: Vec<&str> =
        node["tests"].as_array().unwrap().iter().map(|test| test["case"].as_str().unwrap()).collect();
    assert_eq!(cases, ["board-answers", "speed", "again"], "{ended}");

    let events = ended.events();
    let notes: Vec<&str> = events
        .iter()
        .filter(|event| event["event"] == "note")
        .filter_map(|event| event["text"].as_str())
        .filter(|text| text.starts_with("agent uploaded to "))
        .collect();
    assert!(
        matches!(&notes[..], [note] if note.starts_with("agent uploaded to /run/lava-")
            && note.contains(" characters, decoded by base64 and `gzip -dc`, checked by sha256sum")),
        "{notes:?}"
    );
    let progress: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "progress" && event["what"] == "upload agent")
        .map(|event| (event["done"].as_u64().unwrap(), event["total"].as_u64().unwrap()))
        .collect();
    assert!(progress.is_sorted() && progress.len() > 10, "{progress:?}");
    assert!(progress.last().is_some_and(|(done, total)| done == total), "{progress:?}");
}
