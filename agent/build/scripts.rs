//! Packs the helpers' shell scripts for the program, and names them for its code.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;

/// Longest distance back to a match, in bytes: eleven bits and one.
const MAX_DISTANCE: usize = 1 << 11;

/// Shortest and longest match, in bytes: a match takes two bytes, and its length four bits.
const MATCH: std::ops::RangeInclusive<usize> = 3..=18;

/// Writes `scripts.lz`, the scripts of a directory one behind the other, each with a NUL at its end, and `scripts.rs`
/// with an enum of their names in that order.
///
/// # Errors
/// When something cannot be read or written, or a script is not ASCII.
pub(crate) fn pack(directory: &Path, out: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        files.push(entry?.path());
    }
    files.sort();
    let (mut text, mut names) = (Vec::new(), String::new());
    for file in &files {
        let script = fs::read(file)?;
        if script.iter().any(|byte| !byte.is_ascii() || *byte == 0) {
            return Err(io::Error::other(format!("{} is not ASCII", file.display())));
        }
        text.extend_from_slice(&script);
        text.push(0);
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        names.push_str(&format!("    /// `{stem}.sh`.\n    {},\n", camel_case(&stem)));
    }
    fs::write(out.join("scripts.lz"), packed(&text))?;
    let code = format!(
        "/// A script for the target's shell.\n#[derive(Clone, Copy, Debug, PartialEq, Eq)]\n\
         pub(crate) enum Script {{\n{names}}}\n\n\
         /// Length of all scripts, each with a NUL at its end, in bytes.\nconst LENGTH: usize = {};\n",
        text.len()
    );
    fs::write(out.join("scripts.rs"), code)
}

fn camel_case(words: &str) -> String {
    words
        .split('_')
        .map(|word| word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default())
        .collect()
}

/// Packs ASCII text into as few bytes as this format has for it.
///
/// A byte below 0x80 is itself. Any other begins a match of two bytes, `1LLLLDDD DDDDDDDD`: repeat L + 3 bytes from D + 1
/// bytes back.
fn packed(text: &[u8]) -> Vec<u8> {
    let matches = longest_matches(text);
    // From the end to the beginning: the fewest bytes for the rest, and the match that it begins with.
    let mut cheapest = vec![(0_usize, 1_usize); text.len() + 1];
    for at in (0..text.len()).rev() {
        let (longest, _) = matches[at];
        cheapest[at] = std::iter::once((1 + cheapest[at + 1].0, 1))
            .chain((*MATCH.start()..=longest).map(|length| (2 + cheapest[at + length].0, length)))
            .min()
            .unwrap_or_default();
    }
    let (mut at, mut out) = (0, Vec::new());
    while at < text.len() {
        let (_, length) = cheapest[at];
        if length == 1 {
            out.push(text[at]);
        } else {
            let word = 0x8000 | (length - MATCH.start()) << 11 | (matches[at].1 - 1);
            out.extend_from_slice(&(word as u16).to_be_bytes());
        }
        at += length;
    }
    out
}

/// For every place, the longest text that was there before, and how far back.
fn longest_matches(text: &[u8]) -> Vec<(usize, usize)> {
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let mut longest = vec![(0, 0); text.len()];
    for at in 0..text.len() {
        let Some(begin) = text.get(at..at + MATCH.start()) else { break };
        let earlier = places.entry(begin).or_default();
        longest[at] = earlier
            .iter()
            .filter(|place| at - **place <= MAX_DISTANCE)
            .map(|place| {
                let same = text[at..].iter().zip(&text[*place..]).take_while(|(one, other)| one == other);
                (same.count().min(*MATCH.end()), at - place)
            })
            .max()
            .unwrap_or_default();
        earlier.push(at);
    }
    longest
}
