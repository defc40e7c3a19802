//! A TOML file that is being put together, with a comment at each value that says where it is from.

use std::fmt::Write as _;

use toml_edit::{Array, DocumentMut, Item, Table, Value};

/// Longest line of a comment, in characters.
const COMMENT_WIDTH: usize = 118;

/// A TOML file in the making.
#[derive(Debug, Default)]
pub(super) struct Draft {
    document: DocumentMut,
}

impl Draft {
    /// Sets the value at `path`, with `comment` above it, which may have several lines or none.
    pub(super) fn set(&mut self, path: &[&str], value: impl Into<Value>, comment: &str) {
        let Some((key, tables)) = path.split_last() else { return };
        let table = table_at(self.document.as_table_mut(), tables);
        table.set_implicit(false);
        table.insert(key, Item::Value(value.into()));
        if let Some(mut key) = table.key_mut(key) {
            key.leaf_decor_mut().set_prefix(self::comment(comment));
        }
    }

    /// Whether there is a value or table at `path`.
    pub(super) fn has(&self, path: &[&str]) -> bool {
        let found = path.iter().try_fold(self.document.as_item(), |item, key| item.get(key));
        found.is_some()
    }

    /// The file, beginning with `header`, a comment, and an empty line.
    pub(super) fn text(&self, header: &str) -> String {
        let body = self.document.to_string();
        format!("{}\n{}", comment(header), body.trim_start_matches('\n'))
    }
}

fn table_at<'t>(root: &'t mut Table, path: &[&str]) -> &'t mut Table {
    path.iter().fold(root, |table, key| {
        let item = table.entry(key).or_insert_with(implicit_table);
        if !item.is_table() {
            *item = implicit_table();
        }
        item.as_table_mut().expect("it is a table, or was made one")
    })
}

/// A table without a header of its own.
fn implicit_table() -> Item {
    let mut table = Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// `text` as a comment, broken at spaces; empty if it is. What an indented line goes on with is indented further.
pub(super) fn comment(text: &str) -> String {
    let mut lines = String::new();
    for line in text.lines() {
        // Other control characters than a tab are not allowed in a comment of TOML.
        let line: String = line.chars().map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
        let indent = line.len() - line.trim_start().len();
        let further = if indent == 0 { 0 } else { indent + 2 };
        let (mut piece, mut rest) = broken(&line, COMMENT_WIDTH);
        let _ = writeln!(lines, "{}", format!("# {piece}").trim_end());
        while let Some(after) = rest {
            (piece, rest) = broken(after, COMMENT_WIDTH.saturating_sub(further));
            let _ = writeln!(lines, "# {:further$}{piece}", "");
        }
    }
    lines
}

/// `line` up to the last space before `width`, and what follows, if it is longer.
fn broken(line: &str, width: usize) -> (&str, Option<&str>) {
    let Some((end, _)) = line.char_indices().nth(width) else { return (line, None) };
    let (head, _) = line.split_at(end);
    match head.rfind(' ').filter(|&space| !head[..space].trim().is_empty()) {
        Some(space) => (&line[..space], Some(&line[space + 1..])),
        None => (line, None),
    }
}

/// A text on one line, whatever is in it.
pub(super) fn text(text: &str) -> Value {
    let escaped = text.chars().fold(String::new(), |mut escaped, c| {
        // Writing to a string cannot fail.
        let _ = match c {
            '"' | '\\' => write!(escaped, "\\{c}"),
            '\n' => write!(escaped, "\\n"),
            c if c.is_control() => write!(escaped, "\\u{:04X}", u32::from(c)),
            c => write!(escaped, "{c}"),
        };
        escaped
    });
    format!("\"{escaped}\"").parse().unwrap_or_else(|_| Value::from(text))
}

/// A list of texts; on a line each if `tall`.
pub(super) fn list<'a>(texts: impl IntoIterator<Item = &'a String>, tall: bool) -> Value {
    let mut array: Array = texts.into_iter().map(String::as_str).collect();
    if tall && !array.is_empty() {
        for value in array.iter_mut() {
            value.decor_mut().set_prefix("\n    ");
        }
        array.set_trailing("\n");
        array.set_trailing_comma(true);
    }
    Value::Array(array)
}

/// A command, or a list of them if there are several.
pub(super) fn commands(commands: &[Vec<String>]) -> Value {
    match commands {
        [one] => list(one, false),
        several => {
            let mut array = Array::new();
            for command in several {
                array.push(list(command, false));
            }
            for value in array.iter_mut() {
                value.decor_mut().set_prefix("\n    ");
            }
            array.set_trailing("\n");
            array.set_trailing_comma(true);
            Value::Array(array)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Draft, commands, list, text};

    #[test]
    fn tables_follow_their_values_and_comments_stand_above_them() {
        let mut draft = Draft::default();
        draft.set(&["boards", "b1", "uboot", "prompts"], list(&["=> ".to_owned()], false), "");
        draft.set(&["boards", "b1", "type"], "x", "line 1\nand 2");
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        draft.set(&["boards", "b1", "power", "on"], commands(&[words("relay on"), words("hub on")]), "");
        assert!(draft.has(&["boards", "b1", "uboot"]) && !draft.has(&["boards", "b2"]));
        insta::assert_snapshot!(draft.text("A header."), @r##"
        # A header.

        [boards.b1]
        # line 1
        # and 2
        type = "x"

        [boards.b1.uboot]
        prompts = ["=> "]

        [boards.b1.power]
        on = [
            ["relay", "on"],
            ["hub", "on"],
        ]
        "##);
    }

    #[test]
    fn long_comments_are_broken_and_control_characters_are_not_written() {
        let mut draft = Draft::default();
        let control = "\u{3}\n\"\\\u{7f}é";
        draft.set(&["a"], text(control), &format!("  a\u{7}b {}", "word ".repeat(30)));
        let file = draft.text("");
        assert!(file.lines().all(|line| line.len() <= 120), "{file}");
        assert!(file.contains("\n#     word"), "{file}");
        assert!(file.contains(r#"a = "\u0003\n\"\\\u007Fé""#), "{file}");
        assert_eq!(toml::from_str::<toml::Table>(&file).unwrap()["a"].as_str(), Some(control));
    }
}
