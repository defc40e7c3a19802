//! The commands of the pages: each is run, and prints what its page shows.

use std::collections::BTreeSet;
use std::process::Command;

use testbench::harness::host_runner;

use crate::desk::Desk;
use crate::pages::{EXIT_CODE, Shown, all_commands, commands_of, pages};

/// Commands of other programs, by their beginnings.
const OF_OTHERS: [(&str, &str); 22] = [
    ("cargo xtask demo", "the whole of it takes minutes; CI runs it by itself"),
    ("cargo xtask test", "this test is a part of it"),
    ("cargo xtask fuzz", "a part of `cargo xtask test`"),
    ("cargo xtask package", "xtask/src/package/tests makes packages and installs them"),
    ("cargo build --release && cargo xtask agent", "both take minutes; CI builds them"),
    ("sudo apt ", "xtask/src/package/tests installs and removes the package, in a system of its own"),
    ("sudo adduser ", "it changes the users of this machine"),
    ("sudo systemctl ", "this machine may have no systemd"),
    ("journalctl ", "the same"),
    ("tar xf host-runner-", "xtask/src/package/tests looks into the archive"),
    ("cd host-runner-", "the same"),
    ("./host-runner --version", "the same"),
    ("sudo systemd-socket-activate ", "there is no sudo, and there may be no systemd"),
    ("cargo bench", "it measures, which takes an idle machine"),
    ("git bisect run", "it builds kernels; tests/bisect.rs runs `git bisect` with `bisect-step`"),
    ("ls -l /dev/serial/by-id", "this machine may have no serial adapter"),
    ("curl ", "tests/serve asks the same of a port of its own"),
    ("cd u-boot", "U-Boot's source is not here; tests/virtual_board/test_py.rs has its tests"),
    ("export PATH=~/ubtest/bin", "tests/virtual_board/test_py.rs has the same environment"),
    ("./test/py/test.py", "tests/virtual_board/test_py.rs runs it"),
    ("sudo host-runner agent install", "there is no sudo, and no such disk; tests/agent_install installs it"),
    ("host-runner run job.yaml --json | jq", "jq may not be there; tests/terminal.rs reads the JSON"),
];

/// Commands of ours that are only parsed here: pages, beginnings, and why.
const PARSED: [(&str, &str, &str); 17] = [
    ("docs/import.md", "host-runner ", "tests/import.rs runs all of that page, and compares what it shows"),
    ("docs/agent.md", "host-runner agent", "there is no such board or disk; tests/agent_install has both"),
    ("docs/install.md", "host-runner init", "it asks a person; tests/init.rs answers"),
    ("docs/install.md", "host-runner doctor", "README.md has the same"),
    ("docs/install.md", "host-runner run job.yaml --out /var/lib", "it writes to /var/lib"),
    ("docs/first-board.md", "host-runner init", "it asks a person; tests/init.rs answers"),
    ("docs/serve.md", "host-runner serve", "its port may be somebody's; tests/serve has one of its own"),
    ("docs/results.md", "host-runner replay runs/20260102T030405Z-my-job --console", "the same"),
    (
        "README.md",
        "host-runner doctor bbb1",
        "a fake board has no power; tests/doctor.rs has one that is switched",
    ),
    ("README.md", "host-runner ssh", "there is no SSH server; tests/language/sshd.rs has one"),
    (
        "README.md",
        "host-runner rootfs diff results",
        "a fake board changes no file; tests/kept_rootfs.rs does",
    ),
    (
        "README.md",
        "host-runner rootfs cat results",
        "a fake board leaves no core; tests/kept_rootfs.rs reads files",
    ),
    ("README.md", "host-runner rootfs list", "the same"),
    ("README.md", "host-runner rootfs diff @build-host", "the same"),
    ("README.md", "host-runner rootfs rm @build-host", "the same"),
    ("docs/first-board.md", "host-runner doctor", "README.md has the same"),
    ("docs/troubleshooting.md", "host-runner doctor bbb1", "README.md has the same"),
];

/// Commands that go on until they are ended, and what they say when they are there.
const STAYING: [(&str, &str); 1] = [("host-runner console bbb1", "console of bbb1")];

/// Commands that end with another code than 0.
const ENDING: [(&str, &str, i32); 2] = [
    ("docs/validate.md", "host-runner validate --no-bench job.yaml typo.yaml", 2),
    ("docs/validate.md", "host-runner validate --no-bench --format json typo.yaml", 2),
];

#[test]
fn every_command_of_another_program_is_listed_with_a_reason() {
    let all: Vec<Shown> = all_commands().into_iter().filter(|shown| !shown.is_ours()).collect();
    let piped = all_commands().into_iter().filter(|shown| shown.is_ours() && shown.command.contains('|'));
    let all: Vec<Shown> = all.into_iter().chain(piped).collect();
    let is_listed = |shown: &Shown| {
        shown.command == EXIT_CODE
            || OF_OTHERS.iter().any(|(beginning, _)| shown.command.starts_with(beginning))
    };
    let missing: Vec<_> = all.iter().filter(|shown| !is_listed(shown)).map(Shown::place).collect();
    assert!(missing.is_empty(), "neither run nor listed: {missing:#?}");
    let is_used = |beginning: &str| all.iter().any(|shown| shown.command.starts_with(beginning));
    let idle: Vec<_> = OF_OTHERS.iter().filter(|(beginning, _)| !is_used(beginning)).collect();
    assert!(idle.is_empty(), "listed and on no page: {idle:#?}");
}

