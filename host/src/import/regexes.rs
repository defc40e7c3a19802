//! Patterns of Python's `re` as patterns of this program, whose files are read as Python's as well.

use regex::Regex;

use crate::document::from_python;

/// `pattern`, if it is a regular expression here as well: look-around and back-references are not.
pub(super) fn pattern(pattern: &str) -> Result<String, String> {
    match Regex::new(&from_python(pattern)) {
        Ok(_) if pattern.trim().is_empty() => Err("it is empty".to_owned()),
        Ok(_) => Ok(pattern.to_owned()),
        Err(error) => {
            let text = error.to_string();
            Err(text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned())
        }
    }
}

/// A prompt that may be matched anywhere in a line, as a prompt of this program, which ends with the line.
///
/// `U-Boot`, of `U-Boot# `, becomes `(?:U-Boot)\S* ?[>#$%:]`; `=>` stays.
pub(super) fn prompt(text: &str) -> Result<String, String> {
    let text = pattern(text)?;
    // The last sign of a prompt is no letter: one that ends with a letter is the begin of it.
    if text.trim_end().ends_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(format!(r"(?:{text})\S* ?[>#$%:]"));
    }
    Ok(text)
}

/// `pattern` as the plain text that it matches, if it is one: `Error 3\.` is `Error 3.`.
pub(super) fn plain_text(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match c {
            '\\' => text.push(chars.next().filter(char::is_ascii_punctuation)?),
            '[' | ']' | '(' | ')' | '{' | '}' | '|' | '^' | '$' | '*' | '+' | '?' => return None,
            // A single dot is nearly always meant as one; it matches itself.
            '.' if matches!(next, Some('*' | '+' | '?' | '{')) => return None,
            _ => text.push(c),
        }
    }
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::{pattern, plain_text, prompt};

    #[test]
    fn prompts_end_with_the_line() {
        assert_eq!(prompt("=>").unwrap(), "=>");
        assert_eq!(prompt(r"snow \#").unwrap(), r"snow \#");
        assert_eq!(prompt("U-Boot").unwrap(), r"(?:U-Boot)\S* ?[>#$%:]");
        assert_eq!(prompt("zork:").unwrap(), "zork:");
        let regex = regex::Regex::new(&prompt("U-Boot").unwrap()).unwrap();
        assert!(["U-Boot# ", "U-Boot >", "U-Boot-2> "].iter().all(|line| regex.is_match(line)));
        assert!(!regex.is_match("U-Boot 2023.01 (Jan 02 2023 - 08:11:31 +0000)"));
        assert!(prompt("(?=x)=>").unwrap_err().contains("look-around"));
        assert_eq!(pattern(" ").unwrap_err(), "it is empty");
    }

    #[test]
    fn only_plain_patterns_are_plain_texts() {
        assert_eq!(plain_text("did not respond in time.").as_deref(), Some("did not respond in time."));
        assert_eq!(plain_text(r"Error \(3\)\.").as_deref(), Some("Error (3)."));
        assert_eq!(plain_text("zImage magic!").as_deref(), Some("zImage magic!"));
        assert!(["ERROR: .*", r"code \d+", "a|b", "### (x) ###", ""].iter().all(|p| plain_text(p).is_none()));
    }
}
