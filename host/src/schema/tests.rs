//! The schemas against the checks, and against what is published in `docs/schemas/`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::Value;

use super::FileKind;
use crate::board::{Bench, BenchError, BoardType};
use crate::diagnostic::{Code, Diagnostic, Severity, Source};
use crate::document::{self, Node, parse_toml, parse_yaml};
use crate::job::Job;
use crate::job::check::context::IDLE;
use crate::job::part;

/// Set to `1`, the tests write the schemas instead of comparing them.
const UPDATE: &str = "UPDATE_SCHEMAS";

/// Files that people write.
const READ: [(FileKind, &str); 3] = [
    (FileKind::Job, "tests/fixtures/schema/job.yaml"),
    (FileKind::Bench, "host/src/schema/examples/bench.toml"),
    (FileKind::BoardType, "host/src/schema/examples/board-type.toml"),
];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The file as a program sees it that reads its schema.
fn value(path: &Path) -> Value {
    let source = Source::read(path).unwrap();
    let node = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => parse_toml(&source).map_err(|problems| format!("{problems:?}")),
        _ => parse_yaml(&source).map_err(|problem| format!("{problem:?}")),
    };
    json(&node.unwrap_or_else(|problem| panic!("{}: {problem}", path.display())), &source)
}

fn json(node: &Node, source: &Source) -> Value {
    match &node.value {
        document::Value::Null => Value::Null,
        document::Value::Bool(value) => (*value).into(),
        document::Value::Integer(value) => i64::try_from(*value).unwrap().into(),
        document::Value::Other | document::Value::Text(_) => node.text(source).unwrap_or_default().into(),
        document::Value::Sequence(items) => items.iter().map(|item| json(item, source)).collect(),
        document::Value::Mapping(entries) => {
            entries.iter().map(|(key, value)| (key.name.clone(), json(value, source))).collect()
        }
    }
}

/// What the checks say of a file that holds `value`; JSON is YAML. TOML files are checked as they are.
fn job_problems(value: &Value) -> Vec<Diagnostic> {
    let source = Source::new("job.yaml", value.to_string());
    Job::parse(&source).map_or_else(|bad| bad.problems, |job| job.warnings)
}

fn validator(kind: FileKind) -> Validator {
    jsonschema::validator_for(kind.schema().as_value()).unwrap()
}

/// What a schema says against a file.
fn complaints(validator: &Validator, value: &Value) -> Vec<String> {
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn assert_current(path: &Path, current: &str) {
    if std::env::var_os(UPDATE).is_some_and(|value| value == "1") {
        fs::write(path, current).unwrap();
    }
    let published = fs::read_to_string(path).unwrap_or_default();
    assert!(published == current, "{} is not current; run this test with {UPDATE}=1", path.display());
}

#[test]
fn the_published_schemas_are_current() {
    for kind in FileKind::ALL {
        assert_current(&repository().join("docs/schemas").join(kind.file_name()), &kind.text().unwrap());
    }
}

#[test]
fn the_published_pages_are_current_and_have_an_example_of_every_key() {
    for kind in FileKind::ALL {
        let Some(page) = kind.reference().unwrap() else {
            assert_eq!(kind.reference_name(), None);
            continue;
        };
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        assert!(rows.len() > 20, "{page}");
        for row in rows {
            let cells: Vec<&str> = row.trim_matches(['|', ' ']).split(" | ").collect();
            assert!(cells.len() == 5 && cells.iter().all(|cell| !cell.is_empty()), "a cell is empty: {row}");
        }
        assert_current(&repository().join("docs").join(kind.reference_name().unwrap()), &page);
    }
}

/// What a part of a bench file needs around it to be a whole one.
fn whole_bench(part: &str) -> String {
    let has = |board: &str| part.contains(&format!("[boards.{board}]"));
    let around = |board: &str, console: &str| match has(board) {
        true => String::new(),
        false => format!("[boards.{board}]\ntype = \"beaglebone-black\"\nconsole = \"{console}\"\n"),
    };
    let names = part.lines().filter_map(|line| line.strip_prefix("[boards.")?.split(['.', ']']).next());
    let names: BTreeSet<&str> = names.chain(["bbb1"]).collect();
    let numbered = names.iter().enumerate();
    numbered
        .map(|(number, name)| around(name, &format!("/dev/ttyS{number}")))
        .chain([part.to_owned()])
        .collect()
}

#[test]
fn the_checks_take_every_part_of_a_bench_file_that_a_page_shows() {
    let (mut seen, directory) = (0, repository().join("docs"));
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        for block in text.split("```toml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            // Made by a command, with its parts separated; a test of that command looks at it.
            if path.ends_with("import.md") {
                continue;
            }
            let name = format!("{} in {block}", path.display());
            let bench = Bench::parse(&Source::new(&name, whole_bench(block)), &directory);
            assert!(bench.is_ok(), "{bench:#?}");
            seen += 1;
        }
    }
    assert!(seen >= 10, "{seen}");
}

#[test]
fn the_checks_know_every_key_of_the_schema_of_jobs() {
    let (_, path) = READ[0];
    let problems = job_problems(&value(&repository().join(path)));
    let errors: Vec<_> = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error || problem.code == Code::UnknownKey)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

