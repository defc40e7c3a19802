use proptest::prelude::*;

use crate::dialog::KernelFailure;

use super::*;
use crate::dialog::{Complaint, ComplaintKind};
use crate::limit::Limit;

const KERNEL: &str = "\r\n[    0.000000] Linux version 6.1.0-armmp (gcc-12)\r\n[    1.0] systemd[1]: Hostname set to <debian>.\r\n";
const LOGIN: &str = "\r\nDebian GNU/Linux 12 debian ttyAMA0\r\n\r\ndebian login: ";
const PROMPT: &str = "\x1b[?2004hroot@debian:~# ";

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap()
}

fn limit(seconds: u64, origin: &str) -> Option<Limit> {
    Some(Limit::new(Duration::from_secs(seconds), origin))
}

/// A login within a boot of ten minutes.
fn login(settings: LoginSettings, now: Instant) -> Login {
    Login::new(settings, &Limit::new(Duration::from_secs(600), "the boot").after(now), now)
}

fn settings() -> LoginSettings {
    LoginSettings {
        from_power_on: false,
        kernel_start: Some(regex("Linux version [0-9]")),
        prompts: vec![regex("root@linaro:"), regex("root@debian:")],
        auto_login: None,
        failure_message: None,
        limits: LoginLimits { whole: limit(300, "login"), ..LoginLimits::default() },
    }
}

fn with_login(password: Option<&str>, login_commands: &[&str]) -> LoginSettings {
    let auto_login = AutoLogin {
        login_prompt: regex("login:"),
        username: "root".to_owned(),
        password_prompt: regex("Password:"),
        password: password.map(str::to_owned),
        login_commands: login_commands.iter().map(|&command| command.to_owned()).collect(),
    };
    LoginSettings { auto_login: Some(auto_login), ..settings() }
}

/// Feeds `text` in pieces of `chunk` bytes.
fn say(dialog: &mut Login, now: Instant, chunk: usize, text: &str) {
    for piece in text.as_bytes().chunks(chunk) {
        dialog.handle_input(now, piece);
    }
}

/// Lets the time pass in which somebody else could answer a login prompt.
fn settle(dialog: &mut Login, now: Instant) {
    dialog.handle_timeout(now + SETTLED);
}

fn sent(dialog: &mut Login) -> String {
    std::iter::from_fn(|| dialog.poll_transmit()).map(|bytes| String::from_utf8(bytes).unwrap()).collect()
}

/// Lets all deadlines pass until the dialog is done.
fn expire(dialog: &mut Login) -> LoginError {
    loop {
        if let Some(outcome) = dialog.poll_done() {
            return outcome.unwrap_err();
        }
        let at = dialog.poll_timeout().unwrap();
        dialog.handle_timeout(at);
    }
}

proptest! {
    #[test]
    fn without_auto_login_the_prompt_alone_is_awaited(chunk in 1_usize..200) {
        let now = Instant::now();
        let mut dialog = login(settings(), now);
        say(&mut dialog, now, chunk, KERNEL);
        prop_assert_eq!(dialog.poll_done(), None);
        say(&mut dialog, now, chunk, &format!("debian login: root (automatic login)\r\n{PROMPT}"));
        let logged_in = dialog.poll_done().unwrap().unwrap();
        prop_assert_eq!(logged_in.prompt, "root@debian:");
        prop_assert_eq!(sent(&mut dialog), "");
    }

    #[test]
    fn auto_login_gives_name_password_and_commands(chunk in 1_usize..200) {
        let now = Instant::now();
        let mut dialog = login(with_login(Some("secret"), &["su -", "stty -echo"]), now);
        say(&mut dialog, now, chunk, KERNEL);
        say(&mut dialog, now, chunk, LOGIN);
        prop_assert_eq!(sent(&mut dialog), "");
        prop_assert_eq!(dialog.poll_timeout(), Some(now + SETTLED));
        settle(&mut dialog, now);
        prop_assert_eq!(sent(&mut dialog), "root\n");
        say(&mut dialog, now, chunk, "root\r\nPassword: ");
        prop_assert_eq!(sent(&mut dialog), "secret\n");
        say(&mut dialog, now, chunk, &format!("\r\nLinux debian 6.1.0\r\n{PROMPT}"));
        prop_assert_eq!(sent(&mut dialog), "su -\n");
        say(&mut dialog, now, chunk, &format!("su -\r\n{PROMPT}"));
        prop_assert_eq!(sent(&mut dialog), "stty -echo\n");
        prop_assert_eq!(dialog.poll_done(), None);
        say(&mut dialog, now, chunk, &format!("stty -echo\r\n{PROMPT}"));
        prop_assert!(dialog.poll_done().unwrap().is_ok());
    }

    #[test]
    fn garbage_never_panics(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..64)) {
        let now = Instant::now();
        let mut dialog = login(with_login(None, &[]), now);
        for chunk in chunks {
            dialog.handle_input(now, &chunk);
        }
    }
}

