//! LAVA's Jinja2 templates, rendered within bounds: a budget of work and memory, and files of the given directories alone.

use std::error::Error as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind};

use crate::diagnostic::{Code, Diagnostic, MAX_FILE_BYTES, ReadError, Source, Span};

/// Work and memory that a template may take, in minijinja's units: instructions, or 64 bytes. LAVA's own need about 2000.
const FUEL: u64 = 200_000;
/// Deepest nesting of includes, blocks and macros.
const MAX_DEPTH: usize = 100;
/// Most files that one device may be made of.
const MAX_TEMPLATES: usize = 50;

/// What is wrong with a template, and in which file.
pub(super) type Problem = (Source, Box<Diagnostic>);

/// Where templates are.
pub(super) enum Templates<'d> {
    /// In directories; the first that has one wins.
    In(&'d [PathBuf]),
    /// Nowhere: each counts as empty, so that the device's own file is run alone.
    Nowhere,
}

/// Renders the template of `source`.
///
/// # Errors
/// It is no template, or names one that is not there, or asks for more than it may have.
pub(super) fn render(source: &Source, directories: &[PathBuf]) -> Result<Source, Box<Problem>> {
    let text = run(source, &Templates::In(directories), |captured| captured.output().to_owned())?;
    if text.len() as u64 > MAX_FILE_BYTES {
        let message = format!("the template gives more than {MAX_FILE_BYTES} bytes");
        let problem = Diagnostic::error(Code::ImportTemplate, Span::default(), message);
        return Err(Box::new((source.clone(), Box::new(problem))));
    }
    Ok(Source::new(format!("{} (rendered)", source.name), text))
}

/// Runs the template of `source`, and looks at what came out.
pub(super) fn run<T>(
    source: &Source,
    templates: &Templates<'_>,
    look: impl FnOnce(&minijinja::Captured<'_>) -> T,
) -> Result<T, Box<Problem>> {
    let loaded = Arc::new(Mutex::new(vec![source.clone()]));
    let environment = environment(templates, &loaded);
    let captured = environment
        .template_from_named_str(&source.name, &source.text)
        .and_then(|template| template.render_captured(()));
    match captured {
        Ok(captured) => Ok(look(&captured)),
        Err(error) => {
            let loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
            Err(Box::new(problem(&error, &loaded)))
        }
    }
}

/// The environment in which LAVA renders, as far as its templates show: blocks' newlines are trimmed, values are not
/// escaped, and Python's methods are there.
fn environment(templates: &Templates<'_>, loaded: &Arc<Mutex<Vec<Source>>>) -> Environment<'static> {
    let mut environment = Environment::new();
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).build() {
        environment.set_syntax(syntax);
    }
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_DEPTH);
    // Without it errors have no columns.
    environment.set_debug(true);
    let directories = match templates {
        Templates::In(directories) => Some(directories.to_vec()),
        Templates::Nowhere => None,
    };
    let loaded = Arc::clone(loaded);
    environment.set_loader(move |name| {
        let Some(directories) = &directories else { return Ok(Some(String::new())) };
        let mut loaded = loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if loaded.len() > MAX_TEMPLATES {
            let message = format!("more than {MAX_TEMPLATES} templates belong to one device");
            return Err(Error::new(ErrorKind::InvalidOperation, message));
        }
        let source = load(directories, name)?;
        let text = source.as_ref().map(|source| source.text.to_string());
        loaded.extend(source.map(|source| Source::new(name, source.text)));
        Ok(text)
    });
    environment
}

/// The template called `name` of the first directory that has it.
fn load(directories: &[PathBuf], name: &str) -> Result<Option<Source>, Error> {
    let refuse = |message: String| Error::new(ErrorKind::InvalidOperation, message);
    let is_plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    if !is_plain || name.is_empty() {
        return Err(refuse(format!("`{name}` is not below the directory of the templates")));
    }
    let roots: Vec<_> = directories.iter().filter_map(|directory| directory.canonicalize().ok()).collect();
    for directory in directories {
        let path = directory.join(name);
        let Ok(real) = path.canonicalize() else { continue };
        // Links are followed, but not out of the directories.
        if !roots.iter().any(|root| real.starts_with(root)) {
            return Err(refuse(format!(
                "`{}` leads out of the directories of the templates",
                path.display()
            )));
        }
        let read = Source::read(&real);
        return read.map(Some).map_err(|error: ReadError| refuse(crate::fault::Chain(&error).to_string()));
    }
    Ok(None)
}

/// The innermost error, at its place in the file that it is in.
fn problem(error: &Error, loaded: &[Source]) -> Problem {
    let mut innermost = error;
    while let Some(cause) = innermost.source().and_then(|cause| cause.downcast_ref::<Error>()) {
        innermost = cause;
    }
    // Errors of the loader have no place: that of what asked for the template is the next best.
    let placed = if innermost.name().is_some() { innermost } else { error };
    let source = placed.name().and_then(|name| loaded.iter().find(|source| source.name == name));
    let source = source.or(loaded.first()).cloned().unwrap_or_else(|| Source::new("template", ""));
    let line = placed.line().unwrap_or(1).saturating_sub(1);
    let line_start = source.text.split_inclusive('\n').take(line).map(str::len).sum();
    let range = placed.range().unwrap_or(line_start..line_start);
    let span = Span { offset: range.start, len: range.len() };
    let kind = innermost.kind().to_string();
    let message = innermost.detail().map_or(kind.clone(), |detail| match innermost.kind() {
        ErrorKind::TemplateNotFound | ErrorKind::InvalidOperation => detail.to_owned(),
        _ => format!("{kind}: {detail}"),
    });
    let help = match innermost.kind() {
        ErrorKind::OutOfFuel => {
            Some("the template does more than any of LAVA's; is there a loop in it?".to_owned())
        }
        ErrorKind::TemplateNotFound => Some(
            "--templates may be given several times; the first directory that has a template wins".to_owned(),
        ),
        _ => None,
    };
    (source, Box::new(Diagnostic::error(Code::ImportTemplate, span, message).with_optional_help(help)))
}
