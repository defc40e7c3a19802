//! What the pages say of the program, and where their links lead.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::pages::{pages, repository};

#[test]
fn the_messages_on_the_page_of_troubles_are_those_of_the_program() {
    let page = fs::read_to_string(repository().join("docs/troubleshooting.md")).expect("a page");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(headings.len() >= 10, "{headings:?}");
    let sources = sources(&repository().join("host/src"));
    // What a wait was for is a text of its own, behind `no`.
    let is_of_program = |heading: &&&str| {
        sources.contains(**heading)
            || heading.strip_prefix("no ").is_some_and(|awaited| sources.contains(&format!("{awaited} ")))
    };
    let missing: Vec<_> = headings.iter().filter(|heading| !is_of_program(heading)).collect();
    assert!(missing.is_empty(), "no message of the program has {missing:?}");
}

/// All Rust sources below a directory that are no tests, as one text.
fn sources(directory: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(directory).expect("a directory of the repository") {
        let path = entry.expect("an entry").path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            text += &sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).expect("a source");
        }
    }
    text
}

#[test]
fn the_guide_leads_to_every_page() {
    let guide = fs::read_to_string(repository().join("docs/README.md")).expect("a page");
    let missing: Vec<String> = pages()
        .into_iter()
        .filter_map(|page| Some(page.strip_prefix("docs/")?.to_owned()))
        .filter(|page| page != "README.md" && (!page.starts_with("errors/") || page == "errors/README.md"))
        .filter(|page| !guide.contains(&format!("]({page})")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// A link of Markdown within the repository: to a page, to a heading of one, or to one of its own page's.
static LINK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\]\(([^)\s#]*)(?:#([^)\s]*))?\)").expect("a pattern"));

/// The text of a page without what is shown as text of a program or file.
fn prose(page: &str) -> String {
    let text = fs::read_to_string(repository().join(page)).expect("a page of the repository");
    let mut is_shown = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_shown ^= is_fence;
        !is_shown && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The anchors of a page's headings, as GitHub makes them: of several that are alike the later ones have a number.
fn anchors(page: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut anchors = BTreeSet::new();
    for line in prose(page).lines() {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        // Of a link its text alone is shown.
        let title = LINK.replace_all(title.trim(), "]");
        let kept = title
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_ ".contains(*c))
            .collect::<String>();
        let anchor = kept.replace(' ', "-");
        let before = seen.entry(anchor.clone()).or_default();
        anchors.insert(if *before == 0 { anchor } else { format!("{anchor}-{before}") });
        *before += 1;
    }
    anchors
}

#[test]
fn every_link_leads_to_a_page_and_a_heading_that_are_there() {
    let (mut dead, mut count) = (Vec::new(), 0);
    for page in pages() {
        let text = prose(&page);
        for link in LINK.captures_iter(&text) {
            let (to, anchor) =
                (link.get(1).map_or("", |to| to.as_str()), link.get(2).map(|anchor| anchor.as_str()));
            if to.contains("://") {
                continue;
            }
            count += 1;
            let beside = Path::new(&page).parent().unwrap_or(Path::new("")).join(to);
            let target = if to.is_empty() { page.clone() } else { beside.display().to_string() };
            let is_there = repository().join(&target).exists();
            let is_heading = anchor.is_none_or(|anchor| is_there && anchors(&target).contains(anchor));
            if !is_there || !is_heading {
                dead.push(format!("{page}: {}", link.get(0).map_or("", |link| link.as_str())));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(count > 200, "{count} links were looked at");
}
