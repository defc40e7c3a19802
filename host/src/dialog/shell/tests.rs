use proptest::prelude::*;

use super::*;

fn prompts() -> Vec<Regex> {
    vec![Regex::new("root@debian:").unwrap()]
}

fn command(text: &str, now: Instant) -> ShellCommand {
    ShellCommand::new(text, prompts(), Duration::from_secs(10), now)
}

proptest! {
    #[test]
    fn output_and_status_are_taken_from_any_split(chunk in 1_usize..100) {
        let now = Instant::now();
        let mut dialog = command("uname -m", now);
        let line = String::from_utf8(dialog.poll_transmit().unwrap()).unwrap();
        prop_assert!(dialog.poll_transmit().is_none());
        let said = format!(
            "{}\r\n\x1b[?2004larmv7l\r\nsecond line\r\n<status:0>\r\n\x1b[?2004hroot@debian:~# ",
            line.trim_end()
        );
        for piece in said.as_bytes().chunks(chunk) {
            prop_assert!(dialog.finished || dialog.poll_done().is_none());
            dialog.handle_input(now, piece);
        }
        let expected = CommandOutput { status: 0, output: "armv7l\nsecond line\n".to_owned() };
        prop_assert_eq!(dialog.poll_done(), Some(Ok(expected)));
    }
}

#[test]
fn a_status_is_found_though_the_shell_wraps_the_echo() {
    let now = Instant::now();
    let mut dialog = command("test -x /lava-1/bin/lava-agent", now);
    dialog.handle_input(
        now,
        b"test -x /lava-1/bin/lava-agent; echo \"<status:$ \r?>\"\r\n<status:126>\r\nroot@debian:~# ",
    );
    assert_eq!(dialog.poll_done(), Some(Ok(CommandOutput { status: 126, output: String::new() })));
}

#[test]
fn a_command_that_does_not_end_is_named() {
    let now = Instant::now();
    let mut dialog = command("cat", now);
    dialog.handle_input(now, b"cat; echo \"<status:$?>\"\r\n");
    dialog.handle_timeout(dialog.poll_timeout().unwrap());
    let error = dialog.poll_done().unwrap().unwrap_err().to_string();
    assert!(error.contains("no end of `cat` within 10 s"), "{error}");
}

#[test]
fn a_silent_shell_is_nudged_before_the_time_is_over() {
    let now = Instant::now();
    let mut dialog = ShellPrompt::new(prompts(), Duration::from_secs(10), now);
    assert_eq!(dialog.poll_timeout(), Some(now + Duration::from_secs(2)));
    dialog.handle_timeout(now + Duration::from_secs(2));
    assert_eq!(dialog.poll_transmit().unwrap(), b"\n");
    for byte in b"\r\nroot@debian:" {
        dialog.handle_input(now, &[*byte]);
    }
    assert_eq!(dialog.poll_done(), Some(Ok("root@debian:".to_owned())));

    let mut dialog = ShellPrompt::new(prompts(), Duration::from_secs(10), now);
    let mut nudges = 0;
    let error = loop {
        if let Some(outcome) = dialog.poll_done() {
            break outcome.unwrap_err();
        }
        dialog.handle_timeout(dialog.poll_timeout().unwrap());
        nudges += usize::from(dialog.poll_transmit().is_some());
    };
    assert_eq!(nudges, 4);
    assert!(error.to_string().contains("no shell prompt (`root@debian:`) within 10 s"), "{error}");
}
