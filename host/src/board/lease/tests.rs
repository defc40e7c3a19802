use std::io::BufRead as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::*;

struct Bench {
    directory: tempfile::TempDir,
    file: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("bench.toml");
        std::fs::write(&file, "").unwrap();
        Self { directory, file }
    }

    fn board(&self, name: &str) -> Key {
        Key::board(&self.file, name).unwrap()
    }
}

fn holder(run: &str) -> Holder {
    Holder {
        pid: 42,
        user: 3_999_999_999,
        run: run.to_owned(),
        job: "smoke".to_owned(),
        since: jiff::Timestamp::UNIX_EPOCH,
        until: None,
        kept_on_until: None,
    }
}

#[test]
fn a_second_run_is_refused_and_told_who_has_the_board() {
    let bench = Bench::new();
    let keys = [bench.board("vb1")];
    let lease = Lease::acquire(&keys, &holder("runs/1\x1b[2J")).unwrap();
    let error = Lease::acquire(&keys, &holder("runs/2")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "board vb1 is in use by run runs/1[2J of job `smoke` (process 42, user 3999999999, since 1970-01-01 00:00 UTC)"
    );
    assert_eq!(error.help().unwrap(), "wait for that run to end, as `run --wait` does, or end it");
    drop(lease);
    Lease::acquire(&keys, &holder("runs/2")).unwrap();
}

#[test]
fn two_boards_on_one_device_exclude_each_other_and_the_loser_gives_all_back() {
    let bench = Bench::new();
    let device = bench.directory.path().join("ttyUSB0");
    std::fs::write(&device, "").unwrap();
    let link = bench.directory.path().join("by-id");
    std::os::unix::fs::symlink(&device, &link).unwrap();
    let other = bench.board("vb2");

    let _first = Lease::acquire(&[bench.board("vb1"), Key::device(&device)], &holder("runs/1")).unwrap();
    let refused = Lease::acquire(&[other.clone(), Key::device(&link)], &holder("runs/2")).unwrap_err();
    assert!(refused.to_string().starts_with("device /"), "{refused}");
    Lease::acquire(&[other], &holder("runs/2")).unwrap();
}

#[test]
fn a_console_behind_a_port_is_one_whatever_the_bench_file() {
    let server = format!("{}.example.org", Bench::new().directory.path().display());
    let _first = Lease::acquire(&[Key::port(&server, 2001)], &holder("runs/1")).unwrap();
    let refused = Lease::acquire(&[Key::port(&server, 2001)], &holder("runs/2")).unwrap_err();
    assert!(refused.to_string().starts_with(&format!("console {server}:2001 is in use")), "{refused}");
    Lease::acquire(&[Key::port(&server, 2002)], &holder("runs/2")).unwrap();
}

#[test]
fn two_boards_of_one_run_cannot_share_a_device() {
    let device = Key::device(&Bench::new().directory.path().join("ttyUSB0"));
    let error = Lease::acquire(&[device.clone(), device], &holder("runs/1")).unwrap_err();
    assert!(error.to_string().ends_with("ttyUSB0 is wanted twice by this run"), "{error}");
}

/// Not a test of its own: the run that [`the_death_of_the_holder_frees_the_board`] stops and kills.
#[test]
#[ignore = "started by another test"]
fn run_to_be_killed() {
    let file = PathBuf::from(std::env::var_os("LEASED_BENCH").unwrap());
    let _lease = Lease::acquire(&[Key::board(&file, "vb1").unwrap()], &holder("runs/1")).unwrap();
    println!("leased");
    io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn the_death_of_the_holder_frees_the_board() {
    let bench = Bench::new();
    let key = [bench.board("vb1")];
    let mut dying = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "board::lease::tests::run_to_be_killed"])
        .env("LEASED_BENCH", &bench.file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = io::BufReader::new(dying.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("leased")));
    let pid = Pid::from_child(&dying);

    kill_process(pid, Signal::STOP).unwrap();
    // All of its threads; a signal takes a moment.
    waitid(WaitId::Pid(pid), WaitIdOptions::STOPPED).unwrap();
    let error = Lease::acquire(&key, &holder("runs/2")).unwrap_err();
    assert_eq!(error.to_string(), "board vb1 is in use");
    let help = error.help().unwrap();
    assert!(help.contains(&format!("process {0} of user ", pid.as_raw_nonzero())), "{help}");
    assert!(help.contains(&format!("`kill -CONT {}`", pid.as_raw_nonzero())), "{help}");

    dying.kill().unwrap();
    dying.wait().unwrap();
    Lease::acquire(&key, &holder("runs/2")).unwrap();
}

#[test]
fn a_persistent_root_filesystem_is_leased_by_its_path_and_told_by_its_holder() {
    let bench = Bench::new();
    let link = bench.directory.path().join("link");
    std::os::unix::fs::symlink(bench.directory.path(), &link).unwrap();
    let key = |directory: &Path, name| Key::persistent_rootfs(directory, name).unwrap();
    let held = key(bench.directory.path(), "build");
    assert_eq!(held.holder(), None);
    let command = Holder { job: String::new(), ..holder("host-runner rootfs serve") };
    let _lease = Lease::acquire(std::slice::from_ref(&held), &command).unwrap();
    let error = Lease::acquire(&[key(&link, "build")], &holder("runs/2")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "persistent root filesystem build is in use by `host-runner rootfs serve` (process 42, user 3999999999, since 1970-01-01 00:00 UTC)"
    );
    assert_eq!(held.holder(), Some(command));
    Lease::acquire(&[key(&link, "other")], &holder("runs/2")).unwrap();
}
