//! The commands that README.md and the pages of docs/ show: each is run, on a bench with a fake board, and prints what its
//! page shows. What cannot be run here is listed with its reason, and its options are parsed all the same.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testbench::harness::{BOARD, Definition, Job, Testbench, host_runner};

/// Longer than any command takes on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The pages' board.
const GUIDES_BOARD: &str = "bbb1";

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
    ("docs/validate.md", "host-runner validate job.yaml typo.yaml", 2),
    ("docs/validate.md", "host-runner validate --format json typo.yaml", 2),
];

/// What shows the exit code of the command before it.
const EXIT_CODE: &str = "echo $?";

/// A command of a page.
#[derive(Clone, Debug)]
struct Shown {
    page: String,
    line: usize,
    command: String,
    /// What the page shows behind it.
    output: String,
}

impl Shown {
    /// Whether it is one of ours.
    fn is_ours(&self) -> bool {
        self.command.starts_with("host-runner ")
    }

    fn place(&self) -> String {
        format!("{}:{}: {}", self.page, self.line, self.command)
    }

    fn is_of(&self, page: &str, beginning: &str) -> bool {
        self.page == page && self.command.starts_with(beginning)
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// README.md and all pages below docs/ and udev/, by their paths in the repository.
fn pages() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned()];
    for directory in ["docs", "docs/design", "docs/errors", "udev"] {
        for entry in fs::read_dir(repository().join(directory)).expect("a directory of the repository") {
            let name = entry.expect("an entry").file_name().into_string().expect("a plain name");
            if name.ends_with(".md") {
                pages.push(format!("{directory}/{name}"));
            }
        }
    }
    pages.sort();
    pages
}

/// The commands in the `console` blocks of a page.
fn commands_of(page: &str) -> Vec<Shown> {
    let text = fs::read_to_string(repository().join(page)).expect("a page of the repository");
    let (mut all, mut is_inside): (Vec<Shown>, bool) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let text = line.trim_start();
        match text.strip_prefix("```") {
            Some(language) => is_inside = !is_inside && language == "console",
            None if !is_inside => {}
            None => match (text.strip_prefix("$ "), all.last_mut()) {
                (Some(command), _) => {
                    // A remark stands behind some blanks.
                    let command = command.split("  #").next().unwrap_or(command).trim();
                    let command = command.replace("target/release/host-runner", "host-runner");
                    let (page, line) = (page.to_owned(), number + 1);
                    all.push(Shown { page, line, command, output: String::new() });
                }
                (None, Some(last)) => last.output += &format!("{line}\n"),
                (None, None) => panic!("{page}:{}: output without a command", number + 1),
            },
        }
    }
    all
}

fn all_commands() -> Vec<Shown> {
    pages().iter().flat_map(|page| commands_of(page)).collect()
}

/// A bench with the pages' board and files, and the program in `PATH`.
struct Desk {
    bench: Testbench,
}

impl Desk {
    fn new() -> Self {
        let bench = Testbench::new();
        let text = bench.to_toml().replace(BOARD, GUIDES_BOARD);
        let bench = bench.bench_text(&text);
        bench.write("bench.toml", bench.to_toml());
        bench.write("job.yaml", job());
        fs::create_dir(bench.path().join("bin")).expect("an own directory");
        symlink(host_runner(), bench.path().join("bin/host-runner")).expect("an own directory");
        Self { bench }
    }

    /// Writes what a page shows as a file: a YAML block that begins with its name.
    fn write_files_of(&self, page: &str) {
        let text = fs::read_to_string(repository().join(page)).expect("a page of the repository");
        for block in text.split("```yaml\n# ").skip(1) {
            let block = block.split("\n```").next().unwrap_or(block);
            if let Some((name, _)) = block.split_once('\n').filter(|(name, _)| !name.contains('/')) {
                self.bench.write(name, format!("# {block}\n"));
            }
        }
    }

    /// A stored run where the pages have one.
    fn store_run(&self) {
        let name = "runs/20260102T030405Z-my-job";
        fs::create_dir(self.bench.path().join("runs")).expect("an own directory");
        let (code, output) = self.run(&format!("host-runner run job.yaml --out {name} --keep-rootfs"));
        assert_eq!(code, Some(0), "{output}");
    }

    fn command(&self, command: &str) -> Command {
        let runner = self.bench.host_runner(&[]);
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(self.bench.path()).env_clear();
        shell.envs(runner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let path = std::env::var("PATH").expect("a text");
        shell.env("PATH", format!("{}:{path}", self.bench.path().join("bin").display()));
        shell.stdin(Stdio::null());
        shell
    }

    /// Runs a command to its end; its exit code and all that it prints.
    fn run(&self, command: &str) -> (Option<i32>, String) {
        let log = self.bench.path().join("tmp/printed");
        let file = fs::File::create(&log).expect("an own directory");
        let same = file.try_clone().expect("a descriptor");
        let mut child = self.command(command).stdout(file).stderr(same).spawn().expect("sh runs");
        let started = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            if started.elapsed() > PATIENCE {
                // Killed, so that the failing test leaves nothing behind.
                let _ = child.kill();
                panic!("`{command}` did not end:\n{}", fs::read_to_string(&log).unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        (status.code(), fs::read_to_string(&log).expect("it was written"))
    }
}

/// A job that passes on the board.
fn job() -> String {
    Job::new().definitions(&[Definition::new("smoke", &["lava-test-case answers --result pass"])]).to_yaml()
}

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
        let end = words.iter().position(|word| *word == "--").unwrap_or(words.len());
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

#[test]
fn the_messages_on_the_page_of_troubles_are_those_of_the_program() {
    let page = fs::read_to_string(repository().join("docs/troubleshooting.md")).expect("a page");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(headings.len() >= 10, "{headings:?}");
    let sources = sources(&repository().join("host/src"));
    // What a wait was for is a text of its own, behind `no`.
    let is_of_program = |heading: &&&str| {
        sources.contains(**heading)
            || heading.strip_prefix("no ").is_some_and(|awaited| sources.contains(&format!("{awaited} ")))
    };
    let missing: Vec<_> = headings.iter().filter(|heading| !is_of_program(heading)).collect();
    assert!(missing.is_empty(), "no message of the program has {missing:?}");
}

/// All Rust sources below a directory that are no tests, as one text.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).expect("a directory of the repository") {
        let path = entry.expect("an entry").path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).expect("a source");
        }
    }
    text
}

#[test]
fn the_guide_leads_to_every_page() {
    let guide = fs::read_to_string(repository().join("docs/README.md")).expect("a page");
    let missing: Vec<String> = pages()
        .into_iter()
        .filter_map(|page| Some(page.strip_prefix("docs/")?.to_owned()))
        .filter(|page| page != "README.md" && (!page.starts_with("errors/") || page == "errors/README.md"))
        .filter(|page| !guide.contains(&format!("]({page})")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
