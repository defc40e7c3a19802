//! Texts of boards and tests, cut to what is kept of them. Pure.
//!
//! Every cut is marked: for the reader, and for what keeps secrets out of reports, as a part of one may stand beside it.

mod between_frames;
mod damaged;
mod size;

use std::sync::LazyLock;

use regex::bytes::Regex;

pub(crate) use between_frames::BetweenFrames;
pub(crate) use damaged::{DamagedFrame, WithoutDamagedFrames};
pub(crate) use size::Size;

/// The time in front of each message of a Linux kernel, and who said it, where that is shown (`CONFIG_PRINTK_CALLER`).
static KERNEL_TIME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\[ *\d+\.\d+\](?:\[ *[CT]\d+\])? ").expect("a constant pattern is valid"));

/// Stands where a text was cut.
pub(crate) const CUT: char = '…';

/// Stands where a secret was.
pub(crate) const MASK: &str = "[secret]";

/// The begin of `text`: at most `limit` bytes, and the mark if there were more.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    clip_bytes(text.as_bytes(), limit)
}

/// The begin of `bytes` as text: at most `limit` of them, and the mark if there were more.
pub(crate) fn clip_bytes(bytes: &[u8], limit: usize) -> String {
    let Some(&behind) = bytes.get(limit) else { return String::from_utf8_lossy(bytes).into_owned() };
    let mut kept = bytes.get(..limit).unwrap_or_default();
    let mut next = behind;
    while let Some((&last, before)) = kept.split_last().filter(|_| continues_character(next)) {
        (next, kept) = (last, before);
    }
    format!("{}{CUT}", String::from_utf8_lossy(kept))
}

/// The end of `bytes` as text: at most `limit` of them, behind the mark if there were more.
pub(crate) fn tail(bytes: &[u8], limit: usize) -> String {
    let excess = bytes.len().saturating_sub(limit);
    if excess == 0 {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let kept = bytes.iter().skip(excess).skip_while(|&&byte| continues_character(byte));
    format!("{CUT}{}", String::from_utf8_lossy(&kept.copied().collect::<Vec<_>>()))
}

/// Appends `bytes` to `kept`, of which only the last `limit` stay.
pub(crate) fn keep_last(kept: &mut Vec<u8>, bytes: &[u8], limit: usize) {
    kept.extend_from_slice(bytes);
    kept.drain(..kept.len().saturating_sub(limit));
}

/// Where the last message of a kernel begins in `line`, by the time in front of it: others may have left a line of theirs open.
pub(crate) fn kernel_message(line: &[u8]) -> Option<usize> {
    KERNEL_TIME.find_iter(line).last().map(|time| time.start())
}

/// A character for a message of several lines.
pub(crate) const fn printable(character: char) -> char {
    match character {
        '\t' => ' ',
        character if character.is_ascii_control() => '.',
        character => character,
    }
}

const fn continues_character(byte: u8) -> bool {
    matches!(byte, 0x80..=0xBF)
}

/// Whether `c` steers a terminal, or turns the direction of what follows.
pub(crate) const fn steers(c: char) -> bool {
    matches!(c, '\0'..='\x09' | '\x0b'..='\x1f' | '\x7f'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with escapes such as `\u{1b}` for what steers a terminal. Tabs stay.
pub(crate) fn without_steering(text: &str) -> Option<String> {
    let is_bad = |c: char| steers(c) && c != '\t';
    text.contains(is_bad).then(|| {
        let escape = |c: char| if is_bad(c) { c.escape_default().collect() } else { String::from(c) };
        text.chars().map(escape).collect()
    })
}

/// A point in time for people, to the minute: `2026-01-02 03:04 UTC`.
pub(crate) fn minute(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The same, of one that stands behind `before`: without the day if that is the same.
pub(crate) fn minute_after(at: jiff::Timestamp, before: jiff::Timestamp) -> String {
    let day = |at: jiff::Timestamp| at.strftime("%Y-%m-%d").to_string();
    if day(at) == day(before) { at.strftime("%H:%M UTC").to_string() } else { minute(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_to_the_minute_and_the_day_once() {
        let at = |text: &str| text.parse().unwrap();
        let since = at("2026-01-02T03:04:59Z");
        assert_eq!(minute(since), "2026-01-02 03:04 UTC");
        assert_eq!(minute_after(at("2026-01-02T23:59:59Z"), since), "23:59 UTC");
        assert_eq!(minute_after(at("2026-01-03T00:00:00Z"), since), "2026-01-03 00:00 UTC");
    }

    #[test]
    fn the_last_message_of_a_kernel_begins_with_its_time() {
        let line = "token=1[ 1.2] x[   12.345678][    T1] usb";
        assert_eq!(kernel_message(line.as_bytes()).map(|at| &line[at..]), Some("[   12.345678][    T1] usb"));
        assert_eq!(kernel_message(b"[1] 2.3] [a] "), None);
    }

    #[test]
    fn a_cut_is_marked_and_goes_through_no_character() {
        assert_eq!((clip("short", 5), clip("longer", 5)), ("short".to_owned(), "longe…".to_owned()));
        assert_eq!((clip("aé", 2), clip("a€b", 3)), ("a…".to_owned(), "a…".to_owned()));
        assert_eq!((clip("", 0), clip_bytes(b"\xbf\xbf\xbf", 1)), (String::new(), "…".to_owned()));
        assert_eq!((tail(b"short", 5), tail(b"longer", 5)), ("short".to_owned(), "…onger".to_owned()));
        assert_eq!(tail("a€b".as_bytes(), 3), "…b");
    }
}
