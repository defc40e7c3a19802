//! Tools that hang, of which an error names them and what they said last, and tools that outlive the program.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Instant;

use testbench::harness::PATIENCE;

use crate::ext4::check;
use crate::fixture::{Ended, Fixture, make_ext4, script};

/// Runs the program with stand-ins before all other tools.
fn run(fixture: &Fixture, words: &[&str]) -> Ended {
    let path = std::env::var("PATH").unwrap();
    let mut command = fixture.command(words);
    command.env("PATH", format!("{}:{path}", fixture.path("stand-ins").display()));
    Ended::new(&command.output().unwrap())
}

fn stand_in(fixture: &Fixture, tool: &str, text: &str) {
    fs::create_dir_all(fixture.path("stand-ins")).unwrap();
    script(&fixture.path("stand-ins").join(tool), text);
}

#[test]
fn a_tool_that_hangs_is_killed_and_told_with_its_last_words() {
    let fixture = Fixture::new();
    make_ext4(&fixture, "rootfs.img", 4, &["-t", "ext4"]);
    fs::write(fixture.path("disk.img"), [&[0; 510][..], &[0x55, 0xaa], &[0; 4096]].concat()).unwrap();
    std::thread::scope(|scope| {
        for (tool, target) in [("debugfs", "rootfs.img"), ("partx", "disk.img"), ("ssh", "ssh:board")] {
            stand_in(&fixture, tool, "echo one >&2\necho 'reading the disk' >&2\nexec sleep 1000");
            let fixture = &fixture;
            scope.spawn(move || {
                let ended = run(fixture, &["status", target, "--timeout", "5"]);
                let said = format!("`{tool}` did not end within 5 s; it said last: reading the disk");
                ended.assert(3, &[target, &said, "`--timeout`"]);
            });
        }
    });
}

/// Does the first three commands of a change with the real tool, which waits for the next then.
const HALF: &str = "case $* in *' -f '*) ;; *) exec /usr/sbin/debugfs \"$@\" ;; esac\n\
    { head -n 3 commands; exec sleep 1000; } | /usr/sbin/debugfs \"$1\" \"$2\" \"$3\" -f /dev/stdin \"$6\"";

/// Makes sure that an installation whose change hangs halfway says `said`; returns whether the image is as it was.
fn is_taken_back(fixture: &Fixture, said: &[&str]) -> bool {
    make_ext4(fixture, "rootfs.img", 16, &["-t", "ext4"]);
    let before = fs::read(fixture.path("rootfs.img")).unwrap();
    stand_in(fixture, "debugfs", HALF);
    run(fixture, &["install", "--agents", "agents", "rootfs.img", "--timeout", "10"]).assert(3, said);
    fs::read(fixture.path("rootfs.img")).unwrap() == before
}

#[test]
fn a_change_that_hangs_halfway_is_taken_back() {
    let said = ["`debugfs` did not end within 10 s", "`--timeout`"];
    assert!(is_taken_back(&Fixture::new(), &said), "the image has changed");
}

#[test]
fn a_change_that_cannot_be_taken_back_is_told() {
    let fixture = Fixture::new();
    stand_in(&fixture, "e2undo", "echo undoing >&2\nexec sleep 1000");
    let said = ["`e2undo` did not end within 10 s; it said last: undoing", "e2fsck -f"];
    assert!(!is_taken_back(&fixture, &said), "nothing was to be taken back");
}

/// Kills the program in the middle of a change, and does the rest with nobody to tell about it.
const ORPHAN: &str = "case $* in *' -f '*) ;; *) exec /usr/sbin/debugfs \"$@\" ;; esac\n\
    parent=$PPID\n\
    { head -n 3 commands; until [ -e undo ]; do sleep 0.01; done; kill -KILL $parent; tail -n +4 commands; } |\n\
    /usr/sbin/debugfs \"$1\" \"$2\" \"$3\" -f /dev/stdin \"$6\"\n\
    echo $? > \"${6%/*}/done\"";

#[test]
fn a_change_is_finished_when_the_program_is_killed_meanwhile() {
    let fixture = Fixture::new();
    make_ext4(&fixture, "rootfs.img", 16, &["-t", "ext4"]);
    stand_in(&fixture, "debugfs", ORPHAN);
    let path = std::env::var("PATH").unwrap();
    let mut install = fixture.command(&["install", "--agents", "agents", "rootfs.img"]);
    install.env("PATH", format!("{}:{path}", fixture.path("stand-ins").display()));
    // What it cannot remove goes with the fixture.
    install.env("TMPDIR", fixture.path(""));
    let killed = install.output().unwrap().status;
    assert_eq!(killed.signal(), Some(9), "{killed}");
    let started = Instant::now();
    while fs::read_to_string(fixture.path("done")).ok().as_deref() != Some("0\n") {
        assert!(started.elapsed() < PATIENCE, "the change is not finished");
        std::thread::yield_now();
    }
    fixture.assert_whole(&["rootfs.img"]);
    check(&fixture.path("rootfs.img"), 0);
}
