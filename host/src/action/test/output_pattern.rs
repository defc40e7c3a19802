//! `parse: pattern`: results that a definition prints instead of reporting them. Pure.

use regex::bytes::{Captures, Regex};

use crate::text::clip_bytes;

/// Longest line that is looked at, in bytes; of a longer one the begin is, and a mark behind it.
const MAX_LINE: usize = 16 * 1024;

/// Finds results in the output of a definition, line by line.
#[derive(Debug)]
pub(super) struct OutputPattern {
    pattern: Regex,
    /// At most one byte more than the longest, which tells that it is cut.
    line: Vec<u8>,
}

/// A result as it was printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Printed {
    pub(super) id: String,
    pub(super) result: String,
    pub(super) measurement: Option<String>,
    pub(super) units: Option<String>,
}

impl OutputPattern {
    /// `pattern` has the groups `test_case_id` and `result`, and maybe `measurement` and `units`.
    pub(super) fn new(pattern: Regex) -> Self {
        Self { pattern, line: Vec::new() }
    }

    /// The results in the lines that end in `output`, which continues what came before.
    pub(super) fn push(&mut self, output: &[u8]) -> Vec<Printed> {
        let mut found = Vec::new();
        for part in output.split_inclusive(|&byte| byte == b'\n') {
            let room = (MAX_LINE + 1).saturating_sub(self.line.len());
            self.line.extend(part.iter().take(room));
            if part.ends_with(b"\n") {
                found.extend(self.take_line());
            }
        }
        found
    }

    /// The result in the line that the output ended in.
    pub(super) fn finish(&mut self) -> Option<Printed> {
        if self.line.is_empty() { None } else { self.take_line() }
    }

    fn take_line(&mut self) -> Option<Printed> {
        let mut line = std::mem::take(&mut self.line);
        if line.trim_ascii_end().len() > MAX_LINE {
            line = clip_bytes(&line, MAX_LINE).into_bytes();
        }
        let groups = self.pattern.captures(line.trim_ascii_end())?;
        Some(Printed {
            id: group(&groups, "test_case_id")?,
            result: group(&groups, "result")?,
            measurement: group(&groups, "measurement"),
            units: group(&groups, "units"),
        })
    }
}

fn group(groups: &Captures<'_>, name: &str) -> Option<String> {
    groups.name(name).map(|found| String::from_utf8_lossy(found.as_bytes()).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERN: &str =
        r"^(?P<test_case_id>\S+): (?P<result>\w+)(?: (?P<measurement>\S+) (?P<units>\S+))?$";

    fn printed(id: &str, result: &str) -> Printed {
        Printed { id: id.to_owned(), result: result.to_owned(), measurement: None, units: None }
    }

    #[test]
    fn results_are_found_however_the_output_is_cut() {
        let regex = Regex::new(PATTERN).unwrap();
        for size in [1, 3, 100] {
            let mut pattern = OutputPattern::new(regex.clone());
            let output = b"ping: PASSED\r\nnoise\nspeed: pass 12.5 MB/s\nopen: pass";
            let found: Vec<_> = output.chunks(size).flat_map(|chunk| pattern.push(chunk)).collect();
            let speed = Printed {
                measurement: Some("12.5".to_owned()),
                units: Some("MB/s".to_owned()),
                ..printed("speed", "pass")
            };
            assert_eq!(found, [printed("ping", "PASSED"), speed]);
        }
    }

    #[test]
    fn the_last_line_needs_no_end() {
        let mut pattern = OutputPattern::new(Regex::new(PATTERN).unwrap());
        assert_eq!(pattern.push(b"ping: pass"), []);
        assert_eq!(pattern.finish(), Some(printed("ping", "pass")));
        assert_eq!(pattern.finish(), None);
    }

    #[test]
    fn what_is_read_in_a_line_that_is_too_long_says_that_it_was_cut() {
        let mut pattern = OutputPattern::new(Regex::new(r"^(?P<result>pass) (?P<test_case_id>.*)$").unwrap());
        for (length, end) in [(MAX_LINE, "x"), (MAX_LINE + 1, "x…")] {
            let line = format!("pass {}\r\n", "x".repeat(length - "pass ".len()));
            let found = pattern.push(line.as_bytes());
            assert!(matches!(found.as_slice(), [printed] if printed.id.ends_with(end)), "{length}");
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_the_longest() {
        let mut pattern = OutputPattern::new(Regex::new(PATTERN).unwrap());
        for _ in 0..100 {
            assert_eq!(pattern.push(&[b'x'; 4096]), []);
        }
        assert_eq!(pattern.line.len(), MAX_LINE + 1);
        pattern.push(b"\n");
        assert_eq!(pattern.push(b"a: pass\n"), [printed("a", "pass")]);
    }
}
