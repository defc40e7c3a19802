//! Values as PyYAML reads them, and syntax errors at the place where the mistake is.

use super::parse_yaml;
use crate::diagnostic::{Code, Source};
use crate::document::node::{Node, Value};

fn parse(text: &str) -> Node {
    parse_yaml(&Source::new("job.yaml", text))
        .unwrap_or_else(|problem| panic!("{text:?}: {}", problem.message))
}

/// A value in the form of Python's `repr`, in short.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Integer(value) => value.to_string(),
        Value::Other => "other".to_owned(),
        Value::Text(text) => format!("{text:?}"),
        Value::Sequence(items) => {
            let items: Vec<_> = items.iter().map(|item| shown(&item.value)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Mapping(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|(key, node)| format!("{}: {}", key.name, shown(&node.value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(shown(&parse(text).value), expected, "{text:?}");
}

#[test]
fn plain_scalars_are_pyyamls_and_quoted_ones_are_text() {
    check("[yes, no, on, off, y, n]", r#"[true, false, true, false, "y", "n"]"#);
    check("[010, 0o10, 0x10, 1_000, 1:30]", r#"[8, "0o10", 16, 1000, 90]"#);
    check("[1e3, 441e61, 1.5, .inf, 1e999]", r#"["1e3", "441e61", other, other, "1e999"]"#);
    check("[=, =>, ~, 2026-01-02]", r#"["=", "=>", None, other]"#);
    check("['yes', \"010\", '~', '1.5']", r#"["yes", "010", "~", "1.5"]"#);
    check("a:\nb: 010\nc:\n  010\n", "{a: None, b: 8, c: 8}");
}

#[test]
fn tags_say_what_a_value_is() {
    check("[!!str 010, !!str yes, ! 10]", r#"["010", "yes", "10"]"#);
    check("a: !!binary c21va2U=\n", r#"{a: "smoke"}"#);
    check("[!own text, !<tag:yaml.org,2002:str> 10]", r#"["text", "10"]"#);
}

#[test]
fn blocks_of_text_are_text() {
    check("a: |\n  010\n", r#"{a: "010\n"}"#);
    check("a: |-\n  010\n", r#"{a: "010"}"#);
    check("a: >-\n  yes\n", r#"{a: "yes"}"#);
    check("a: |2\n   x\n  y\nb: >\n  one\n  two\n", r#"{a: " x\ny\n", b: "one two\n"}"#);
    check("a: |+\n  x\n\nb: 1\n", r#"{a: "x\n\n", b: 1}"#);
    check("a: |- # a comment\n\n  010\nb: 010\n", r#"{a: "\n010", b: 8}"#);
    check("- |-\n  10\n- >+\n  20\n", r#"["10", "20\n"]"#);
}

#[test]
fn anchors_and_merge_keys_are_followed() {
    check("a: &x {m: 010}\nb: *x\n", "{a: {m: 8}, b: {m: 8}}");
    check("a: &x yes\nb: *x\nc: &y 'yes'\nd: *y\n", r#"{a: true, b: true, c: "yes", d: "yes"}"#);
    let merged = parse("a: &a {x: 1, y: 2}\nb: &b {x: 3, z: 4}\nc: {<<: [*a, *b], y: 5}\n");
    let Value::Mapping(entries) = &merged.value else { panic!("{merged:?}") };
    let Value::Mapping(c) = &entries[2].1.value else { panic!("{merged:?}") };
    let mut c: Vec<_> = c.iter().map(|(key, node)| format!("{} {}", key.name, shown(&node.value))).collect();
    c.sort();
    assert_eq!(c, ["x 1", "y 5", "z 4"], "the first of the list wins, and the mapping's own key over all");
}

#[test]
fn ends_of_lines_marks_and_directives_change_nothing() {
    let plain = "a: 1\nb:\n- x\n";
    for text in [
        "a: 1\r\nb:\r\n- x\r\n",
        "\u{feff}a: 1\nb:\n- x\n",
        "%YAML 1.1\n---\na: 1\nb:\n- x\n",
        "---\na: 1\nb:\n- x\n...\n",
        "a:\t1\nb:\n-\tx\n",
    ] {
        assert_eq!(shown(&parse(text).value), shown(&parse(plain).value), "{text:?}");
    }
}

#[test]
fn what_is_too_deep_or_too_much_is_refused() {
    let deep = format!("a: {}{}", "[".repeat(100), "]".repeat(100));
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
    for (name, before) in ('b'..'j').zip('a'..) {
        laughs += &format!("{name}: &{name} [{}]\n", vec![format!("*{before}"); 10].join(","));
    }
    for (text, message) in [
        (deep, "lists and mappings are nested deeper than 64"),
        (laughs, "the file has more than 20000 values"),
        ("x,".repeat(20_000), "the file has more than 20000 values"),
        ("*a,".repeat(1001), "the file has more than 1000 aliases such as `*name`"),
        ("&b [*b]".to_owned(), "this alias stands for something that it is part of"),
    ] {
        let text = if text.contains(':') { text } else { format!("[&a 1,{text}]") };
        let problem = parse_yaml(&Source::new("job.yaml", text)).unwrap_err();
        assert_eq!((problem.code, problem.message.as_str()), (Code::YamlSyntax, message));
    }
}

#[test]
fn an_anchor_may_have_hundreds_of_aliases() {
    let text = format!("[&a {{k: v}},{}]", "*a,".repeat(500));
    let node = parse_yaml(&Source::new("job.yaml", text)).unwrap();
    let Value::Sequence(items) = &node.value else { panic!("{node:?}") };
    assert_eq!(items.len(), 501);
    assert!(items.iter().all(|item| item.value == items[0].value));
}

/// A good job; its mistakes are made below.
const JOB: &str = "\
timeouts:
  job: {minutes: 20}
actions:
- deploy:
    to: tftp
    kernel: {url: \"https://a/b\", type: zimage}
- boot:
    method: u-boot
    commands: nfs
    prompts: ['# ']
- test:
    definitions:
    - from: git
      name: smoke
";

#[track_caller]
fn mistake(from: &str, to: &str, expected: &str) {
    assert!(JOB.contains(from), "{from:?}");
    let source = Source::new("job.yaml", JOB.replacen(from, to, 1));
    let problem = parse_yaml(&source).expect_err(to);
    let (line, column) = source.line_column(problem.span());
    let help = problem.help.as_deref().unwrap_or("-");
    assert_eq!(format!("{line}:{column} {} ({help})", problem.message), expected);
}

#[test]
fn missing_colons_and_blanks() {
    mistake("method: u", "method u", "8:5 there is no colon behind `method` (write `method: u-boot`)");
    mistake("- boot:", "- boot", "7:3 there is no colon behind `boot` (write `boot:`)");
    mistake("name: smoke", "name smoke", "14:7 there is no colon behind `name` (write `name: smoke`)");
    mistake("actions:", "actions", "3:1 there is no colon behind `actions` (write `actions:`)");
    mistake("to: t", "to:t", "5:7 there is no blank behind the colon of `to` (write `to: tftp`)");
}

#[test]
fn quotes_and_brackets() {
    mistake("'# '", "'# ", "10:15 this `'` is not closed (write `'` where the value ends)");
    mistake("a/b\"", "a/b", "6:19 this `\"` is not closed (write `\"` where the value ends)");
    mistake("20}", "20", "2:8 this `{` is not closed (write `}` where it ends)");
    mistake("['# ']", "['# '", "10:14 this `[` is not closed (write `]` where it ends)");
    mistake("20}", "20]", "2:8 this `{` is closed by another bracket (close it with `}`)");
    mistake("20}", "20}}", "2:21 `}` closes nothing (take it out, or open `{` before it)");
    // The last line of the file.
    mistake("name: smoke", "name: [smoke", "14:13 this `[` is not closed (write `]` where it ends)");
    mistake("name: smoke\n", "name: {a: smoke", "14:13 this `{` is not closed (write `}` where it ends)");
    mistake("name: smoke", "name: {a: [smoke", "14:17 this `[` is not closed (write `]` where it ends)");
    mistake("name: smoke", "name: {a: [smoke]", "14:13 this `{` is not closed (write `}` where it ends)");
    mistake("name: smoke", "name: [smoke # {", "14:13 this `[` is not closed (write `]` where it ends)");
    mistake("b\", type", "b\" type", "6:33 a comma is missing before this (separate entries with `, `)");
}

#[test]
fn indentation() {
    let beside = "this line is not indented like those around it";
    mistake("    commands", "\tcommands", "9:1 a tab cannot indent a line (indent with blanks only)");
    mistake("    to:", "     to:", &format!("5:6 {beside} (begin it in column 5, as those around it)"));
    mistake("    method", "   method", &format!("8:4 {beside} (begin it in column 5, as those around it)"));
    mistake(
        "    commands",
        "     commands",
        "9:6 this line is indented deeper than the key above, which has its value already (begin it in column 5)",
    );
    mistake(
        "    commands",
        "   commands",
        "9:4 the indent of this line fits no line above (begin it in column 1, 3 or 5, as lines above)",
    );
}

#[test]
fn entries_of_lists_and_keys() {
    mistake(
        "- boot:",
        "boot:",
        "7:1 a key among the entries of a list (begin an entry with `- `; indent the keys of one deeper)",
    );
    mistake(
        "    commands",
        "    - commands",
        "9:5 a list entry among the keys of a mapping (take out the `- `, or begin it in column 3 if it is an entry of a list there)",
    );
}

#[test]
fn values_that_cannot_stand_where_they_are() {
    mistake(
        "prompts: ['# ']",
        "prompts:\n    -'# '",
        "11:5 there is no blank behind the `-` of this entry (write `- '# '`)",
    );
    mistake(
        "prompts: ['# ']",
        "prompts: - '# '",
        "10:14 a list cannot begin behind its key (begin it on the next line, or write `[a, b]`)",
    );
    mistake(
        "['# ']",
        "['# '] or so",
        "10:21 text stands behind the `]` that ends the value (put the whole value in quotes if it is text)",
    );
}

#[test]
fn values_that_need_quotes() {
    let quotes = "put the value in single quotes if it is text";
    mistake("u-boot", "@boot", &format!("8:13 a value cannot begin with `@` ({quotes})"));
    mistake("u-boot", "`boot", &format!("8:13 a value cannot begin with a backquote ({quotes})"));
    mistake(
        "u-boot",
        "*boot",
        &format!("8:13 `*boot` refers to `&boot`, which is not in the file above it ({quotes})"),
    );
    mistake(
        "nfs",
        "a: b",
        "9:16 this is the second `: ` of one line (put the value in quotes, or begin a mapping on the next line)",
    );
    mistake(
        "'# '",
        r#""\# ""#,
        r"10:16 this `\` and what follows mean nothing in double quotes (write the value in single quotes, where `\` is nothing but itself)",
    );
    mistake(
        "actions:",
        "---\nactions:",
        "3:1 a second document begins here (put each document in a file of its own)",
    );
}
