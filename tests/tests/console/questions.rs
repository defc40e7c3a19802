//! What `host-runner console` asks a person, and how a question ends without an answer.

use rustix::process::Signal;
use testbench::harness::{Job, Testbench};

use crate::{ESCAPE, at_console};

const WHICH_FILE: &str =
    "[Which file is to be sent? Type its name and press Enter. Press Ctrl-C to give up.]";

#[test]
fn the_escape_key_gives_a_question_up_and_leaves() {
    let bench = Testbench::new();
    let mut person = at_console(&bench, &[]);
    person.sees("console of fake1; Ctrl-T ? helps");
    person.types(&format!("{ESCAPE}f"));
    person.sees(WHICH_FILE);
    person.types("\x03");
    person.sees("[given up]");
    person.types(&format!("{ESCAPE}l"));
    person.sees("[Which file is to be written? Type its name and press Enter. Press Ctrl-C to give up.]");
    person.types(&format!("boot{ESCAPE}q"));
    let (code, shown) = person.finish();
    assert_eq!(code, Some(0), "{shown:#?}");
    assert!(!bench.path().join("boot").exists(), "nothing was answered");
}

#[test]
fn what_is_no_file_is_neither_sent_nor_written() {
    let bench = Testbench::new();
    let made = std::process::Command::new("mkfifo").arg(bench.path().join("fifo")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo runs");
    let mut person = at_console(&bench, &[]);
    person.sees("console of fake1; Ctrl-T ? helps");
    // A device without an end, and what would be waited for until somebody writes or reads it.
    for (key, name, told) in [
        ("f", "/dev/zero", "/dev/zero is not sent: it is no file"),
        ("f", "fifo", "fifo is not sent: it is no file"),
        ("l", "fifo", "it is a FIFO that nobody reads"),
    ] {
        person.types(&format!("{ESCAPE}{key}"));
        person.sees("Press Ctrl-C to give up.]");
        person.types(&format!("{name}\r"));
        person.sees(told);
    }
    person.types(&format!("{ESCAPE}q"));
    let (code, shown) = person.finish();
    assert_eq!(code, Some(0), "{shown:#?}");
    let refused = bench.start_with(&["console", "fake1", "--log", "fifo"]).finish();
    assert_eq!(refused.code, Some(2), "{refused}");
}

#[test]
fn a_question_ends_with_the_console_that_it_was_asked_at() {
    let bench = Testbench::new();
    let mut person = at_console(&bench, &[]);
    person.sees("Hit any key to stop autoboot");
    person.types(&format!("{ESCAPE}f"));
    person.sees(WHICH_FILE);
    let run = bench.start(&Job::staying());
    person.sees(") takes the board");
    person.sees("the question is given up: the console that it was asked at is gone");
    person.sees(&format!("console of fake1, which {} `one-board`", bench.run_of("out")));
    // Neither a part of an answer, nor a file into a board that a run has.
    person.types("x");
    person.sees("somebody else has the board: Ctrl-T t to type all the same");
    run.wait_for("pass    there");
    person.types(&format!("{ESCAPE}p"));
    person.sees("Type yes and press Enter to go on with: reset.");
    run.signal(Signal::TERM);
    let finished = run.finish();
    assert_eq!(finished.power().iter().filter(|word| *word == "reset").count(), 1, "{finished}");
    person.wait_for("the question to end with the run", |rows| {
        let at = |text: &str| rows.iter().rposition(|row| row.contains(text));
        let (ended, given_up) = (at("the run has ended"), at("the question is given up"));
        ended.is_some() && ended < given_up && given_up < at("console of fake1; Ctrl-T ? helps")
    });
    // No answer any more, but keys for the board.
    person.types("yes\r");
    person.types(&format!("{ESCAPE}q"));
    let (code, shown) = person.finish();
    assert_eq!(code, Some(0), "{shown:#?}");
    assert!(!shown.iter().any(|row| row.contains("asking whoever has the board")), "{shown:#?}");
}

#[test]
fn a_file_is_not_sent_into_the_board_of_a_run_unless_keys_are_for_it() {
    let bench = Testbench::new();
    let run = bench.start_staying();
    let mut person = at_console(&bench, &[]);
    person.sees(&format!("console of fake1, which {}", bench.run_of("out")));
    person.types(&format!("{ESCAPE}f"));
    person.sees("somebody else has the board: Ctrl-T t to type all the same");
    person.types(&format!("{ESCAPE}t{ESCAPE}f"));
    person.sees(WHICH_FILE);
    person.types(&format!("{ESCAPE}q"));
    assert_eq!(person.finish().0, Some(0));
    run.signal(Signal::TERM);
    run.finish();
}
