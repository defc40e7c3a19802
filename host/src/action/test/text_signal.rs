//! LAVA's text signals, such as `<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=boot RESULT=pass>`: printed by scripts that do not
//! call the helpers, or written to `/dev/kmsg`, whence they come over the console between the kernel's own lines. Pure.
//!
//! What begins like a signal and is none is told as well: a result that was cut must not be missed.
//!
//! A shell with `set -x` shows a command before it runs it, and so a signal before it is printed; a damaged frame on a console
//! has a signal in it that comes again. Such a signal counts only once it has come as text of its own.

mod print;
#[cfg(test)]
mod tests;

use crate::text::DamagedFrame;

use print::Prints;

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
    /// The text of one that does not count where it stands.
    Shown(String),
}

/// Finds the signals in a stream of text.
#[derive(Debug, Default)]
pub(super) struct TextSignals {
    /// What has come of a signal.
    begun: Vec<u8>,
    /// Whether it began where it does not count, and whether one that begins now would.
    is_shown: bool,
    next_is_shown: bool,
    line: Line,
    /// The last two bytes.
    last: [u8; 2],
    prints: Prints,
    /// Damaged frames, where there may be any.
    damaged: Option<DamagedFrame>,
}

/// How a line began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Empty,
    /// With `+` alone so far.
    Plus,
    /// With `+` and a blank alone so far. No command begins like a signal.
    Prompt,
    /// With `+`, a blank and more: a shell shows the command that it runs.
    Command,
    Text,
}

impl Line {
    const fn next(self, byte: u8) -> Self {
        match (self, byte) {
            (_, b'\n') => Self::Empty,
            (Self::Empty | Self::Plus, b'+') => Self::Plus,
            (Self::Plus, b' ') => Self::Prompt,
            (Self::Prompt | Self::Command, _) => Self::Command,
            // A carriage return alone prints over the same line.
            (Self::Empty, b'\r') => Self::Empty,
            _ => Self::Text,
        }
    }
}

impl TextSignals {
    /// For a console, where the agent's frames are too.
    pub(super) fn on_console() -> Self {
        Self { damaged: Some(DamagedFrame::default()), ..Self::default() }
    }

    /// The signals that end in `text`, which continues what came before.
    pub(super) fn push(&mut self, text: &[u8]) -> Vec<TextSignal> {
        let mut found = Vec::new();
        for &byte in text {
            let in_frame = self.damaged.as_mut().is_some_and(|frame| frame.covers(byte));
            self.prints.push(byte);
            found.extend(self.take(byte, in_frame));
            self.line = self.line.next(byte);
            self.last = [self.last[1], byte];
        }
        found
    }

    /// The signal that the text ended in: one that was cut.
    pub(super) fn finish(&mut self) -> Option<TextSignal> {
        let Self { begun, is_shown, damaged, .. } = std::mem::take(self);
        self.damaged = damaged;
        (begun.len() >= BEGIN.len() && !is_shown).then(|| malformed(&begun))
    }

    fn take(&mut self, byte: u8, in_frame: bool) -> Option<TextSignal> {
        if BEGIN.first() == Some(&byte) {
            // The kernel may print what was written to `/dev/kmsg` in the midst of anything, behind its time.
            let is_kernels = self.damaged.is_some() && self.last == *b"] ";
            // In quotes, a shell shows a word. Busybox writes word by word, and so into what others show.
            let is_quoted = self.last[1] == b'\'';
            self.next_is_shown = (in_frame || is_quoted || self.line == Line::Command) && !is_kernels;
        }
        let is_signal = self.begun.len() >= BEGIN.len();
        if is_signal && (matches!(byte, b'>' | b'\n') || self.begun.len() >= MAX_SIGNAL) {
            let signal = std::mem::take(&mut self.begun);
            return self.end(&signal, byte);
        }
        self.begun.push(byte);
        if !is_signal && !BEGIN.starts_with(&self.begun) {
            self.begun.clear();
            self.begun.extend(BEGIN.first().filter(|first| **first == byte));
        }
        if !self.begun.ends_with(BEGIN) {
            return None;
        }
        // Another begins in the midst of one that was cut.
        let cut = self.begun.drain(..self.begun.len() - BEGIN.len()).collect::<Vec<_>>();
        let cut_is_shown = std::mem::replace(&mut self.is_shown, self.next_is_shown);
        self.prints.begin(BEGIN.len());
        (!cut.is_empty() && !cut_is_shown).then(|| malformed(&cut))
    }

    /// What a signal that ended with `byte` is, if it is any.
    fn end(&mut self, signal: &[u8], byte: u8) -> Option<TextSignal> {
        if byte != b'>' {
            // What is shown and cut is yet to come.
            return (!self.is_shown && !self.prints.is_print()).then(|| malformed(signal));
        }
        let text = format!("{}>", String::from_utf8_lossy(signal));
        if self.is_shown {
            // As it is printed: bash and busybox show a quote in quotes.
            let text = text.replace(r"'\''", "'").replace("'\"'\"'", "'");
            return parse(&text).map(|_| TextSignal::Shown(text));
        }
        let parsed = parse(&text)?;
        (!self.prints.is_print()).then_some(parsed)
    }
}

fn malformed(signal: &[u8]) -> TextSignal {
    TextSignal::Malformed(String::from_utf8_lossy(signal).trim_end().to_owned())
}

/// Reads a whole signal; none for those that mean nothing here.
pub(super) fn parse(text: &str) -> Option<TextSignal> {
    let inner = text.get(BEGIN.len()..text.len().saturating_sub(1)).unwrap_or_default();
    let (name, words) = inner.split_once(' ').unwrap_or((inner, ""));
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
    Some(signal.unwrap_or_else(|| TextSignal::Malformed(text.to_owned())))
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