/// The arguments of a command, without those of the shell.
fn own_words(command: &str) -> Vec<&str> {
    let words = command.trim_start_matches("sudo ").split_whitespace().skip(1);
    words.take_while(|word| !word.contains(['|', '>'])).collect()
}

#[test]
fn the_parser_takes_every_command_of_ours() {
    let ours: Vec<Shown> =
        all_commands().into_iter().filter(|shown| shown.command.contains("host-runner ")).collect();
    assert!(ours.len() > 40, "{}", ours.len());
    for shown in ours.iter().filter(|shown| {
        shown.command.starts_with("host-runner ") || shown.command.starts_with("sudo host-runner ")
    }) {
        let mut words: Vec<&str> = own_words(&shown.command);
        if words == ["--version"] {
            // It has no options, and is run.
            continue;
        }
        // What is behind the board's name is ssh's.
        let of_ssh = (words.first() == Some(&"ssh")).then_some(2);
        let end = words.iter().position(|word| *word == "--").or(of_ssh).unwrap_or(words.len());
        // Whatever is wrong before it is told instead of the help.
        words.insert(end, "--help");
        let parsed = Command::new(host_runner()).args(words).output().expect("the program runs");
        let (out, err) = (String::from_utf8_lossy(&parsed.stdout), String::from_utf8_lossy(&parsed.stderr));
        assert!(parsed.status.success() && out.contains("Usage: "), "{}\n{err}", shown.place());
    }
}

#[test]
fn lists_of_exceptions_have_no_idle_entries() {
    let all = all_commands();
    let is_used = |page: &str, beginning: &str| all.iter().any(|shown| shown.is_of(page, beginning));
    let parsed = PARSED.iter().map(|(page, beginning, _)| (*page, *beginning));
    let ending = ENDING.iter().map(|(page, beginning, _)| (*page, *beginning));
    let idle: BTreeSet<_> =
        parsed.chain(ending).filter(|(page, beginning)| !is_used(page, beginning)).collect();
    assert!(idle.is_empty(), "{idle:#?}");
    for (beginning, _) in STAYING {
        assert!(all.iter().any(|shown| shown.command.starts_with(beginning)), "{beginning}");
    }
}

/// Runs the commands of a page in their order.
fn run_page(page: &str, desk: &Desk) -> usize {
    let is_parsed = |shown: &Shown| PARSED.iter().any(|(page, beginning, _)| shown.is_of(page, beginning));
    let ours = |shown: &Shown| shown.is_ours() && !shown.command.contains('|');
    let (mut count, mut last) = (0, None);
    for shown in commands_of(page).into_iter().filter(|shown| !is_parsed(shown)) {
        if shown.command == EXIT_CODE {
            assert_eq!(
                last.map(|code: i32| code.to_string()).as_deref(),
                Some(shown.output.trim()),
                "{}",
                shown.place()
            );
        }
        if !ours(&shown) {
            continue;
        }
        count += 1;
        if let Some((_, text)) = STAYING.iter().find(|(beginning, _)| shown.command.starts_with(beginning)) {
            let words: Vec<&str> = shown.command.split_whitespace().skip(1).collect();
            let staying = desk.bench.start_with(&words);
            staying.wait_for_error(text);
            staying.signal(rustix::process::Signal::TERM);
            assert_eq!(staying.finish().code, Some(5), "{}", shown.place());
            continue;
        }
        let (code, output) = desk.run(&shown.command);
        last = code;
        let ending = ENDING.iter().find(|(page, beginning, _)| shown.is_of(page, beginning));
        assert_eq!(code, Some(ending.map_or(0, |(.., code)| *code)), "{}\n{output}", shown.place());
        if !shown.output.is_empty() {
            assert_eq!(trimmed(&output), trimmed(&shown.output), "{}", shown.place());
        }
    }
    count
}

/// Without blanks at the ends of lines, which a page does not keep.
fn trimmed(text: &str) -> String {
    text.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_commands_of_the_readme_do_their_work() {
    let desk = Desk::new();
    assert!(run_page("README.md", &desk) >= 15);
}

#[test]
fn the_commands_on_checking_jobs_print_what_the_page_shows() {
    let desk = Desk::new();
    desk.write_files_of("docs/validate.md");
    assert_eq!(run_page("docs/validate.md", &desk), 3);
}

#[test]
fn the_commands_on_results_do_their_work() {
    let desk = Desk::new();
    desk.store_run();
    assert!(run_page("docs/results.md", &desk) >= 4);
}

#[test]
fn the_commands_of_all_other_pages_do_their_work() {
    let others = ["README.md", "docs/validate.md", "docs/results.md"];
    let pages: Vec<String> = pages().into_iter().filter(|page| !others.contains(&page.as_str())).collect();
    let counts = pages.iter().map(|page| {
        // A page whose commands are all listed needs no bench.
        let runs = commands_of(page).into_iter().filter(Shown::is_ours);
        let is_parsed =
            |shown: &Shown| PARSED.iter().any(|(page, beginning, _)| shown.is_of(page, beginning));
        if runs.filter(|shown| !is_parsed(shown)).count() == 0 { 0 } else { run_page(page, &Desk::new()) }
    });
    assert!(counts.sum::<usize>() >= 5);
}
