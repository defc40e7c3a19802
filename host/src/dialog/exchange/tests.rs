//! Exchanges, byte by byte and in virtual time.

use super::*;
use crate::limit::Limit;

const SECOND: Duration = Duration::from_secs(1);

/// A line at whose other end a U-Boot echoes what is typed.
struct Bench {
    exchange: Exchange,
    now: Instant,
    typed: Vec<u8>,
}

fn regexes(patterns: &[&str]) -> Vec<Regex> {
    patterns.iter().map(|pattern| Regex::new(pattern).unwrap()).collect()
}

fn settings(command: Option<&str>) -> ExchangeSettings {
    ExchangeSettings {
        command: command.map(str::to_owned),
        character_delay: Duration::ZERO,
        discard_echo: false,
        prompts: regexes(&["=> "]),
        successes: Vec::new(),
        failures: Vec::new(),
        wait_for_prompt: true,
    }
}

impl Bench {
    fn new(settings: ExchangeSettings) -> Self {
        let now = Instant::now();
        let limit = Limit::new(60 * SECOND, "`timeout` of `test`, job.yaml:9:5");
        let deadline = Deadline { at: now + limit.time, limit };
        let mut bench = Self { exchange: Exchange::new(settings, deadline, now), now, typed: Vec::new() };
        bench.echo();
        bench
    }

    /// Echoes all that is typed until nothing is any more.
    fn echo(&mut self) {
        while let Some(bytes) = self.exchange.poll_transmit() {
            self.typed.extend_from_slice(&bytes);
            self.say(&String::from_utf8(bytes).unwrap().replace('\n', "\r\n"));
        }
    }

    fn say(&mut self, text: &str) {
        self.exchange.handle_input(self.now, text.as_bytes());
    }

    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.exchange.poll_timeout().filter(|&at| at <= end) {
            self.now = at;
            self.exchange.handle_timeout(at);
            self.echo();
        }
        self.now = end;
    }

    fn done(&mut self) -> Option<Result<Answer, Expired>> {
        self.exchange.poll_done()
    }
}

#[test]
fn a_command_is_done_when_the_prompt_comes() {
    let mut bench = Bench::new(settings(Some("setenv autoload no; printenv autoload")));
    assert_eq!(bench.typed, b"setenv autoload no; printenv autoload\n");
    bench.say("autoload=no\r\n");
    assert_eq!(bench.done(), None);
    bench.say("=> ");
    assert_eq!(bench.done(), Some(Ok(Answer::Prompt)));
}

#[test]
fn what_means_success_is_not_found_in_the_commands_own_echo() {
    let successes = regexes(&["bound to address"]);
    let mut bench = Bench::new(ExchangeSettings { successes, ..settings(Some("echo bound to address")) });
    bench.say("=> ");
    assert_eq!(bench.done(), Some(Ok(Answer::Unanswered)));
}

#[test]
fn named_groups_hold_all_of_what_was_still_coming() {
    let successes = regexes(&[r"address (?P<ip>[0-9.]+)"]);
    let mut bench = Bench::new(ExchangeSettings { successes, ..settings(Some("dhcp")) });
    bench.say("DHCP client bound to address 10.77.");
    assert_eq!(bench.done(), None);
    bench.say("0.12 (3 ms)\r\n=> ");
    let groups = vec![("ip".to_owned(), "10.77.0.12".to_owned())];
    assert_eq!(bench.done(), Some(Ok(Answer::Success(groups))));
}

#[test]
fn a_question_at_the_end_of_the_output_counts_once_nothing_follows() {
    let successes = regexes(&["Password: ?"]);
    let wanted = ExchangeSettings { successes, wait_for_prompt: false, ..settings(Some("login")) };
    let mut bench = Bench::new(wanted);
    bench.say("Password: ");
    assert_eq!(bench.done(), None);
    bench.pass(SETTLED);
    assert_eq!(bench.done(), Some(Ok(Answer::Success(Vec::new()))));
}

#[test]
fn the_first_text_decides_and_the_prompt_is_waited_for() {
    let (successes, failures) = (regexes(&["done"]), regexes(&["unused", "TIMEOUT"]));
    let mut bench = Bench::new(ExchangeSettings { successes, failures, ..settings(Some("dhcp")) });
    bench.say("TIMEOUT occurred\r\nnow it is done\r\n");
    bench.pass(SECOND);
    assert_eq!(bench.done(), None);
    bench.say("=> ");
    assert_eq!(bench.done(), Some(Ok(Answer::Failure(1, "TIMEOUT".to_owned()))));
}

