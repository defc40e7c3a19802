//! What job and bench file say of a board: which one, how it is started, and what its files are called.

use testbench::harness::{ARTIFACTS_URL, Job, Testbench};

use crate::shell_board::{BOOT, bench, job, shell, test};
use crate::tests;

#[test]
fn the_context_of_a_job_changes_the_commands_that_boot_it() {
    let bench = Testbench::new();
    let context = "context: {extra_kernel_args: quiet loglevel=3, extra_nfsroot_args: ',rsize=4096', console_device: ttyS7, \
                   bootz_kernel_addr: '0x81000000', bootz_dtb_addr: '0x89000000'}\nactions:\n";
    let text = Job::new().to_yaml().replace("actions:\n-", &format!("{context}-"));
    let run = bench.start_text(&text).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let console = run.file("console/board.log");
    for typed in ["quiet loglevel=3", ",rsize=4096", "console=ttyS7,", "bootz 0x81000000 - 0x89000000"] {
        assert!(console.contains(typed), "{typed}: {console}");
    }
}

#[test]
fn a_name_in_a_url_is_what_the_bench_says_of_the_board() {
    let named = |lines: &[&str]| {
        let bench = lines.iter().fold(Testbench::new(), |bench, line| bench.board_line(line));
        std::fs::create_dir(bench.path().join("artifacts/rev-b")).expect("an own directory");
        let kernel = std::fs::read(bench.path().join("artifacts/zImage")).expect("it was made");
        bench.artifact("rev-b/zImage", &kernel);
        bench
            .run(&Job::new().kernel(&[&format!("url: '{ARTIFACTS_URL}{{REVISION}}/zImage'"), "type: zimage"]))
    };
    let run = named(&["static_info = { REVISION = \"rev-b\" }"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.stdout.contains("rev-b/zImage fetched"), "{run}");
    let run = named(&[]);
    assert_eq!(run.code, Some(4), "{run}");
    assert!(run.stderr.contains("add `REVISION = \"…\"` to `[boards.fake1.static_info]`"), "{run}");
}

#[test]
fn a_job_gets_the_board_that_has_its_tags() {
    let bench = bench();
    let first = bench.to_toml();
    let (head, board) = first.split_once("[boards.fake1]").expect("it has a board");
    let board = |name: &str, host: u8, tags: &str| {
        let [a, b, c, _] = bench.addresses().board.octets();
        let address = format!("address = \"{}\"", bench.addresses().board);
        let changed = board
            .replace(&address, &format!("address = \"{a}.{b}.{c}.{host}\"\ntags = {tags}"))
            .replace("[boards.fake1.", &format!("[boards.{name}."))
            .replace(&shell("first", "true"), &shell(name, "true"));
        format!("[boards.{name}]{changed}")
    };
    let boards = [board("plain", 2, "[]"), board("camera", 4, "[\"usb\", \"camera\"]")].concat();
    let bench = bench.bench_text(&format!("{head}{boards}"));
    let text = job(
        &bench,
        &[BOOT, &test("", "smoke", &["lava-test-case there --shell 'test $WHO = camera'"])].concat(),
    );
    let text = text.replace("root@first:", "root@camera:");
    let tagged = text.replace("actions:\n", "tags: [camera]\nactions:\n");
    let run = bench.start_text(&tagged).finish();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(tests(&run), ["0_smoke/there pass"]);
    let run = bench.start_text(&text.replace("actions:\n", "tags: [lidar]\nactions:\n")).finish();
    assert!(run.stderr.contains("has the tags `lidar`"), "{run}");
}

#[test]
fn messages_of_the_kernel_are_ignored_where_the_job_says_so() {
    let oops = "echo; echo '[    1.0] WARNING: CPU: 0 PID: 1 at a rehearsal'";
    let run = |keys: &str| {
        let bench = Testbench::new().console(&shell("first", oops));
        let boot = BOOT.replace("minimal, ", &format!("minimal, {keys}"));
        let actions = boot + &test("", "smoke", &["lava-test-case there --result pass"]);
        bench.start_text(&job(&bench, &actions)).finish()
    };
    for (keys, is_told) in [("", true), ("ignore_kernel_messages: true, ", false)] {
        let ended = run(keys);
        assert_eq!(ended.code, Some(0), "{ended}");
        assert!(ended.file("console/board.log").contains("a rehearsal"), "{ended}");
        assert_eq!(ended.file("results.json").contains("a rehearsal"), is_told, "{keys}: {ended}");
    }
}

#[test]
fn a_board_without_power_commands_is_restarted_by_those_of_the_job() {
    let bench = Testbench::new();
    let whole = bench.to_toml();
    let (without_power, _) = whole.split_once("[boards.fake1.power]").expect("it has power commands");
    let bench = bench.bench_text(without_power);
    let text = Job::new().to_yaml();
    let (before, boot) = text.split_once("- boot:\n").expect("it boots");
    let text = format!(
        "{before}- boot:\n    reset: false\n{boot}- boot:\n    soft_reboot: [reboot]\n    parameters: \
         {{shutdown-message: 'reboot: Restarting system'}}\n{boot}"
    );
    let run = bench.start_text(&text).finish();
    assert_eq!(run.code, Some(0), "{run}");
    let console = run.file("console/board.log");
    assert_eq!(console.matches("reboot: Restarting system").count(), 1, "{console}");
    assert_eq!(tests(&run).len(), 4, "{run}");
}
