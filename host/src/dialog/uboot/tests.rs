use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::link::{Console, DriveError, drive};

use super::*;

const BANNER_TEXT: &str = "\r\nU-Boot SPL 2023.01 (Jan 2023)\r\nTrying to boot from MMC1\r\n\r\n\r\nU-Boot 2023.01 (Jan 2023)\r\n\r\nNet:   eth0\r\n";
const AUTOBOOT: &str = "Hit any key to stop autoboot:  2 ";

fn limit(seconds: u64, origin: &str) -> Option<Limit> {
    Some(Limit::new(Duration::from_secs(seconds), origin))
}

/// When the whole conversation has to be over.
fn deadline(now: Instant) -> Deadline {
    Limit::new(Duration::from_secs(600), "the boot").after(now)
}

fn settings() -> UbootSettings {
    UbootSettings {
        autoboot_prompt: Regex::new("Hit any key to stop autoboot").unwrap(),
        interrupt: b" ".to_vec(),
        prompt: Regex::new("=> ?").unwrap(),
        errors: ["Retry count exceeded", "Bad Linux ARM zImage magic!", "TFTP error"]
            .map(str::to_owned)
            .to_vec(),
        final_message: Regex::new("Starting kernel").unwrap(),
        line_limit: 511,
        character_delay: Duration::ZERO,
        limits: UbootLimits {
            interrupt: limit(60, "interrupt"),
            commands: limit(180, "commands"),
            ..UbootLimits::default()
        },
        max_resets: 3,
    }
}

/// A U-Boot of the plainest kind: echoes, and answers each line from a function.
struct Board {
    dialog: Uboot,
    now: Instant,
    chunk: usize,
    answer: fn(&str) -> String,
    line: String,
    typed: Vec<String>,
    lose_character: Option<usize>,
    at_prompt: bool,
}

impl Board {
    fn new(commands: &[&str], answer: fn(&str) -> String) -> Self {
        Self::with(settings(), commands, answer)
    }

    fn with(settings: UbootSettings, commands: &[&str], answer: fn(&str) -> String) -> Self {
        let now = Instant::now();
        let commands = commands.iter().map(|&command| command.to_owned()).collect();
        let dialog =
            Uboot::new(settings, commands, Start::PowerOn, Goal::Kernel, deadline(now), now).unwrap();
        Self {
            dialog,
            now,
            chunk: 1,
            answer,
            line: String::new(),
            typed: Vec::new(),
            lose_character: None,
            at_prompt: false,
        }
    }

    fn say(&mut self, text: &str) {
        for chunk in text.as_bytes().chunks(self.chunk) {
            self.dialog.handle_input(self.now, chunk);
        }
    }

    /// Plays the board until the dialog is done, jumping to the dialog's deadlines when nothing else happens.
    fn run(&mut self) -> Result<UbootReport, UbootError> {
        for _ in 0..10_000 {
            if let Some(outcome) = self.dialog.poll_done() {
                return outcome;
            }
            match self.dialog.poll_transmit() {
                Some(bytes) => bytes.iter().for_each(|&byte| self.take(byte)),
                None => {
                    self.now = self.dialog.poll_timeout().expect("a dialog that is not done has a deadline");
                    self.dialog.handle_timeout(self.now);
                }
            }
        }
        panic!("the dialog does not end: {:?}", self.dialog.state);
    }

    fn take(&mut self, byte: u8) {
        match byte {
            b' ' if !self.at_prompt => {
                self.at_prompt = true;
                self.say("\r\n=> ");
            }
            b'\n' => {
                let line = std::mem::take(&mut self.line);
                let answer = (self.answer)(&line);
                self.typed.push(line);
                self.say("\r\n");
                self.say(&answer);
            }
            CONTROL_C => {
                self.line.clear();
                self.say("<INTERRUPT>\r\n=> ");
            }
            _ => {
                if self.lose_character == Some(0) {
                    self.lose_character = None;
                    return;
                }
                self.lose_character = self.lose_character.map(|count| count - 1);
                self.line.push(char::from(byte));
                self.say(&char::from(byte).to_string());
            }
        }
    }
}

