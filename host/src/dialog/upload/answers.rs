//! The target's answers among all that comes: echoes, prompts, kernel messages.

use crate::dialog::scan::EscapeFilter;

/// Longest line that can hold an answer; of a longer one the end counts.
const LONGEST: usize = 4096;

/// Finds answers: lines with a marker that nobody else writes, `<marker>:<token>:<value>`.
///
/// Commands that make the target write it hold it in two halves, so that their echo is no answer.
#[derive(Debug)]
pub(super) struct Answers {
    marker: String,
    escapes: EscapeFilter,
    line: Vec<u8>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// What it belongs to.
    pub(super) token: String,
    /// What it says.
    pub(super) value: String,
}

impl Answers {
    /// Answers marked with `nonce`.
    pub(super) fn new(nonce: u32) -> Self {
        Self { marker: format!("UP{nonce:08x}:"), escapes: EscapeFilter::default(), line: Vec::new() }
    }

    /// A command for the target that answers with `token` and `value`, which the shell expands.
    pub(super) fn command(&self, token: &str, value: &str) -> String {
        format!("echo {}{value}", self.quoted(token))
    }

    /// The answer's marker and token as a word for the shell, which the echo of does not look like.
    pub(super) fn quoted(&self, token: &str) -> String {
        let (head, tail) = self.marker.split_at(2);
        format!("\"{head}\"\"{tail}{token}:\"")
    }

    /// Takes what came; returns the answers that are whole now.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Answer> {
        let mut text = Vec::new();
        self.escapes.push(bytes, &mut text);
        let mut answers = Vec::new();
        for byte in text {
            if byte == b'\n' {
                answers.extend(self.answer());
                self.line.clear();
            } else {
                if self.line.len() >= LONGEST {
                    self.line.drain(..LONGEST / 2);
                }
                self.line.push(byte);
            }
        }
        answers
    }

    /// The answer in the line; nothing says that it begins the line.
    fn answer(&self) -> Option<Answer> {
        let line = String::from_utf8_lossy(&self.line);
        let (_, answer) = line.rsplit_once(&self.marker)?;
        let (token, value) = answer.split_once(':')?;
        Some(Answer { token: token.to_owned(), value: value.trim().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(said: &str) -> Vec<(String, String)> {
        let mut answers = Answers::new(0xab);
        let found = said.as_bytes().chunks(3).flat_map(|bytes| answers.push(bytes)).collect::<Vec<_>>();
        found.into_iter().map(|answer| (answer.token, answer.value)).collect()
    }

    #[test]
    fn an_answer_is_found_behind_a_prompt_and_a_kernel_message_but_not_in_an_echo() {
        let command = Answers::new(0xab).command("7", "$?");
        assert_eq!(command, "echo \"UP\"\"000000ab:7:\"$?");
        assert_eq!(answers(&format!("# {command}\r\n")), []);
        let answer = |value: &str| vec![("7".to_owned(), value.to_owned())];
        assert_eq!(answers("\x1b[?2004l\r[  1.0] usb: newUP000000ab:7:0\r\n# "), answer("0"));
        assert_eq!(answers("UP000000ab:7:[   12.0] usb 1-1\r\n0\r\n"), answer("[   12.0] usb 1-1"));
        assert_eq!(answers("UP000000ac:7:0\r\nUP000000ab:7"), []);
        assert_eq!(answers(&format!("{}UP000000ab:7:0\n", "x".repeat(10_000))), answer("0"));
    }
}
