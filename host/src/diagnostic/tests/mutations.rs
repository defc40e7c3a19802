//! Every key of good jobs, misspelt, without its colon or in another column, is told on its own line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::diagnostic::{Source, Span};
use crate::document::{Node, Value, parse_yaml};
use crate::job::Job;

/// Below these keys names are the user's own.
const OWN_NAMES: [&str; 6] = ["environment", "parameters", "roles", "metadata", "secrets", "message"];

/// The good jobs, the longest first.
const JOBS: [&str; 4] = ["seed.yaml", "single-node.yaml", "uboot-nfs.yaml", "uboot-ramdisk.yaml"];

/// A key of a block mapping.
struct Key {
    /// Its line, from 0.
    line: usize,
    /// Where it begins in the line.
    column: usize,
    name: String,
}

impl Key {
    /// Those of `text`, but not names of the user's own.
    fn all(text: &str) -> Vec<Self> {
        let mut parents: Vec<(usize, String)> = Vec::new();
        let mut keys = Vec::new();
        for (line, content) in text.lines().enumerate() {
            let column = content.len() - content.trim_start_matches([' ', '-']).len();
            let Some((name, rest)) = content[column..].split_once(':') else { continue };
            let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
            if !is_name || !(rest.is_empty() || rest.starts_with(' ')) {
                continue;
            }
            parents.retain(|(other, _)| *other < column);
            let is_own = parents.last().is_some_and(|(_, parent)| OWN_NAMES.contains(&parent.as_str()));
            parents.push((column, name.to_owned()));
            if !is_own && name.len() > 3 {
                keys.push(Self { line, column, name: name.to_owned() });
            }
        }
        keys
    }

    /// `text` with `key` in place of this one and its colon.
    fn replaced(&self, text: &str, key: &str) -> String {
        let replace = |(line, content): (usize, &str)| {
            if line != self.line {
                return content.to_owned();
            }
            let end = self.column + self.name.len() + 1;
            format!("{}{key}{}", &content[..self.column], &content[end..])
        };
        text.split_inclusive('\n').enumerate().map(replace).collect()
    }
}

/// Line, from 0, and message of each problem.
fn problems(text: String) -> BTreeSet<(usize, String)> {
    let source = Source::new("job.yaml", text);
    let problems = Job::parse(&source).map_or_else(|bad| bad.problems, |job| job.warnings);
    problems
        .iter()
        .map(|problem| (source.line_column(problem.span()).0 - 1, problem.message.clone()))
        .collect()
}

/// Mutates every key of every good job; all that is not told on its line.
fn untold(mutate: impl Fn(&str) -> Option<String>) -> Vec<String> {
    mutants(&JOBS, |key, text| Some(key.replaced(text, &mutate(&key.name)?)))
}

/// Every one of `jobs` with something done to each of its keys; all that is not told on the key's line. What has not changed
/// the meaning of the file needs not be told.
fn mutants(jobs: &[&str], mutate: impl Fn(&Key, &str) -> Option<String>) -> Vec<String> {
    let mut untold = Vec::new();
    for name in jobs {
        let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/jobs"));
        let text = fs::read_to_string(directory.join(name)).unwrap();
        let known = problems(text.clone());
        for key in Key::all(&text) {
            let Some(mutated) = mutate(&key, &text) else { continue };
            let found = problems(mutated.clone());
            let is_told = found.difference(&known).any(|(line, _)| *line == key.line);
            if !is_told && meaning(&mutated) != meaning(&text) {
                untold.push(format!("{name}:{}: `{}`: {found:?}", key.line + 1, key.name));
            }
        }
    }
    untold
}

/// What a text says, wherever it stands; `None` if it cannot be read.
fn meaning(text: &str) -> Option<String> {
    fn strip(node: &mut Node) {
        node.span = Span::default();
        match &mut node.value {
            Value::Sequence(items) => items.iter_mut().for_each(strip),
            Value::Mapping(entries) => entries.iter_mut().for_each(|(key, value)| {
                key.span = Span::default();
                strip(value);
            }),
            _ => {}
        }
    }
    let mut node = parse_yaml(&Source::new("job.yaml", text)).ok()?;
    strip(&mut node);
    Some(format!("{node:?}"))
}

/// Leaves out the letter at `index`.
fn without_letter(key: &str, index: usize) -> String {
    format!("{}{}:", &key[..index], &key[index + 1..])
}

#[test]
fn a_key_without_one_of_its_letters() {
    for part in 1..4 {
        let untold = untold(|key| Some(without_letter(key, key.len() * part / 4)));
        assert!(untold.is_empty(), "{}", untold.join("\n"));
    }
}

#[test]
fn a_key_with_two_letters_in_the_wrong_order() {
    let untold = untold(|key| {
        let mut letters: Vec<char> = key.chars().collect();
        let middle = letters.len() / 2;
        letters.swap(middle - 1, middle);
        let swapped: String = letters.iter().collect();
        (swapped != key).then(|| swapped + ":")
    });
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

#[test]
fn a_key_without_its_colon() {
    let untold = untold(|key| Some(key.to_owned()));
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

#[test]
fn a_key_in_another_column() {
    // Many columns are tried for each, which takes long: one shift per key, and all shifts in each job but the longest.
    let shifts = [-2_isize, 1, -1, 2];
    let untold = mutants(&JOBS[1..], |key, text| {
        let line = text.lines().nth(key.line)?;
        let indent = line.len() - line.trim_start().len();
        let shift = shifts[key.line % shifts.len()];
        let shifted = " ".repeat(indent.checked_add_signed(shift)?) + line.trim_start();
        let lines = text.lines().enumerate();
        Some(
            lines
                .map(|(index, line)| if index == key.line { &shifted } else { line }.to_owned() + "\n")
                .collect(),
        )
    });
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

#[test]
fn a_key_without_its_value() {
    let untold = mutants(&JOBS[1..], |key, text| {
        let line = text.lines().nth(key.line)?;
        let end = key.column + key.name.len() + 1;
        let is_value = line.get(end..).is_some_and(|value| !value.trim_start_matches([' ', '|']).is_empty());
        let replace = |(index, line): (usize, &str)| match index == key.line {
            true => line[..end].to_owned() + "\n",
            false => line.to_owned() + "\n",
        };
        is_value.then(|| text.lines().enumerate().map(replace).collect())
    });
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}