#[test]
fn a_login_without_password_goes_straight_to_the_shell() {
    let now = Instant::now();
    let mut dialog = login(with_login(None, &[]), now);
    say(&mut dialog, now, 1, &format!("{KERNEL}{LOGIN}"));
    settle(&mut dialog, now);
    assert_eq!(sent(&mut dialog), "root\n");
    say(&mut dialog, now, 1, &format!("root\r\n{PROMPT}"));
    assert!(dialog.poll_done().unwrap().is_ok());
}

/// Whatever pieces the line cuts it into: a name that is typed as well would be the shell's first command.
#[test]
fn a_getty_that_logs_in_by_itself_is_given_no_name() {
    let now = Instant::now();
    let mut dialog = login(with_login(None, &["id"]), now);
    say(&mut dialog, now, 64, &format!("{KERNEL}{LOGIN}"));
    let later = now + SETTLED / 2;
    dialog.handle_timeout(later);
    say(&mut dialog, later, 1, "root (automatic login)\r\n\r\nLinux debian 6.1.0\r\n");
    settle(&mut dialog, later);
    assert_eq!(sent(&mut dialog), "");
    say(&mut dialog, later, 1, PROMPT);
    assert_eq!(sent(&mut dialog), "id\n");
}

/// Nor is it where the job's pattern wants nothing behind the prompt.
#[test]
fn what_the_system_says_behind_the_login_prompt_is_no_answer() {
    let lines = [
        "[   12.345678] random: crng init done\r\n",
        "[  OK  ] Reached target Login Prompts.\r\n",
        "r8169: up\r\n",
    ];
    for (line, pattern) in lines.into_iter().flat_map(|line| [(line, "login:"), (line, "login: $")]) {
        for chunk in 1..64 {
            let now = Instant::now();
            let mut settings = with_login(None, &[]);
            settings.auto_login.as_mut().unwrap().login_prompt = regex(pattern);
            let mut dialog = login(settings, now);
            say(&mut dialog, now, chunk, &format!("{KERNEL}{LOGIN}"));
            say(&mut dialog, now, chunk, line);
            settle(&mut dialog, now);
            assert_eq!(sent(&mut dialog), "root\n", "{line:?} behind {pattern} in pieces of {chunk}");
            assert!(dialog.poll_timeout().unwrap() > now + SETTLED, "no timer is left that is over");
        }
    }
}

#[test]
fn a_wrong_password_and_a_missing_one_are_told_apart() {
    let now = Instant::now();
    let mut dialog = login(with_login(Some("wrong"), &[]), now);
    say(&mut dialog, now, 1, &format!("{KERNEL}{LOGIN}"));
    settle(&mut dialog, now);
    say(&mut dialog, now, 1, "root\r\nPassword: \r\n\r\nLogin incorrect\r\ndebian login: ");
    assert!(matches!(dialog.poll_done(), Some(Err(LoginError::Refused { .. }))));

    let mut dialog = login(with_login(None, &[]), now);
    say(&mut dialog, now, 1, &format!("{KERNEL}{LOGIN}"));
    settle(&mut dialog, now);
    say(&mut dialog, now, 1, "root\r\nPassword: ");
    assert!(matches!(dialog.poll_done(), Some(Err(LoginError::PasswordWanted { .. }))));
}

#[test]
fn a_password_prompt_that_differs_from_the_jobs_is_named_at_the_time_out() {
    let now = Instant::now();
    let mut dialog = login(with_login(Some("secret"), &[]), now);
    say(&mut dialog, now, 1, &format!("{KERNEL}{LOGIN}"));
    settle(&mut dialog, now);
    say(&mut dialog, now, 1, "root\r\nPasswort: ");
    let error = expire(&mut dialog).to_string();
    assert!(error.contains("no password prompt `Password:` or shell prompt"), "{error}");
    assert!(error.ends_with("Passwort:"), "{error}");
}

