//! `host-runner validate`: checks job files, and against a bench if one is given, without touching a board.

use std::io::{self, Write as _};
use std::path::Path;

use crate::board::Bench;
use crate::cli::args::ValidateArgs;
use crate::cli::message::{Failure, print_failure, print_warnings};
use crate::cli::run::{load_bench, load_job, make_plan};
use crate::fault::{Class, Fault};
use crate::plan::Plan;

/// Checks every file and tells all that is wrong with all of them.
pub(super) fn validate(args: &ValidateArgs) -> Result<Option<Class>, Failure> {
    let bench = args.bench.as_deref().map(load_bench).transpose()?;
    let mut worst = None;
    for path in &args.jobs {
        match check(path, bench.as_ref()) {
            Ok(text) => print(&text)?,
            Err(failure) => {
                print_failure(&failure);
                worst = worst.or(Some(failure.class()));
            }
        }
    }
    Ok(worst)
}

fn check(path: &Path, bench: Option<&Bench>) -> Result<String, Failure> {
    let job = load_job(path)?;
    print_warnings(&job.source, &job.warnings);
    let plan = bench.map(|bench| make_plan(&job, bench)).transpose()?;
    Ok(match plan {
        None => format!("{}: job `{}` is valid\n", path.display(), job.name),
        Some(plan) => describe(path, &plan),
    })
}

/// The plan, a line per node and step.
fn describe(path: &Path, plan: &Plan) -> String {
    let mut text = format!(
        "{}: job `{}` is valid, {} s at most\n",
        path.display(),
        plan.job_name,
        plan.job_timeout.time.as_secs()
    );
    for node in &plan.nodes {
        text += &format!("  {} (role {}) on {}\n", node.name, node.role, node.on());
        for step in &node.steps {
            text += &format!(
                "    {:<20} {:>6} s  {}\n",
                step.phase,
                step.timeouts.total.time.as_secs(),
                step.place
            );
        }
    }
    text
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Fault::from_error(Class::Infrastructure, "standard output", &error).into())
}