fn boots(line: &str) -> String {
    if line.starts_with("bootz") {
        "Kernel image @ 0x82000000 [ 0x000000 - 0x524f00 ]\r\n\r\nStarting kernel ...\r\n".to_owned()
    } else {
        "=> ".to_owned()
    }
}

const COMMANDS: &[&str] = &[
    "setenv serverip 10.77.0.1",
    "tftp 0x82000000 123/tftp-deploy/kernel/zImage",
    "setenv bootargs 'console=ttyO0,115200n8 root=/dev/nfs rw nfsroot=10.77.0.1:/123,tcp,hard ip=dhcp'",
    "bootz 0x82000000 - 0x88000000",
];

#[test]
fn autoboot_is_interrupted_and_every_command_typed_even_byte_by_byte() {
    let mut board = Board::new(COMMANDS, boots);
    board.say(BANNER_TEXT);
    board.say(AUTOBOOT);
    assert_eq!(board.run(), Ok(UbootReport { resets: 0 }));
    assert_eq!(board.typed, COMMANDS);
}

proptest! {
    #[test]
    fn any_split_and_any_lost_character_end_at_the_kernel(chunk in 1_usize..64, lost in 0_usize..200) {
        let mut board = Board::new(COMMANDS, boots);
        board.chunk = chunk;
        board.lose_character = Some(lost);
        board.say(BANNER_TEXT);
        board.say(AUTOBOOT);
        prop_assert_eq!(board.run(), Ok(UbootReport { resets: 0 }));
        prop_assert_eq!(&board.typed, COMMANDS);
    }

    #[test]
    fn garbage_never_panics(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..64)) {
        let mut board = Board::new(COMMANDS, boots);
        for chunk in chunks {
            board.dialog.handle_input(board.now, &chunk);
        }
    }
}

#[test]
fn what_looks_like_a_prompt_within_a_line_is_none_and_one_behind_an_unfinished_line_is() {
    let commands = ["crc32 82000000 10000", "echo -n", "bootz 0x82000000"];
    let mut board = Board::new(&commands, |line| match line.split(' ').next() {
        Some("crc32") => "crc32 for 82000000 ... 8200ffff ==> 1a2b3c4d\r\n=> ".to_owned(),
        Some("echo") => "no end of line=> ".to_owned(),
        _ => boots(line),
    });
    board.at_prompt = true;
    board.say("=> ");
    assert_eq!(board.run(), Ok(UbootReport { resets: 0 }));
    assert_eq!(board.typed, commands);
}

#[test]
fn a_board_that_is_at_its_prompt_already_is_used_as_it_is() {
    let mut board = Board::new(COMMANDS, boots);
    board.at_prompt = true;
    board.say("=> ");
    assert_eq!(board.run(), Ok(UbootReport { resets: 0 }));
}

#[test]
fn an_error_text_ends_the_conversation_and_names_command_and_line() {
    let mut board = Board::new(COMMANDS, |line| {
        if line.starts_with("tftp") {
            "TFTP from server 10.77.0.1\r\nTFTP error: 'File not found' (1)\r\nNot retrying...\r\n=> "
                .to_owned()
        } else {
            boots(line)
        }
    });
    board.say(AUTOBOOT);
    let error = board.run().unwrap_err();
    assert!(
        matches!(&error, UbootError::Command { command, line, .. }
            if command.starts_with("tftp ") && line == "TFTP error: 'File not found' (1)"),
        "{error}"
    );
}

#[test]
fn a_bad_kernel_is_reported_with_u_boots_word() {
    let mut board = Board::new(COMMANDS, |line| {
        if line.starts_with("bootz") { "Bad Linux ARM zImage magic!\r\n=> ".to_owned() } else { boots(line) }
    });
    board.say(AUTOBOOT);
    let error = board.run().unwrap_err().to_string();
    assert!(error.contains("`bootz 0x82000000 - 0x88000000` failed"), "{error}");
    assert!(error.contains("Bad Linux ARM zImage magic!"), "{error}");
}

#[test]
fn falling_back_to_the_prompt_after_the_boot_command_is_an_error() {
    let mut board = Board::new(COMMANDS, |_| "=> ".to_owned());
    board.say(AUTOBOOT);
    assert!(matches!(board.run(), Err(UbootError::FellBack { command, .. }) if command.starts_with("bootz")));
}

