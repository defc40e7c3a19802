//! The licences of the libraries that are part of the program: most want their text to go with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::tree::entries;
use crate::error::Error;
use crate::process;
use crate::workspace::Workspace;

/// What is part of the program and no crate: its name, and the file with its licence.
const SCRIPTS: [(&str, &str); 1] = [("xterm.js", "host/src/serve/assets/xterm/LICENSE")];

/// How the files with a licence begin.
const NAMES: [&str; 4] = ["LICENSE", "LICENCE", "COPYING", "NOTICE"];

/// Writes names, versions and licences of all libraries of the program to `file`, each text once.
///
/// # Errors
/// When cargo's answer or a licence cannot be read, or the file cannot be written.
pub(super) fn write(workspace: &Workspace, file: &Path) -> Result<(), Error> {
    let mut cargo = workspace.cargo();
    cargo.args(["metadata", "--format-version=1", "--locked", "--filter-platform=x86_64-unknown-linux-gnu"]);
    let answer = process::answer(&mut cargo)?;
    let unexpected =
        || Error::Answer { program: "cargo metadata", found: answer.chars().take(200).collect() };
    let metadata: Value = serde_json::from_str(&answer).map_err(|_| unexpected())?;
    let libraries = libraries(&metadata).ok_or_else(unexpected)?;
    let mut text = "host-runner is made with these libraries:\n\n".to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, library) in &libraries {
        let licence = library.get("license").and_then(Value::as_str).unwrap_or("see its text below");
        let _ = writeln!(text, "{name}: {licence}");
        let manifest = library.get("manifest_path").and_then(Value::as_str).ok_or_else(unexpected)?;
        for licence in texts_of(Path::new(manifest))? {
            texts.entry(licence).or_default().push(name.clone());
        }
    }
    for (name, file) in SCRIPTS {
        let file = workspace.root.join(file);
        let licence = fs::read_to_string(&file).map_err(Error::file("cannot read", &file))?;
        let _ = writeln!(text, "{name}: see its text below");
        texts.entry(licence).or_default().push(name.to_owned());
    }
    let mut texts: Vec<(String, Vec<String>)> = texts.into_iter().collect();
    texts.sort_by(|one, other| one.1.cmp(&other.1).then_with(|| one.0.cmp(&other.0)));
    for (licence, names) in texts {
        let _ = write!(text, "\n{}\n{}:\n\n{}\n", "-".repeat(78), names.join(", "), licence.trim_end());
    }
    fs::write(file, text).map_err(Error::file("cannot write", file))
}

/// The packages that become part of the program, by name and version; none of the workspace's own.
fn libraries(metadata: &Value) -> Option<BTreeMap<String, &Value>> {
    let list = |value: &'_ Value, key: &str| value.get(key).and_then(Value::as_array).cloned();
    let id = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let nodes = list(metadata.get("resolve")?, "nodes")?;
    let nodes: HashMap<String, Value> =
        nodes.into_iter().filter_map(|node| Some((id(&node, "id")?, node))).collect();
    let packages = metadata.get("packages")?.as_array()?;
    let start =
        packages.iter().find(|package| package.get("name").is_some_and(|name| name == "host-runner"))?;
    let mut waiting = vec![id(start, "id")?];
    let mut found = BTreeSet::new();
    while let Some(next) = waiting.pop() {
        if !found.insert(next.clone()) {
            continue;
        }
        for dependency in list(nodes.get(&next)?, "deps")? {
            // Of a normal dependency the kind is null; the others are of tests and of build scripts.
            let is_normal = list(&dependency, "dep_kinds")?
                .iter()
                .any(|kind| kind.get("kind").is_some_and(Value::is_null));
            if is_normal {
                waiting.push(id(&dependency, "pkg")?);
            }
        }
    }
    let foreign = packages.iter().filter(|package| {
        package.get("source").is_some_and(Value::is_string)
            && id(package, "id").is_some_and(|id| found.contains(&id))
    });
    foreign
        .map(|package| Some((format!("{} {}", id(package, "name")?, id(package, "version")?), package)))
        .collect()
}

/// The texts of the licences beside a manifest, or of those that it brings for what it contains.
fn texts_of(manifest: &Path) -> Result<Vec<String>, Error> {
    let Some(directory) = manifest.parent() else { return Ok(Vec::new()) };
    let files = entries(directory)?.into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        path.is_file() && NAMES.iter().any(|begin| name.starts_with(begin))
    });
    files
        .map(|path| {
            let text = fs::read(&path).map_err(Error::file("cannot read", &path))?;
            Ok(String::from_utf8_lossy(&text).into_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_becomes_part_of_the_program_is_listed() {
        let package = |name: &str, source: &str| {
            format!(r#"{{"name":"{name}","version":"1.0.0","id":"{name}","source":{source}}}"#)
        };
        let packages = [
            package("host-runner", "null"),
            package("a", "\"r\""),
            package("b", "\"r\""),
            package("t", "\"r\""),
        ];
        let depends = |on: &str, kind: &str| format!(r#"{{"pkg":"{on}","dep_kinds":[{{"kind":{kind}}}]}}"#);
        let metadata = format!(
            r#"{{"packages":[{}],"resolve":{{"nodes":[
                {{"id":"host-runner","deps":[{},{}]}},{{"id":"a","deps":[{}]}},{{"id":"b","deps":[]}},{{"id":"t","deps":[]}}]}}}}"#,
            packages.join(","),
            depends("a", "null"),
            depends("t", "\"dev\""),
            depends("b", "null"),
        );
        let metadata: Value = serde_json::from_str(&metadata).unwrap();
        let names: Vec<String> = libraries(&metadata).unwrap().into_keys().collect();
        assert_eq!(names, ["a 1.0.0", "b 1.0.0"]);
    }
}
