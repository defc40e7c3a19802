use std::time::Duration;

use super::*;
use crate::limit::Limit;

fn ten_seconds(now: Instant) -> Deadline {
    Limit::new(Duration::from_secs(10), "a test").after(now)
}

fn prompts() -> Vec<Regex> {
    vec![Regex::new("root@debian:").unwrap()]
}

#[test]
fn a_silent_shell_is_nudged_before_the_time_is_over() {
    let now = Instant::now();
    let mut dialog = ShellPrompt::new(prompts(), ten_seconds(now), now);
    assert_eq!(dialog.poll_timeout(), Some(now + Duration::from_secs(2)));
    dialog.handle_timeout(now + Duration::from_secs(2));
    assert_eq!(dialog.poll_transmit().unwrap(), b"\n");
    for byte in b"\r\nroot@debian:" {
        dialog.handle_input(now, &[*byte]);
    }
    assert_eq!(dialog.poll_done(), Some(Ok("root@debian:".to_owned())));

    let mut dialog = ShellPrompt::new(prompts(), ten_seconds(now), now);
    let mut nudges = 0;
    let error = loop {
        if let Some(outcome) = dialog.poll_done() {
            break outcome.unwrap_err();
        }
        dialog.handle_timeout(dialog.poll_timeout().unwrap());
        nudges += usize::from(dialog.poll_transmit().is_some());
    };
    assert_eq!(nudges, 4);
    assert!(
        error.to_string().contains("no shell prompt (`root@debian:`) within 10 s (at most 10 s: a test)"),
        "{error}"
    );
}
