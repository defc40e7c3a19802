//! Two boards on one root filesystem, each with its own changes and its own budget (`fixtures/virtual_board`).

use std::fs;
use std::path::Path;
use std::process::Command;

use testbench::harness::host_runner;

use crate::lab::{Artifacts, Home};
use crate::nodes::{nodes, tests};

const JOB: &str = include_str!("../../fixtures/virtual_board/two-boards.yaml");
/// What each board may write, in MiB.
const BUDGET_MB: u32 = 64;
/// What a boot and a few changed files take of it at most, in MiB.
const TAKEN_MB: f64 = 8.0;

#[test]
fn two_boards_on_one_root_filesystem_see_neither_changes_nor_use_of_each_other() {
    let home = Home::new(Artifacts::Linux).with_two_boards(BUDGET_MB);
    let ended = home.run_with("run", JOB, &["--keep-rootfs"]).wait();
    assert_eq!(ended.code, Some(0), "{ended:?}\n{}", ended.output());
    let boards: Vec<_> =
        nodes(&ended).iter().map(|node| node["board"].as_str().unwrap_or_default()).collect();
    assert_eq!(boards, ["vb1", "vb2"]);
    for node in nodes(&ended) {
        let role = node["role"].as_str().unwrap();
        let results = tests(node);
        assert!(results.iter().all(|result| result.contains(" pass")), "{role}: {results:?}");
        let both = ["own-content", "own-change", "own-kind", "own-removal", "free-in-mib"];
        let own: &[&str] = match role {
            "left" => &["other-board"],
            _ => &[
                "write-beyond-the-budget",
                "full-in-mib",
                "nothing-is-free",
                "full-system-reads",
                "room-again",
                "write-again",
                "system-goes-on",
            ],
        };
        let names: Vec<_> = results.iter().map(|result| result.split(' ').next().unwrap()).collect();
        assert_eq!(names, [&both[..], own].concat(), "{role}");
        let measured = results.iter().filter_map(|result| result.split(" pass ").nth(1));
        let measured: Vec<f64> = measured.map(|mebibytes| mebibytes.parse().unwrap()).collect();
        let budget = f64::from(BUDGET_MB);
        assert!(
            measured.iter().all(|mebibytes| (budget - TAKEN_MB..=budget).contains(mebibytes)),
            "{measured:?}"
        );
    }

    let kept = home.path().join("run");
    let console = |node: &str| fs::read_to_string(kept.join(format!("console/{node}.log"))).unwrap();
    assert!(console("left").contains("lava-agent console --baud 0"), "{}", console("left"));
    assert!(console("right").contains("bin/lava-agent tcp --runner 10.77.0.1:"), "{}", console("right"));
    let (left, right) = (diff(&kept, "left"), diff(&kept, "right"));
    for (changed, expected) in [
        (&left, ["modified   /etc/motd", "added      /srv/half", "removed    /srv/lab-packages"]),
        (&right, ["modified   /etc/motd", "added      /srv/again", "removed    /usr/share/perl5"]),
    ] {
        for line in expected {
            assert!(changed.lines().any(|changed| changed == line), "{line}:\n{changed}");
        }
    }
    for (changed, foreign) in
        [(&left, ["/srv/again", "/usr/share/perl5"]), (&right, ["/srv/half", "/srv/lab-packages"])]
    {
        for path in foreign {
            assert!(!changed.contains(path), "{path}:\n{changed}");
        }
    }
    for role in ["left", "right"] {
        assert_eq!(rootfs(&["cat", "--node", role], &kept, &["/srv/same"]), format!("{role}\n"));
    }
    home.assert_nothing_left();
}

/// What the node's job has changed.
fn diff(kept: &Path, node: &str) -> String {
    rootfs(&["diff", "--node", node], kept, &[])
}

fn rootfs(command: &[&str], kept: &Path, arguments: &[&str]) -> String {
    let output = Command::new(host_runner()).arg("rootfs").args(command).arg(kept).args(arguments).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
