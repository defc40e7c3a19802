//! `host-runner cache`, after a run.

use rustix::process::Signal;
use testbench::harness::{ARTIFACTS_URL, Job, Testbench};

fn cache(bench: &Testbench, words: &[&str]) -> (Option<i32>, String) {
    let run = bench.start_with(&[&["cache"], words].concat()).finish();
    (run.code, run.stdout)
}

#[test]
fn what_a_run_fetched_is_listed_and_pruned_but_not_what_a_kept_root_filesystem_needs() {
    let bench = Testbench::new();
    bench.write("bench.toml", bench.to_toml());
    bench.write("job.yaml", Job::new().to_yaml());
    let run = bench.start_with(&["run", "job.yaml", "--out", "out", "--keep-rootfs"]).finish();
    assert_eq!(run.code, Some(0), "{run}");

    let (code, listed) = cache(&bench, &["list"]);
    assert_eq!(code, Some(0));
    for name in ["zImage", "board.dtb", "rootfs.tar"] {
        assert!(listed.contains(&format!("artifacts/{name}")), "{listed}");
    }
    assert!(listed.contains(&format!("kept for {}", run.out.join("rootfs/board").display())), "{listed}");

    let (_, dry) = cache(&bench, &["prune", "--unused-for", "0", "--dry-run"]);
    assert!(dry.contains("2 files and 0 clones would be removed"), "{dry}");
    let (code, pruned) = cache(&bench, &["prune", "--unused-for", "0", "--json"]);
    assert_eq!((code, pruned.lines().count()), (Some(0), 2), "{pruned}");
    assert!(pruned.lines().all(|line| line.contains(r#""fate":"removed""#)), "{pruned}");
    let hostname = bench.start_with(&["rootfs", "cat", "out", "/etc/hostname"]).finish();
    assert_eq!(hostname.stdout, "debian\n", "{hostname}");

    let removed = bench.start_with(&["rootfs", "rm", "out"]).finish();
    assert_eq!(removed.code, Some(0), "{removed}");
    let (_, pruned) = cache(&bench, &["prune", "--unused-for", "0"]);
    assert!(pruned.contains("1 files and 0 clones removed"), "{pruned}");
    assert!(cache(&bench, &["list"]).1.contains("0 files and 0 clones in"), "{ARTIFACTS_URL}");
}

#[test]
fn what_a_run_serves_stays_as_long_as_it_runs() {
    let bench = Testbench::new();
    let run = bench.start_staying();
    let (code, pruned) = cache(&bench, &["prune", "--unused-for", "0"]);
    assert!(code == Some(0) && pruned.contains("0 files and 0 clones removed"), "{pruned}");
    run.signal(Signal::TERM);
    run.finish();
    let (_, pruned) = cache(&bench, &["prune", "--unused-for", "0"]);
    assert!(pruned.contains("3 files and 0 clones removed"), "{pruned}");
}

#[test]
fn a_file_that_the_disk_has_damaged_is_found() {
    let bench = Testbench::new();
    let run = bench.run(&Job::new());
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(cache(&bench, &["verify"]).0, Some(0));
    let blobs = bench.path().join("cache/blobs");
    let mut blobs: Vec<_> =
        std::fs::read_dir(blobs).expect("a cache").map(|entry| entry.expect("a blob").path()).collect();
    blobs.retain(|path| path.extension().is_none());
    let blob = blobs.first().expect("a blob");
    std::fs::remove_file(blob).expect("an own file");
    std::fs::write(blob, "damaged").expect("an own directory");
    let (code, told) = cache(&bench, &["verify"]);
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("1 damaged"), "{told}");
    assert_eq!(cache(&bench, &["verify"]).0, Some(0), "it is gone");
}
