//! LAVA's text signals, such as `<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=boot RESULT=pass>`: printed by scripts that do not
//! call the helpers, or written to `/dev/kmsg`, whence they come over the console between the kernel's own lines. Pure.
//!
//! What begins like a signal and is none is told as well: a result that was cut must not be missed.

/// What every signal begins with.
const BEGIN: &[u8] = b"<LAVA_SIGNAL_";

/// Longest signal, in bytes.
const MAX_SIGNAL: usize = 4096;

/// What a signal says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum TextSignal {
    /// A result; the words are as they were printed.
    TestCase { id: String, result: String, measurement: Option<String>, units: Option<String> },
    /// A case began (`true`) or ended.
    Running { id: String, begins: bool },
    /// A set began (`Some`) or ended.
    TestSet(Option<String>),
    /// A result with a reference.
    TestReference { id: String, result: String, url: String },
    /// The test gives up.
    TestRaise(String),
    /// Something happened.
    TestEvent(String),
    /// It is none that is known, or was cut: its text.
    Malformed(String),
}

/// Finds the signals in a stream of text.
#[derive(Debug, Default)]
pub(super) struct TextSignals {
    /// What has come of a signal.
    begun: Vec<u8>,
    line: Line,
}

/// How a line began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    /// With `+` alone so far.
    Plus,
    /// With `+` and a blank: a shell shows the command that it runs (`set -x`), and a signal in it is yet to be printed.
    Trace,
    Text,
}

impl Line {
    const fn next(self, byte: u8) -> Self {
        match (self, byte) {
            (_, b'\n') => Self::Empty,
            (Self::Empty | Self::Plus, b'+') => Self::Plus,
            (Self::Plus, b' ') | (Self::Trace, _) => Self::Trace,
            // A carriage return alone prints over the same line.
            (Self::Empty, b'\r') => Self::Empty,
            _ => Self::Text,
        }
    }
}

impl TextSignals {
    /// The signals that end in `text`, which continues what came before.
    pub(super) fn push(&mut self, text: &[u8]) -> Vec<TextSignal> {
        let mut found = Vec::new();
        for &byte in text {
            self.line = self.line.next(byte);
            if self.line == Line::Trace {
                self.begun.clear();
            } else {
                self.take(byte, &mut found);
            }
        }
        found
    }

    /// The signal that the text ended in: one that was cut.
    pub(super) fn finish(&mut self) -> Option<TextSignal> {
        self.line = Line::Empty;
        let begun = std::mem::take(&mut self.begun);
        (begun.len() >= BEGIN.len())
            .then(|| TextSignal::Malformed(String::from_utf8_lossy(&begun).trim_end().to_owned()))
    }

    fn take(&mut self, byte: u8, found: &mut Vec<TextSignal>) {
        let is_signal = self.begun.len() >= BEGIN.len();
        let ends = is_signal && (matches!(byte, b'>' | b'\n') || self.begun.len() >= MAX_SIGNAL);
        if ends {
            let signal = std::mem::take(&mut self.begun);
            let text = String::from_utf8_lossy(&signal);
            let malformed = || TextSignal::Malformed(text.trim_end().to_owned());
            found.extend(if byte == b'>' { parse(&text) } else { Some(malformed()) });
            return;
        }
        self.begun.push(byte);
        if !is_signal && !BEGIN.starts_with(&self.begun) {
            self.begun.clear();
            if BEGIN.first() == Some(&byte) {
                self.begun.push(byte);
            }
        }
    }
}

/// Reads a signal, without its `>`; none for those that mean nothing here.
fn parse(text: &str) -> Option<TextSignal> {
    let malformed = || TextSignal::Malformed(format!("{text}>"));
    let (name, words) = text.get(BEGIN.len()..).unwrap_or_default().split_once(' ').unwrap_or((text, ""));
    let words = words.trim();
    let signal = match (name, words) {
        (_, "") => None,
        ("TESTCASE", _) => test_case(words),
        ("STARTTC", id) => Some(TextSignal::Running { id: id.to_owned(), begins: true }),
        ("ENDTC", id) => Some(TextSignal::Running { id: id.to_owned(), begins: false }),
        ("TESTSET", "STOP") => Some(TextSignal::TestSet(None)),
        ("TESTSET", _) => words.strip_prefix("START ").map(|name| TextSignal::TestSet(Some(name.to_owned()))),
        ("TESTREFERENCE", _) => {
            let words: Vec<_> = words.split_whitespace().map(str::to_owned).collect();
            match <[String; 3]>::try_from(words) {
                Ok([id, result, url]) => Some(TextSignal::TestReference { id, result, url }),
                Err(_) => None,
            }
        }
        ("TESTRAISE", message) => Some(TextSignal::TestRaise(message.to_owned())),
        ("TESTEVENT", message) => Some(TextSignal::TestEvent(message.to_owned())),
        // Definitions have begun and ended for the runner already, and all consoles are always read.
        ("STARTRUN" | "ENDRUN" | "TESTFEEDBACK", _) => return None,
        _ => None,
    };
    Some(signal.unwrap_or_else(malformed))
}