#[test]
fn a_prompt_in_the_midst_of_the_output_is_none() {
    let mut bench = Bench::new(settings(Some("help")));
    bench.say("write it as a => b\r\n");
    bench.pass(SECOND);
    assert_eq!(bench.done(), None);
}

#[test]
fn nothing_is_typed_without_a_command() {
    let mut bench = Bench::new(settings(None));
    assert!(bench.typed.is_empty());
    bench.say("\r\nU-Boot 2026.10\r\n=> ");
    assert_eq!(bench.done(), Some(Ok(Answer::Prompt)));
}

#[test]
fn what_has_no_echo_is_typed_all_the_same() {
    let now = Instant::now();
    let limit = Limit::new(60 * SECOND, "x");
    let secret = settings(Some("a password of more than a group"));
    let mut exchange = Exchange::new(secret, Deadline { at: now + limit.time, limit }, now);
    let (mut typed, mut now) = (Vec::new(), now);
    for _ in 0..5 {
        while let Some(bytes) = exchange.poll_transmit() {
            typed.extend(bytes);
        }
        now += ECHO_LIMIT;
        exchange.handle_timeout(now);
    }
    assert_eq!(typed, b"a password of more than a group\n");
    exchange.handle_input(now, b"\r\n=> ");
    assert_eq!(exchange.poll_done(), Some(Ok(Answer::Prompt)));
}

#[test]
fn an_answer_that_does_not_come_is_told_with_what_came() {
    let successes = regexes(&["bound"]);
    let mut bench = Bench::new(ExchangeSettings { successes, ..settings(Some("dhcp")) });
    bench.say("BOOTP broadcast 1\r\n");
    bench.pass(61 * SECOND);
    let Some(Err(expired)) = bench.done() else { panic!() };
    insta::assert_snapshot!(expired, @"
    no `bound` and no prompt `=> ` after `dhcp` within 60 s (at most 60 s: `timeout` of `test`, job.yaml:9:5); the board last said:
      dhcp
      BOOTP broadcast 1
    ");
}

/// What the step before has left on the line, unread.
fn with_leftover(mut exchange: ExchangeSettings, leftover: &str) -> Bench {
    let now = Instant::now();
    let limit = Limit::new(60 * SECOND, "x");
    exchange.prompts = regexes(&["=> "]);
    let exchange = Exchange::new(exchange, Deadline { at: now + limit.time, limit }, now);
    let mut bench = Bench { exchange, now, typed: Vec::new() };
    bench.say(leftover);
    bench.echo();
    bench
}

#[test]
fn the_prompt_at_which_a_command_is_typed_does_not_answer_it() {
    let mut bench = with_leftover(settings(Some("false")), "\r\n=> ");
    assert_eq!(bench.done(), None);
    bench.say("=> ");
    assert_eq!(bench.done(), Some(Ok(Answer::Prompt)));
    let successes = regexes(&["ok"]);
    let mut bench = with_leftover(ExchangeSettings { successes, ..settings(Some("run it")) }, "done\r\n=> ");
    assert_eq!(bench.done(), None);
    bench.say("ok\r\n=> ");
    assert_eq!(bench.done(), Some(Ok(Answer::Success(Vec::new()))));
}

#[test]
fn a_line_before_the_echo_does_not_make_the_echo_an_answer() {
    let successes = regexes(&["nothing && foo"]);
    let command = Some("echo nothing && foo");
    let mut bench =
        with_leftover(ExchangeSettings { successes, ..settings(command) }, "[    1.0] usb: new\r\n=> ");
    bench.say("nothing\r\nUnknown command 'foo'\r\n=> ");
    assert_eq!(bench.done(), Some(Ok(Answer::Unanswered)));
}

#[test]
fn a_prompt_of_which_the_job_has_the_beginning_counts_once_nothing_follows() {
    let mut bench = Bench::new(ExchangeSettings { prompts: regexes(&["root@"]), ..settings(Some("true")) });
    bench.say("root@debian:~# ");
    assert_eq!(bench.done(), None);
    bench.pass(SECOND);
    assert_eq!(bench.done(), Some(Ok(Answer::Prompt)));
}

#[test]
fn a_character_delay_is_all_that_is_waited_where_there_is_an_echo() {
    let character_delay = Duration::from_millis(10);
    let mut bench = Bench::new(ExchangeSettings { character_delay, ..settings(Some("printenv bootcmd")) });
    bench.pass(Duration::from_millis(200));
    assert_eq!(bench.typed, b"printenv bootcmd\n");
}
