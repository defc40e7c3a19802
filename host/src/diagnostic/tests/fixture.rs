//! Files that have exactly one problem each, and a mark at its place.
//!
//! A file is named after the code of its problem, with the face of the problem behind it where there are several:
//! `CODE.yaml`, `CODE-FACE.yaml`, `CODE.toml`. The mark is a comment in the line below the place, with a `^` under its
//! column: `#    ^ here`; for the first column, `#< here`. It is taken out before the file is read.

use std::path::{Path, PathBuf};
use std::{fs, io};

use crate::board::{Bench, BenchError};
use crate::cli::problems::render_problems;
use crate::diagnostic::{Code, Diagnostic, Source};
use crate::job::Job;

/// The directories with the files.
const DIRECTORIES: [&str; 2] = ["jobs/bad", "benches/bad"];

/// The codes of job, bench and board type files. Those of what is imported are shown by the tests of `import`.
pub(super) fn of_our_files() -> impl Iterator<Item = Code> {
    Code::ALL.iter().copied().filter(|code| !code.name().starts_with("import-"))
}

/// A file with one problem.
pub(super) struct Fixture {
    /// Its name without the extension.
    pub(super) name: String,
    /// The code that its name begins with.
    pub(super) code: Code,
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its text without the mark, under the name that users see.
    source: Source,
    /// Line and column of the mark.
    pub(super) place: (usize, usize),
}

impl Fixture {
    /// All of them, by their names.
    pub(super) fn all() -> Vec<Self> {
        let mut all: Vec<_> =
            files().iter().filter(|path| extension(path) != "snap").map(|path| Self::read(path)).collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        all
    }

    /// The first one of `code`.
    pub(super) fn of(code: Code) -> Option<Self> {
        Self::all().into_iter().find(|fixture| fixture.code == code)
    }

    fn read(path: &Path) -> Self {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let shown = match extension(path).as_str() {
            "yaml" => "job.yaml",
            "toml" => "bench.toml",
            other => panic!("{}: what is a `.{other}`?", path.display()),
        };
        let code = Code::ALL.iter().copied().filter(|code| belongs(&name, *code));
        let code = code.max_by_key(|code| code.name().len());
        let code = code.unwrap_or_else(|| panic!("{}: no code has this name", path.display()));
        let (mut text, mut place) = (String::new(), None);
        for (index, line) in fs::read_to_string(path).unwrap().split_inclusive('\n').enumerate() {
            match mark(line) {
                Some(column) => {
                    assert_eq!(place.replace((index, column)), None, "{}: two marks", path.display())
                }
                None => text.push_str(line),
            }
        }
        let place = place.unwrap_or_else(|| panic!("{}: no mark", path.display()));
        Self { name, code, path: path.to_owned(), source: Source::new(shown, text), place }
    }

    /// The problems that it is found to have.
    pub(super) fn problems(&self) -> Vec<Diagnostic> {
        if self.source.name == "job.yaml" {
            return Job::parse(&self.source).map_or_else(|bad| bad.problems, |job| job.warnings);
        }
        match Bench::parse(&self.source, Path::new("")) {
            Ok(_) => Vec::new(),
            Err(BenchError::Invalid(files)) => files.into_iter().flat_map(|file| file.problems).collect(),
            Err(error) => panic!("{}: {error}", self.path.display()),
        }
    }

    /// Line and column of a problem.
    pub(super) fn place_of(&self, problem: &Diagnostic) -> (usize, usize) {
        self.source.line_column(problem.span())
    }

    /// What is shown to the user.
    pub(super) fn shown(&self) -> String {
        let text = render_problems(&self.source, &self.problems(), false);
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    }
}

/// The column of a mark; `None` if `line` is none.
fn mark(line: &str) -> Option<usize> {
    let comment = line.strip_prefix('#')?.strip_suffix(" here\n")?;
    match comment.trim_start() {
        "^" => Some(comment.len() + 1),
        "<" => Some(1),
        _ => None,
    }
}

fn belongs(name: &str, code: Code) -> bool {
    name.strip_prefix(code.name()).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().into_owned()
}

/// All files of the directories, the snapshots of messages with them.
pub(super) fn files() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures"));
    let entries = DIRECTORIES.iter().flat_map(|directory| fs::read_dir(root.join(directory)).unwrap());
    let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
    paths.unwrap()
}
