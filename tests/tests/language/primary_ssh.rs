//! A board that is up by itself and reached over SSH, with OpenSSH's own server.

use testbench::harness::Testbench;

use crate::shell_board::{job, test};
use crate::sshd::{Sshd, make_key};
use crate::tests;

fn actions() -> String {
    let steps =
        ["lava-test-case there --result pass", "lava-test-case shell --shell 'test -n \"$SSH_CONNECTION\"'"];
    let boot =
        "- deploy: {to: ssh, os: debian}\n- boot: {method: ssh, connection: ssh, prompts: ['root@']}\n";
    [boot, &test("", "smoke", &steps)].concat()
}

#[test]
fn a_board_that_is_up_by_itself_runs_tests_over_ssh() {
    let bench = Testbench::new();
    let sshd = Sshd::start(&bench);
    let text = sshd.bench(&bench, &sshd.host_key);
    let bench = bench.bench_text(&text);
    let run = bench.start_text(&job(&bench, &actions())).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_smoke/there pass", "0_smoke/shell pass"]);
    assert!(run.power().is_empty(), "{run}");
}

#[test]
fn a_server_with_another_key_is_not_spoken_to() {
    let bench = Testbench::new();
    let sshd = Sshd::start(&bench);
    let other = make_key(&bench.path().join("other"));
    let text = sshd.bench(&bench, &other);
    let bench = bench.bench_text(&text);
    let run = bench.start_text(&job(&bench, &actions())).finish();
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.results()["fault"].to_string().contains("host key"), "{run}");
    assert!(tests(&run).is_empty());
}

#[test]
fn nothing_stays_on_a_board_that_is_up_by_itself() {
    let bench = Testbench::new();
    let sshd = Sshd::start(&bench);
    let text = sshd.bench(&bench, &sshd.host_key);
    let bench = bench.bench_text(&text);
    let boot =
        "- deploy: {to: ssh, os: debian}\n- boot: {method: ssh, connection: ssh, prompts: ['root@']}\n";
    let fails = test("timeout: {seconds: 4}", "late", &["sleep 60"]);
    for actions in [actions(), [boot, &fails].concat()] {
        let run = bench.start_text(&job(&bench, &actions)).finish();
        let left = std::fs::read_dir(bench.path().join("tmp")).expect("the agent's directory was in it");
        let left: Vec<_> = left.map(|entry| entry.expect("it can be read").file_name()).collect();
        assert!(left.is_empty(), "{left:?}: {run}");
        std::fs::remove_dir_all(bench.path().join("out")).expect("the run's own");
    }
}

#[test]
fn a_person_logs_in_with_what_the_bench_file_knows() {
    let bench = Testbench::new();
    let sshd = Sshd::start(&bench);
    let other = make_key(&bench.path().join("other"));
    for (host_key, code, stdout) in [(&sshd.host_key, Some(7), "there\n"), (&other, Some(255), "")] {
        bench.write("bench.toml", sshd.bench(&bench, host_key));
        let command = ["ssh", "server", "--", "echo there; exit 7"];
        let ended = bench.start_with(&command).finish();
        assert_eq!((ended.code, ended.stdout.as_str()), (code, stdout), "{ended}");
    }
}