#[test]
fn one_reset_begins_the_commands_again_and_a_loop_ends_them() {
    let mut board = Board::new(COMMANDS, |line| {
        if line.starts_with("tftp") { format!("data abort\r\n{BANNER_TEXT}{AUTOBOOT}") } else { boots(line) }
    });
    board.say(BANNER_TEXT);
    board.say(AUTOBOOT);
    // Every interrupt after the first finds the board in its countdown again.
    let mut outcome = None;
    for _ in 0..10_000 {
        outcome = outcome.or(board.dialog.poll_done());
        if outcome.is_some() {
            break;
        }
        while let Some(bytes) = board.dialog.poll_transmit() {
            if bytes == b" " {
                board.at_prompt = false;
            }
            bytes.iter().for_each(|&byte| board.take(byte));
        }
    }
    let error = outcome.expect("the loop ends").unwrap_err();
    assert!(matches!(&error, UbootError::ResetLoop { resets: 4, .. }), "{error}");
    assert_eq!(board.typed.iter().filter(|line| line.starts_with("setenv serverip")).count(), 4);
}

#[test]
fn a_reset_in_the_middle_of_a_line_begins_the_commands_again() {
    let mut board = Board::new(COMMANDS, boots);
    board.say(BANNER_TEXT);
    board.say(AUTOBOOT);
    assert_eq!(board.dialog.poll_transmit().unwrap(), b" ");
    board.take(b' ');
    assert!(board.dialog.poll_transmit().unwrap().starts_with(b"setenv"));
    board.at_prompt = false;
    board.say("set");
    board.say(BANNER_TEXT);
    while board.dialog.poll_transmit().is_some() {}
    board.say(AUTOBOOT);
    assert_eq!(board.run(), Ok(UbootReport { resets: 1 }));
    assert_eq!(board.typed, COMMANDS);
}

#[test]
fn a_missed_autoboot_is_told_from_silence() {
    let mut board = Board::new(COMMANDS, boots);
    board.say("\r\nStarting kernel ...\r\n");
    assert!(matches!(board.run(), Err(UbootError::Missed { .. })));

    let mut board = Board::new(COMMANDS, boots);
    let error = board.run().unwrap_err().to_string();
    assert!(
        error.contains(
            "no autoboot prompt `Hit any key to stop autoboot` within 60 s (at most 60 s: interrupt); the board said nothing"
        ),
        "{error}"
    );
}

#[test]
fn a_part_that_is_over_names_its_own_limit_and_what_was_awaited() {
    // The first command takes 100 s of the 180 s of all.
    let mut board = Board::new(COMMANDS, |_| String::new());
    board.say(AUTOBOOT);
    while let Some(bytes) = board.dialog.poll_transmit() {
        bytes.iter().for_each(|&byte| board.take(byte));
    }
    board.now += Duration::from_secs(100);
    board.say("=> ");
    let error = board.run().unwrap_err().to_string();
    let expected = format!("no `=> ?` after `{}` within 80 s (at most 180 s: commands); ", COMMANDS[1]);
    assert!(error.starts_with(&expected), "{error}");

    // An answer that is later than one of them may be.
    let limits = UbootLimits { command_answer: limit(5, "each command"), ..settings().limits };
    let mut board = Board::with(UbootSettings { limits, ..settings() }, COMMANDS, |_| String::new());
    board.say(AUTOBOOT);
    let error = board.run().unwrap_err().to_string();
    let expected = "no `=> ?` after `setenv serverip 10.77.0.1` within 5 s (at most 5 s: each command); ";
    assert!(error.starts_with(expected), "{error}");

    // The boot as a whole ends before its parts.
    let limits = UbootLimits::default();
    let mut board = Board::with(UbootSettings { limits, ..settings() }, COMMANDS, |_| String::new());
    board.say(AUTOBOOT);
    let error = board.run().unwrap_err().to_string();
    assert!(error.contains(" within 600 s (at most 600 s: the boot); "), "{error}");
}

