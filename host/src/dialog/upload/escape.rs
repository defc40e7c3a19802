//! Bytes as formats for the shell's own `printf`, with the shell's variables for the bytes that are most frequent.
//!
//! An escape takes four characters of the line for most bytes; `$1` or `$a` takes two. The first line assigns the
//! variables, for [`FILTER`] to evaluate; each other line is a format in double quotes.
//!
//! Source: POSIX, "printf" (one to three octal digits) and "Parameter Expansion" (`$10` is `${1}0`).

use std::fmt::Write as _;

/// Makes bytes of the lines.
pub(super) const FILTER: &str =
    "{ read -r ll;eval \"$ll\";while read -r ll;do eval \"printf \\\"$ll\\\"\";done;}";

/// Names of one character: digits can be followed by any character, letters only by what is no part of a name.
const DIGITS: &[u8] = b"123456789";
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Characters of an assignment; less is not saved by fewer uses.
const ASSIGNMENT: usize = 8;

/// The assignments, then formats of at most `line` characters.
pub(super) fn escape(bytes: &[u8], line: usize) -> Vec<String> {
    let names = Names::new(bytes);
    let mut lines = vec![names.assignments()];
    let mut text = String::new();
    for (at, &byte) in bytes.iter().enumerate() {
        if text.len() + "\\000".len() > line {
            lines.push(std::mem::take(&mut text));
        }
        names.push(&mut text, byte, bytes.get(at + 1).copied());
    }
    if !text.is_empty() {
        lines.push(text);
    }
    lines
}

/// Which bytes have a name.
struct Names([Option<u8>; 256]);

impl Names {
    /// Gives names to the bytes of which the escapes take most characters.
    fn new(bytes: &[u8]) -> Self {
        let mut saved = [0_usize; 256];
        for (at, &byte) in bytes.iter().enumerate() {
            let length = spelled(byte, bytes.get(at + 1).copied()).len();
            if let Some(saved) = saved.get_mut(usize::from(byte)) {
                *saved += length.saturating_sub("$1".len());
            }
        }
        let mut bytes: Vec<(usize, u8)> =
            saved.into_iter().zip(0..=u8::MAX).filter(|&(saved, _)| saved > ASSIGNMENT).collect();
        bytes.sort_by_key(|&(saved, _)| std::cmp::Reverse(saved));
        let mut names = [None; 256];
        for ((_, byte), name) in bytes.into_iter().zip(DIGITS.iter().chain(LETTERS)) {
            if let Some(entry) = names.get_mut(usize::from(byte)) {
                *entry = Some(*name);
            }
        }
        Self(names)
    }

    fn of(&self, byte: u8) -> Option<u8> {
        self.0.get(usize::from(byte)).copied().flatten()
    }

    /// A command that assigns all; it is one of the shell's own even if there are none.
    fn assignments(&self) -> String {
        let byte_of = |name: u8| (0..=u8::MAX).find(|&byte| self.of(byte) == Some(name));
        let assigned =
            |names: &'static [u8]| names.iter().filter_map(move |&name| Some((name, byte_of(name)?)));
        let mut text = "set --".to_owned();
        // Writing to a string does not fail.
        for (_, byte) in assigned(DIGITS) {
            let _ = write!(text, " \\\\{byte:03o}");
        }
        for (name, byte) in assigned(LETTERS) {
            let _ = write!(text, ";{}=\\\\{byte:03o}", char::from(name));
        }
        text
    }

    /// Adds `byte`, which `next` follows.
    fn push(&self, text: &mut String, byte: u8, next: Option<u8>) {
        match self.of(byte) {
            Some(name) if name.is_ascii_digit() || !next.is_some_and(|next| self.continues_name(next)) => {
                text.push('$');
                text.push(char::from(name));
            }
            _ => text.push_str(&spelled(byte, next)),
        }
    }

    /// Whether `next` would be taken for a part of the name before it.
    fn continues_name(&self, next: u8) -> bool {
        self.of(next).is_none() && (next.is_ascii_alphanumeric() || next == b'_')
    }
}

/// `byte` in a format in double quotes, which `next` follows: an escape for all that format, quotes or `read` give a
/// meaning to.
fn spelled(byte: u8, next: Option<u8>) -> String {
    match byte {
        b'%' => "%%".to_owned(),
        // `-` may begin an option, `!` calls up history; `'` is around a sample.
        b' ' | b'"' | b'\'' | b'$' | b'`' | b'\\' | b'-' | b'!' | ..0x20 | 0x7f.. => {
            match next.is_some_and(|next| (b'0'..=b'7').contains(&next)) {
                true => format!("\\{byte:03o}"),
                false => format!("\\{byte:o}"),
            }
        }
        _ => char::from(byte).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn escapes_are_as_short_as_what_follows_allows() {
        assert_eq!(escape(b"a\0b\x007%\\ -\xff", 99), ["set --", "a\\0b\\0007%%\\134\\40\\55\\377"]);
        assert_eq!(escape(b"", 99), ["set --"]);
    }

    #[test]
    fn frequent_bytes_have_names_unless_what_follows_would_join_them() {
        let mut bytes = b"\xe5".repeat(30);
        bytes.extend(b"7");
        bytes.extend((0x80..0x88).flat_map(|byte| [byte; 20]));
        bytes.extend([0x90; 10]);
        bytes.extend(b"\x90a\x90-");
        let [assignments, text] = &escape(&bytes, 9999)[..] else { panic!("two lines") };
        assert!(assignments.starts_with("set -- \\\\345 \\\\200 ") && assignments.ends_with(";a=\\\\220"));
        assert!(text.starts_with(&format!("{}7$2$2", "$1".repeat(30))), "{text}");
        assert!(text.ends_with("$a\\220a$a\\55"), "{text}");
    }

    #[test]
    fn a_shell_makes_the_same_bytes_of_it() {
        let mut bytes: Vec<u8> =
            (0..=u8::MAX).flat_map(|one| [one, 0xe5, b'7', one, one, 0x80, b'_', 0]).collect();
        bytes.extend([0xe5; 100]);
        let mut shell = Command::new("sh")
            .args(["-c", FILTER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("every PC has a shell");
        let text = escape(&bytes, 80).join("\n") + "\n";
        shell.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        assert_eq!(shell.wait_with_output().unwrap().stdout, bytes);
    }
}
