//! Boards that do not boot.

use testbench::harness::{Finished, Job, Testbench};

use crate::evidence::{Expected, assert_power_cycled};

const AUTO_LOGIN: &str = "auto_login: {login_prompt: 'login:', username: root}";
const WITH_PASSWORD: &str =
    "auto_login: {login_prompt: 'login:', username: root, password_prompt: 'Password:', password: guess}";

#[track_caller]
fn assert_boot_fails(run: &Finished, class: &str, said: &[&str]) {
    Expected { class, phase: "boot-u-boot", said }.assert(run);
    assert_power_cycled(run);
}

#[track_caller]
fn assert_fault_ends_the_boot(fault: &str, job: &Job, said: &[&str]) {
    let run = Testbench::new().fault(fault).run(job);
    assert_boot_fails(&run, "infrastructure", said);
}

#[test]
fn a_tftp_error_of_u_boot_is_shown_with_its_command() {
    let said = ["tftp 0x82000000", "TFTP error: 'File not found' (1)", "the board last said:", "Loading: *"];
    assert_fault_ends_the_boot("tftp-error", &Job::new(), &said);
}

/// Whether a request has arrived tells a wrong name from a network that does not work.
#[test]
fn the_help_says_whether_requests_of_the_board_have_arrived() {
    let help = |run: &Finished| run.results()["fault"]["help"].to_string();
    let never_asked = Testbench::new().fault("tftp-error").run(&Job::new());
    assert!(help(&never_asked).contains("No request of the board has arrived"), "{never_asked}");
    let own = "commands: ['setenv serverip {SERVER_IP}', 'tftp 0x82000000 nowhere']";
    let yaml = Job::new().to_yaml().replace("commands: nfs", own);
    let asked = Testbench::new().start_text(&yaml).finish();
    assert_boot_fails(&asked, "infrastructure", &["tftp 0x82000000 nowhere", "no such file"]);
    assert!(help(&asked).contains("Requests of the board arrive"), "{asked}");
}

#[test]
fn a_kernel_without_magic_number_is_shown_with_the_boot_command() {
    let said = ["bootz 0x82000000", "zimage: Bad magic"];
    assert_fault_ends_the_boot("bad-magic", &Job::new(), &said);
}

#[test]
fn a_kernel_that_really_has_no_magic_number_is_refused_by_u_boot() {
    let bench = Testbench::new();
    bench.artifact("zImage", &[0; 5000]);
    assert_boot_fails(&bench.run(&Job::new()), "infrastructure", &["zimage: Bad magic"]);
}

#[test]
fn a_boot_command_that_comes_back_is_told_with_the_boards_last_words() {
    let said = ["bootz 0x82000000", "must RESET the board to recover"];
    assert_fault_ends_the_boot("prompt-fallback", &Job::new(), &said);
}

#[test]
fn a_board_that_resets_in_u_boot_again_and_again_is_stopped() {
    // A watchdog's resets have no words that a board type knows.
    let bench = Testbench::new().board_line("[boards.fake1.uboot]\nerrors = [\"TFTP error:\"]");
    let run = bench.fault("reset-loop").run(&Job::new());
    assert_boot_fails(
        &run,
        "infrastructure",
        &["the board reset 4 times in U-Boot", "=> setenv autoload no"],
    );
}

#[test]
fn a_crash_of_u_boot_with_known_words_ends_the_boot_at_the_first_reset() {
    assert_fault_ends_the_boot("reset-loop", &Job::new(), &["setenv autoload no", "data abort"]);
}

#[test]
fn a_kernel_panic_ends_the_boot_at_once() {
    let said = [
        "the kernel stopped: ",
        "Kernel panic - not syncing: Attempted to kill init!",
        "Linux version 6.1.0-fake",
    ];
    assert_fault_ends_the_boot("panic", &Job::new(), &said);
}

#[test]
fn a_kernel_without_root_file_system_says_why() {
    let said = ["the kernel found no root file system", "VFS: Unable to mount root fs via NFS. (-101)"];
    assert_fault_ends_the_boot("no-rootfs", &Job::new(), &said);
}

#[test]
fn a_login_that_never_comes_ends_with_what_the_board_said_last() {
    let job = Job::new().boot(AUTO_LOGIN).timeout("auto-login-action", 10);
    let said = ["within 10 s", "the board last said:", "Debian GNU/Linux 12 debian"];
    assert_fault_ends_the_boot("no-login", &job, &said);
}

#[test]
fn a_refused_password_is_the_jobs_fault() {
    let run = Testbench::new().fault("wrong-password").run(&Job::new().boot(WITH_PASSWORD));
    assert_boot_fails(&run, "job", &["the login was refused", "Login incorrect"]);
    assert!(!run.file("results.json").contains("guess"), "{run}");
}

#[test]
fn a_password_that_the_job_does_not_have_is_asked_for() {
    let run =
        Testbench::new().board_option(&["--password", "secret", "--login"]).run(&Job::new().boot(AUTO_LOGIN));
    assert_boot_fails(&run, "job", &["asks for a password", "root"]);
}

#[test]
fn a_right_password_leads_to_the_tests() {
    let job = Job::new().boot(WITH_PASSWORD);
    let run = Testbench::new().board_option(&["--password", "guess", "--login"]).run(&job);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn a_silent_board_is_asked_after_its_power() {
    let job = Job::new().timeout("bootloader-interrupt", 1);
    assert_fault_ends_the_boot("silent", &job, &["within 1 s", "the board said nothing (is it powered"]);
}

#[test]
fn noise_on_the_line_is_taken_for_a_wrong_baud_rate() {
    let job = Job::new().timeout("bootloader-interrupt", 10);
    let said = ["within 10 s", "this looks like a wrong baud rate", "the board last said:"];
    assert_fault_ends_the_boot("garbage", &job, &said);
}

#[test]
fn a_failed_run_is_replayed_word_for_word() {
    let bench = Testbench::new().fault("panic");
    let run = bench.run(&Job::new());
    assert_eq!(run.code, Some(3), "{run}");
    let replay = bench.replay();
    // Reading the run is what can fail here, not the run.
    assert_eq!(replay.code, Some(0), "{replay}");
    assert_eq!(replay.stdout, run.stdout);
    assert!(bench.differing_files_of_a_replay().is_empty());
}