#[test]
fn a_panic_a_missing_root_and_a_reset_end_the_wait_at_once() {
    let cases = [
        ("[    2.0] Kernel panic - not syncing: Attempted to kill init!\r\n", "the kernel stopped"),
        (
            "[    2.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,255)\r\n",
            "the kernel found no root file system",
        ),
        ("\r\nU-Boot SPL 2023.01 (Jan 2023)\r\n", "the board has reset"),
    ];
    for (output, expected) in cases {
        let now = Instant::now();
        let mut dialog = login(settings(), now);
        say(&mut dialog, now, 1, &format!("{KERNEL}{output}"));
        let error = dialog.poll_done().unwrap().unwrap_err();
        assert!(matches!(
            error,
            LoginError::Kernel {
                failure: KernelFailure::Panic(_) | KernelFailure::NoRoot(_) | KernelFailure::Reset(_),
                ..
            }
        ));
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}

#[test]
fn oopses_on_the_way_are_kept_and_end_nothing() {
    let now = Instant::now();
    let mut dialog = login(settings(), now);
    say(&mut dialog, now, 7, &format!("{KERNEL}[    1.2] Internal error: Oops: 5 [#1] SMP ARM\r\n{PROMPT}"));
    let complaints = dialog.poll_done().unwrap().unwrap().complaints;
    let oops = Complaint {
        kind: ComplaintKind::Oops,
        text: "[    1.2] Internal error: Oops: 5 [#1] SMP ARM".to_owned(),
    };
    assert_eq!((complaints.first, complaints.more), (vec![oops], 0));
}

#[test]
fn the_jobs_failure_message_ends_the_wait() {
    let now = Instant::now();
    let failure_message = Some(regex("Failed to start .*Network"));
    let mut dialog = login(LoginSettings { failure_message, ..settings() }, now);
    say(&mut dialog, now, 1, &format!("{KERNEL}[FAILED] Failed to start Raise Network interfaces"));
    assert!(matches!(dialog.poll_done(), Some(Err(LoginError::FailureMessage { .. }))));
}

#[test]
fn a_quiet_console_is_nudged_once_half_way() {
    let now = Instant::now();
    let mut dialog = login(settings(), now);
    say(&mut dialog, now, 64, KERNEL);
    let half_way = dialog.poll_timeout().unwrap();
    assert_eq!(half_way, now + Duration::from_secs(150));
    // Output in the last moment puts the nudge off.
    say(&mut dialog, half_way, 64, "[  150.0] still busy\r\n");
    let later = dialog.poll_timeout().unwrap();
    assert_eq!(later, half_way + QUIET);
    dialog.handle_timeout(later);
    assert_eq!(sent(&mut dialog), "\n");
    assert_eq!(dialog.poll_timeout(), Some(now + Duration::from_secs(300)));
    say(&mut dialog, later, 64, PROMPT);
    assert!(dialog.poll_done().unwrap().is_ok());
}

#[test]
fn a_time_out_says_what_was_awaited_how_long_and_what_came_last() {
    let now = Instant::now();
    let mut dialog = login(settings(), now);
    let error = expire(&mut dialog).to_string();
    assert!(
        error.contains("no kernel start message `Linux version [0-9]` within 300 s (at most 300 s: login); the board said nothing"),
        "{error}"
    );

    let mut dialog = login(settings(), now);
    say(&mut dialog, now, 64, KERNEL);
    let error = expire(&mut dialog).to_string();
    assert!(error.contains("no shell prompt (`root@linaro:` or `root@debian:`) within 300 s"), "{error}");
    assert!(error.contains("Hostname set to <debian>."), "{error}");

    let mut dialog = login(settings(), now);
    dialog.handle_input(now, &[0xe0, 0x1c, 0x80, 0xff].repeat(50));
    assert!(expire(&mut dialog).to_string().contains("this looks like a wrong baud rate"));
}

#[test]
fn each_step_and_the_shell_can_have_a_time_of_their_own() {
    let now = Instant::now();
    let limits =
        LoginLimits { whole: limit(300, "login"), answer: limit(40, "a step"), shell: limit(60, "shell") };
    let settings = || LoginSettings { limits: limits.clone(), ..with_login(None, &["su -", "id"]) };
    let mut dialog = login(settings(), now);
    let error = expire(&mut dialog).to_string();
    assert!(error.contains("`Linux version [0-9]` within 40 s (at most 40 s: a step)"), "{error}");

    // Every step in time, but the shell's time begins with the user name.
    let mut dialog = login(settings(), now);
    say(&mut dialog, now, 64, &format!("{KERNEL}{LOGIN}"));
    settle(&mut dialog, now);
    let later = now + SETTLED + Duration::from_secs(30);
    say(&mut dialog, later, 64, &format!("root\r\n{PROMPT}"));
    let error = expire(&mut dialog).to_string();
    assert!(error.contains("after login command `su -` within 30 s (at most 60 s: shell)"), "{error}");
}

#[test]
fn a_boot_loader_may_speak_before_the_kernel_of_a_board_that_was_just_switched_on() {
    let now = Instant::now();
    let loader = "\r\nU-Boot SPL 2023.04\r\nU-Boot 2023.04 (Apr 01 2023)\r\nStarting kernel ...\r\n";
    let mut dialog = login(LoginSettings { from_power_on: true, ..settings() }, now);
    say(&mut dialog, now, 5, &format!("{loader}Linux version 6.1\r\nroot@debian:~# "));
    assert!(matches!(dialog.poll_done(), Some(Ok(_))));
    let mut dialog = login(LoginSettings { from_power_on: true, ..settings() }, now);
    say(&mut dialog, now, 5, &format!("{loader}Linux version 6.1\r\n{loader}"));
    let Some(Err(LoginError::Kernel { failure, .. })) = dialog.poll_done() else { panic!("it goes on") };
    assert!(matches!(failure, KernelFailure::Reset(_)), "{failure}");
}
