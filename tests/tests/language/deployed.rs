//! What a deployment puts into a root filesystem, and takes from it.

use std::io::Read as _;

use testbench::harness::{ARTIFACTS_URL, Finished, Job, Testbench};

/// The tar with every name below `prefix`.
fn below(prefix: &str, tar: &[u8]) -> Vec<u8> {
    let mut moved = tar::Builder::new(Vec::new());
    for entry in tar::Archive::new(tar).entries().expect("a tar") {
        let mut entry = entry.expect("a tar");
        let mut header = entry.header().clone();
        let path = format!("{prefix}{}", entry.path().expect("a path").display());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("a tar");
        moved.append_data(&mut header, path, content.as_slice()).expect("memory takes it");
    }
    moved.into_inner().expect("memory takes it")
}

fn keep(bench: &Testbench, job: &Job) -> Finished {
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", job.to_yaml());
    bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-rootfs"]).finish()
}

#[test]
fn a_prefix_is_the_root_and_overlays_and_modules_are_put_below_it() {
    let bench = Testbench::new();
    let rootfs = std::fs::read(bench.path().join("artifacts/rootfs.tar")).expect("it was made");
    bench.artifact("prefixed.tar", &below("jessie/", &rootfs));
    bench.artifact("motd", b"hello\n");
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o600);
    header.set_size(3);
    tar.append_data(&mut header, "keys/one", &b"key"[..]).expect("memory takes it");
    bench.artifact("keys.tar", &tar.into_inner().expect("memory takes it"));
    let lines = [
        format!("url: {ARTIFACTS_URL}prefixed.tar"),
        "prefix: jessie/".to_owned(),
        "overlays:".to_owned(),
        format!("  motd: {{url: {ARTIFACTS_URL}motd, format: file, path: /etc/motd}}"),
        format!("  keys: {{url: {ARTIFACTS_URL}keys.tar, format: tar, path: /etc}}"),
    ];
    let job = Job::new().nfsrootfs(&lines.each_ref().map(String::as_str));
    let run = keep(&bench, &job);
    assert_eq!(run.code, Some(0), "{run}");
    for (path, content) in [("/etc/motd", "hello\n"), ("/etc/keys/one", "key"), ("/etc/hostname", "debian\n")]
    {
        let shown = bench.start_with(&["rootfs", "cat", "out", path]).finish();
        assert_eq!((shown.code, shown.stdout.as_str()), (Some(0), content), "{path}: {shown}");
    }
    let changed = bench.start_with(&["rootfs", "diff", "out"]).finish();
    assert!(changed.stdout.contains(" /etc/motd\n") && !changed.stdout.contains("jessie"), "{changed}");
}

#[test]
fn a_prefix_that_the_tar_does_not_have_is_named() {
    let bench = Testbench::new();
    let url = format!("url: {ARTIFACTS_URL}rootfs.tar");
    let run = bench.run(&Job::new().nfsrootfs(&[&url, "prefix: jessie/"]));
    assert_ne!(run.code, Some(0), "{run}");
    assert!(run.results()["fault"].to_string().contains("jessie"), "{run}");
}

#[test]
fn a_deployment_can_be_repeated() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    let text = Job::new().to_yaml();
    assert!(text.contains("\n- deploy:\n"), "{text}");
    bench.write("job.yaml", text.replacen("\n- deploy:\n", "\n- deploy:\n    repeat: 2\n", 1));
    let run = bench.start_with(&["run", "job.yaml", "--out", "out"]).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.file("console/board.log").contains("-2/kernel/"), "the second one is booted: {run}");
}