#[test]
fn the_checks_know_every_key_of_the_schemas_of_benches() {
    let bench = Bench::load(&repository().join(READ[1].1));
    assert!(bench.is_ok(), "{bench:#?}");
    let board_type = BoardType::parse(&Source::read(&repository().join(READ[2].1)).unwrap());
    assert!(board_type.is_ok(), "{board_type:#?}");
}

/// The files of a kind that are right.
fn right_files(kind: FileKind, path: &str) -> Vec<PathBuf> {
    let directories = match kind {
        FileKind::Job => ["tests/fixtures/jobs", "tests/fixtures/virtual_board", "examples"].as_slice(),
        FileKind::Bench => &["examples"],
        _ => &["boards"],
    };
    let extension = path.rsplit('.').next().unwrap();
    let files = directories.iter().flat_map(|directory| fs::read_dir(repository().join(directory)).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.extension().is_some_and(|other| other == extension));
    let all: Vec<_> = files.chain([repository().join(path)]).collect();
    assert!(all.len() > 1, "{kind:?}");
    all
}

#[test]
fn the_schemas_take_every_file_that_is_right() {
    for (kind, path) in READ {
        let validator = validator(kind);
        for file in right_files(kind, path) {
            let complaints = complaints(&validator, &value(&file));
            assert!(complaints.is_empty(), "{}: {complaints:#?}", file.display());
        }
    }
}

#[test]
fn every_key_of_the_schemas_is_in_a_file_that_is_right() {
    for (kind, path) in READ {
        let (values, schema) = (right_files(kind, path), kind.schema().to_value());
        let values: Vec<_> = values.iter().map(|file| value(file)).collect();
        let mut keys = Keys { schema: &schema, all: BTreeSet::new(), used: BTreeSet::new() };
        keys.collect(&schema, &values.iter().collect::<Vec<_>>());
        // These are taken from the checks' own tables.
        let is_listed = |key: &str| part::names().any(|name| name == key) || IDLE.contains(&key);
        let missing: Vec<_> = keys.all.difference(&keys.used).filter(|(key, _)| !is_listed(key)).collect();
        assert!(missing.is_empty(), "{path} lacks {missing:#?}");
    }
}

/// Keys, each with what is said of it: one that many mappings have counts once.
struct Keys<'s> {
    schema: &'s Value,
    all: BTreeSet<(String, String)>,
    used: BTreeSet<(String, String)>,
}

impl Keys<'_> {
    /// Collects the keys of `part`, which describes `values`.
    fn collect(&mut self, part: &Value, values: &[&Value]) {
        let part = self.resolved(part);
        for kind in ["oneOf", "anyOf"].iter().flat_map(|key| part[key].as_array().into_iter().flatten()) {
            let validator = jsonschema::validator_for(&self.with_definitions(kind)).unwrap();
            let of_kind: Vec<_> = values.iter().copied().filter(|value| validator.is_valid(value)).collect();
            self.collect(kind, &of_kind);
        }
        if let Some(items) = part.get("items") {
            let items_of: Vec<_> = values.iter().filter_map(|value| value.as_array()).flatten().collect();
            self.collect(items, &items_of);
        }
        let properties = part["properties"].as_object();
        for (key, of_key) in properties.into_iter().flatten() {
            let below: Vec<_> = values.iter().filter_map(|value| value.get(key)).collect();
            let entry = (key.clone(), of_key["description"].to_string());
            if !below.is_empty() {
                self.used.insert(entry.clone());
            }
            self.all.insert(entry);
            self.collect(of_key, &below);
        }
        if let Some(others) = part.get("additionalProperties").filter(|others| others.is_object()) {
            let entries = values.iter().filter_map(|value| value.as_object()).flatten();
            let is_other = |key: &String| properties.is_none_or(|named| !named.contains_key(key));
            let below: Vec<_> = entries.filter(|(key, _)| is_other(key)).map(|(_, value)| value).collect();
            self.collect(others, &below);
        }
    }

    /// What a reference leads to.
    fn resolved(&self, part: &Value) -> Value {
        let pointer = part["allOf"][0]["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
        let target = pointer.map(|pointer| self.schema.pointer(pointer).expect("a definition"));
        target.unwrap_or(part).clone()
    }

    /// A part of the schema that stands for itself.
    fn with_definitions(&self, part: &Value) -> Value {
        let mut whole = part.clone();
        if let Some(definitions) = self.schema.get("definitions") {
            whole["definitions"] = definitions.clone();
        }
        whole
    }
}

#[test]
fn the_schemas_refuse_what_is_wrong_by_itself() {
    let mut taken = Vec::new();
    for (kind, directory, extension) in
        [(FileKind::Job, "jobs/bad", "yaml"), (FileKind::Bench, "benches/bad", "toml")]
    {
        let validator = validator(kind);
        let directory = repository().join("tests/fixtures").join(directory);
        let mut files: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|other| other == extension)) {
            let source = Source::read(file).unwrap();
            let (node, errors) = match kind {
                FileKind::Job => (parse_yaml(&source).ok(), Job::parse(&source).is_err()),
                _ => {
                    let invalid = matches!(Bench::parse(&source, Path::new("")), Err(BenchError::Invalid(_)));
                    (parse_toml(&source).ok(), invalid)
                }
            };
            let Some(node) = node else { continue };
            if errors && validator.is_valid(&json(&node, &source)) {
                taken.push(file.file_stem().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    // What lies in the relations between keys, or in the text of a value, is for `validate`.
    insta::assert_snapshot!(taken.join("\n"));
}
