//! `host-runner validate`: checks job files, and against a bench if there is one, without touching a board.

mod args;
mod json;
mod sarif;
mod text;

use std::path::Path;

use crate::board::Bench;
use crate::cli::message::{Failure, note};
use crate::cli::output;
use crate::cli::run::{find_bench_if_any, load_bench, make_plan, unread_job};
use crate::diagnostic::{Diagnostic, Diagnostics, Source};
use crate::fault::{Class, Fault};
use crate::job::Job;
use crate::plan::{NodeOutline, Plan, outline};
use crate::run::absent_files;

use args::ValidateFormat;
pub(super) use args::{EXAMPLES, ValidateArgs};

/// Checks every file and tells all that is wrong with all of them; the first one's fault decides the exit code.
pub(super) fn validate(args: &ValidateArgs) -> Result<Option<Class>, Failure> {
    if args.no_bench && args.bench.is_on_command_line() {
        let fault = Fault::new(Class::Usage, "--no-bench", "`--bench` names a bench file all the same");
        return Err(fault.with_help("leave one of them out").into());
    }
    let path = if args.no_bench { None } else { find_bench_if_any(&args.bench) };
    if args.format == ValidateFormat::Text && !args.no_bench {
        note(&match &path {
            Some(path) => format!("checked for the bench file `{}`", path.display()),
            None => "no bench file: the jobs are checked alone".to_owned(),
        });
    }
    match path.as_deref().map(load_bench).transpose() {
        Ok(bench) => tell(args, args.jobs.iter().map(|path| Checked::of(path, bench.as_ref()))),
        // Programs are told of a bench file's problems as of those of jobs.
        Err(Failure::Problems(files, class)) if args.format != ValidateFormat::Text => {
            tell(args, files.into_iter().map(|file| Checked::invalid(file, class)))
        }
        Err(failure) => Err(failure),
    }
}

/// Prints what came of the files, as it goes: a thousand are told one after the other. Only SARIF has them all in one.
fn tell(args: &ValidateArgs, files: impl Iterator<Item = Checked>) -> Result<Option<Class>, Failure> {
    let mut first = None;
    let mut checked = Vec::new();
    for file in files {
        first = first.or(file.class());
        match args.format {
            ValidateFormat::Text => text::print(&file, args)?,
            ValidateFormat::Json => print(&json::line(&file, args))?,
            ValidateFormat::Sarif => checked.push(file),
        }
    }
    if args.format == ValidateFormat::Sarif {
        print(&sarif::log(&checked))?;
    }
    Ok(first)
}

/// A job file, or a file of a bench that cannot be used, and what came of checking it.
struct Checked {
    /// Its name, as it was given.
    name: String,
    /// Its text, if it could be read.
    source: Option<Source>,
    problems: Vec<Diagnostic>,
    /// What is wrong beside the file's own problems: it cannot be read, or the bench cannot run it.
    faults: Vec<Fault>,
    job: Option<Job>,
    /// Whose fault it is if there is no job.
    invalid: Class,
    /// The bench file that the job is for, if there is one; a job with problems was not bound to it.
    bench: Option<String>,
    /// Bound to the bench, if there is one.
    plan: Option<Plan>,
}

impl Checked {
    fn of(path: &Path, bench: Option<&Bench>) -> Self {
        let name = path.display().to_string();
        let mut checked = Self {
            name,
            source: None,
            problems: Vec::new(),
            faults: Vec::new(),
            job: None,
            invalid: Class::Job,
            bench: bench.map(|bench| bench.path.display().to_string()),
            plan: None,
        };
        let source = match Source::read_argument(path) {
            Ok(source) => source,
            Err(error) => {
                checked.faults.push(unread_job(path, &error));
                return checked;
            }
        };
        match Job::parse(&source) {
            Ok(job) => {
                checked.problems.clone_from(&job.warnings);
                if let Some(bench) = bench {
                    match make_plan(&job, bench) {
                        Ok(plan) => {
                            checked.faults = absent_files(&plan, bench);
                            checked.plan = Some(plan);
                        }
                        Err(faults) => checked.faults = faults,
                    }
                }
                checked.job = Some(job);
            }
            Err(Diagnostics { problems, .. }) => checked.problems = problems,
        }
        checked.source = Some(source);
        checked
    }

    /// A file of a bench that cannot be used.
    fn invalid(file: Diagnostics, class: Class) -> Self {
        Self {
            name: file.source.name.clone(),
            source: Some(file.source),
            problems: file.problems,
            faults: Vec::new(),
            job: None,
            invalid: class,
            bench: None,
            plan: None,
        }
    }

    /// Whose fault it is that the job cannot be run, if it cannot.
    fn class(&self) -> Option<Class> {
        let invalid = self.job.is_none().then_some(self.invalid);
        self.faults.first().map(|fault| fault.class).or(invalid)
    }

    /// The nodes and their steps, with the boards that they run on where a bench was given.
    fn outline(&self) -> Vec<NodeOutline> {
        let mut nodes = self.job.as_ref().map(outline).unwrap_or_default();
        for node in &mut nodes {
            let planned = self.plan.iter().flat_map(|plan| &plan.nodes).find(|plan| plan.name == node.node);
            if let Some(planned) = planned {
                node.runs_on = planned.on().to_owned();
            }
        }
        nodes
    }
}

/// Prints `text`.
fn print(text: &str) -> Result<(), Failure> {
    output::print(|out| out.write_all(text.as_bytes())).map(|_| ())
}