/// `TEST_CASE_ID=… RESULT=… [MEASUREMENT=…] [UNITS=…]`, in any order and case. A word without `=` continues the value
/// in front of it, so that an id with blanks is reported as what it is.
fn test_case(words: &str) -> Option<TextSignal> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for word in words.split_whitespace() {
        match (word.split_once('='), pairs.last_mut()) {
            (Some((key, value)), _) => pairs.push((key.to_ascii_lowercase(), value.to_owned())),
            (None, Some((_, value))) => {
                value.push(' ');
                value.push_str(word);
            }
            (None, None) => return None,
        }
    }
    let mut take = |key| {
        let at = pairs.iter().position(|(name, _)| name == key)?;
        Some(pairs.remove(at).1)
    };
    Some(TextSignal::TestCase {
        id: take("test_case_id")?,
        result: take("result")?,
        measurement: take("measurement"),
        units: take("units"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(id: &str, result: &str) -> TextSignal {
        TextSignal::TestCase { id: id.to_owned(), result: result.to_owned(), measurement: None, units: None }
    }

    fn found(text: &str) -> Vec<TextSignal> {
        TextSignals::default().push(text.as_bytes())
    }

    #[test]
    fn signals_are_found_however_the_text_is_cut() {
        let text = "noise <LAVA<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass> more\r\n\
                    [   12.345678] <LAVA_SIGNAL_TESTCASE test_case_id=speed result=fail measurement=1.5 UNITS=MB/s>\n\
                    <LAVA_SIGNAL_STARTRUN 0_x 1_2><LAVA_SIGNAL_TESTSET START net><LAVA_SIGNAL_TESTSET STOP>";
        let speed = TextSignal::TestCase {
            id: "speed".to_owned(),
            result: "fail".to_owned(),
            measurement: Some("1.5".to_owned()),
            units: Some("MB/s".to_owned()),
        };
        let set = TextSignal::TestSet(Some("net".to_owned()));
        let expected = [case("a", "pass"), speed, set, TextSignal::TestSet(None)];
        for size in 1..80 {
            let mut signals = TextSignals::default();
            let found: Vec<_> = text.as_bytes().chunks(size).flat_map(|part| signals.push(part)).collect();
            assert_eq!(found, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn a_command_that_is_shown_before_it_runs_is_no_signal() {
        let text = "+ echo '<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>'\n<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=pass>\n\
                    ++ echo <LAVA_SIGNAL_TESTRAISE no>\n+<LAVA_SIGNAL_TESTEVENT plus>\n";
        assert_eq!(found(text), [case("a", "pass"), TextSignal::TestEvent("plus".to_owned())]);
    }

    #[test]
    fn every_other_signal_of_a_test_is_read() {
        let text = "<LAVA_SIGNAL_STARTTC a><LAVA_SIGNAL_ENDTC a><LAVA_SIGNAL_TESTREFERENCE a pass http://x/>\
                    <LAVA_SIGNAL_TESTRAISE no more><LAVA_SIGNAL_TESTFEEDBACK ns><LAVA_SIGNAL_ENDRUN 0_x 1_2>";
        let running = |begins| TextSignal::Running { id: "a".to_owned(), begins };
        let reference = TextSignal::TestReference {
            id: "a".to_owned(),
            result: "pass".to_owned(),
            url: "http://x/".to_owned(),
        };
        let raised = TextSignal::TestRaise("no more".to_owned());
        assert_eq!(found(text), [running(true), running(false), reference, raised]);
    }

    #[test]
    fn what_is_cut_or_unknown_is_told_with_its_text() {
        for text in [
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES\n",
            "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a>",
            "<LAVA_SIGNAL_TESTCASE boot>",
            "<LAVA_SIGNAL_TESTSET>",
            "<LAVA_SIGNAL_NEWS of today>",
            "<LAVA_SIGNAL_TESTREFERENCE a pass>",
        ] {
            assert_eq!(found(text), [TextSignal::Malformed(text.trim_end().to_owned())]);
        }
        assert_eq!(
            found("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=two words RESULT=pass>"),
            [case("two words", "pass")]
        );
    }

    #[test]
    fn a_signal_that_the_output_ends_in_is_told() {
        let mut signals = TextSignals::default();
        assert_eq!(signals.push(b"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES"), []);
        let cut = TextSignal::Malformed("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RES".to_owned());
        assert_eq!((signals.finish(), signals.finish()), (Some(cut), None));
        signals.push(b"<LAVA_SI");
        assert_eq!(signals.finish(), None);
    }

    #[test]
    fn a_signal_without_an_end_takes_bounded_memory_and_is_told() {
        let mut signals = TextSignals::default();
        let mut told = signals.push(b"<LAVA_SIGNAL_TESTCASE ");
        told.extend(signals.push(&[b'x'; 10_000]));
        assert!(matches!(told.as_slice(), [TextSignal::Malformed(text)] if text.len() == MAX_SIGNAL));
        assert!(signals.begun.len() <= BEGIN.len());
    }
}
