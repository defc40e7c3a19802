//! Debian's own programs on a root filesystem over NFS: packages, tar, git, users, services (`fixtures/virtual_board`).

use std::fs;

use crate::lab::{Artifacts, Home};

const JOB: &str = include_str!("../../fixtures/virtual_board/debian.yaml");

#[test]
fn debian_works_on_its_root_filesystem_as_on_a_disk() {
    let home = Home::new(Artifacts::Linux);
    let ended = home.run("run", JOB).wait();
    let tests = ended.tests();
    let failed: Vec<&String> = tests.iter().filter(|test| !test.ends_with(" pass")).collect();
    assert!(failed.is_empty() && ended.code == Some(0), "{failed:#?}\n{}\n{ended:?}", ended.output());
    assert_eq!(tests.len(), JOB.matches("lava-test-case ").count());
    home.assert_nothing_left();
    // U-Boot took the block size and the window that the board type sets.
    let events = fs::read_to_string(home.path().join("run/run.jsonl")).unwrap();
    let served = events.lines().filter(|line| line.contains("served zImage by TFTP")).collect::<Vec<_>>();
    assert!(matches!(&served[..], [line] if line.contains("blocks of 1468 bytes, window 2,")), "{served:?}");
}