#[test]
fn garbage_until_the_time_out_points_at_the_baud_rate() {
    let mut board = Board::new(COMMANDS, boots);
    board.dialog.handle_input(board.now, &[0x80, 0xfe, 0x00, 0x1e].repeat(100));
    let error = board.run().unwrap_err().to_string();
    assert!(error.contains("this looks like a wrong baud rate"), "{error}");
}

#[test]
fn a_line_that_never_comes_back_is_an_error_after_some_attempts() {
    let mut board = Board::new(COMMANDS, boots);
    board.say(AUTOBOOT);
    let mut error = None;
    while error.is_none() {
        while let Some(bytes) = board.dialog.poll_transmit() {
            match bytes.as_slice() {
                b" " | [CONTROL_C] => board.say("\r\n=> "),
                _ => {}
            }
        }
        error = board.dialog.poll_done();
        if let Some(at) = board.dialog.poll_timeout() {
            board.now = at;
            board.dialog.handle_timeout(at);
        }
    }
    let error = error.unwrap().unwrap_err().to_string();
    assert!(error.contains("did not echo `setenv serverip 10.77.0.1`"), "{error}");
}

#[test]
fn commands_that_u_boot_cannot_take_are_refused_before_anything_is_typed() {
    let new = |command: String| {
        let now = Instant::now();
        Uboot::new(settings(), vec![command], Start::PowerOn, Goal::Kernel, deadline(now), now)
    };
    let error = new("x".repeat(512)).unwrap_err();
    assert!(matches!(error, UbootError::LineTooLong { length: 512, limit: 511, .. }));
    assert!(matches!(new("echo a\nreset".to_owned()), Err(UbootError::NotPrintable { .. })));
}

#[test]
fn character_delays_are_kept_besides_the_echo() {
    let now = Instant::now();
    let delay = Duration::from_millis(10);
    let mut typing = Typing::new("ab", delay, false, now);
    assert_eq!(typing.proceed(now, b""), Progress::Send(b"a".to_vec()));
    assert_eq!(typing.proceed(now, b"a"), Progress::Wait);
    assert_eq!(typing.deadline(), now + delay);
    assert_eq!(typing.proceed(now + delay, b"a"), Progress::Send(b"b".to_vec()));
    assert_eq!(typing.proceed(now + delay, b"ab"), Progress::Complete);
}

#[tokio::test(start_paused = true)]
async fn the_driver_times_out_in_virtual_time() {
    let (near, _far) = tokio::io::duplex(64);
    let mut console = Console::new(near, std::sync::Arc::new(|_, _: &[u8]| {}));
    let now = tokio::time::Instant::now().into_std();
    let dialog =
        Uboot::new(settings(), Vec::new(), Start::PowerOn, Goal::Prompt, deadline(now), now).unwrap();
    let error = drive(&mut console, dialog).await.unwrap_err();
    assert!(matches!(error, DriveError::Dialog(UbootError::Expired(_))), "{error}");
    assert_eq!(now.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_driver_leaves_what_follows_to_the_next_reader_and_reports_the_lines_end() {
    let (near, mut far) = tokio::io::duplex(4096);
    let mut console = Console::new(near, std::sync::Arc::new(|_, _: &[u8]| {}));
    let now = tokio::time::Instant::now().into_std();
    let commands = vec!["boot".to_owned()];
    let dialog =
        Uboot::new(settings(), commands.clone(), Start::Prompt, Goal::Kernel, deadline(now), now).unwrap();
    let board = tokio::spawn(async move {
        let mut typed = [0; 5];
        far.read_exact(&mut typed[..4]).await.unwrap();
        far.write_all(b"boot").await.unwrap();
        far.read_exact(&mut typed[4..]).await.unwrap();
        far.write_all(b"\r\nStarting kernel ...\r\n[    0.0] Linux version 6.1.0\r\n").await.unwrap();
        typed
    });
    drive(&mut console, dialog).await.unwrap();
    assert_eq!(&board.await.unwrap(), b"boot\n");

    let mut rest = String::new();
    console.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "[    0.0] Linux version 6.1.0\r\n");

    let dialog = Uboot::new(settings(), commands, Start::PowerOn, Goal::Prompt, deadline(now), now).unwrap();
    assert!(matches!(drive(&mut console, dialog).await, Err(DriveError::Closed)));
}
