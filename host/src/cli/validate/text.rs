//! `validate` for people.

use std::fmt::Write as _;

use super::{Checked, ValidateArgs};
use crate::cli::message::{Failure, note, print_failure, print_warnings};
use crate::diagnostic::Diagnostics;
use crate::fault::Class;
use crate::plan::NodeOutline;

/// Prints what came of checking a file: problems on standard error, the verdict on standard output if it is good.
pub(super) fn print(file: &Checked, args: &ValidateArgs) -> Result<(), Failure> {
    match (&file.source, &file.job) {
        (Some(source), Some(_)) => print_warnings(source, &file.problems),
        (Some(source), None) => {
            let problems = Diagnostics { source: source.clone(), problems: file.problems.clone() };
            print_failure(&Failure::Problems(vec![problems], Class::Job));
            if let Some(bench) = &file.bench {
                note(&format!("whether `{bench}` has boards for it is told once it has no problems"));
            }
        }
        (None, _) => {}
    }
    if !file.faults.is_empty() {
        print_failure(&Failure::Faults(file.faults.clone()));
    }
    if file.class().is_none() { super::print(&verdict(file, args)) } else { Ok(()) }
}

fn verdict(file: &Checked, args: &ValidateArgs) -> String {
    let Some(job) = &file.job else { return String::new() };
    // A bench file that is only found tells nothing that was not asked for.
    let is_long = args.plan || args.bench.bench.is_some();
    let mut text = format!("{}: job `{}` is valid", file.name, job.name);
    if is_long {
        let _ = write!(text, ", {} s at most", job.timeout.time.as_secs());
    }
    text.push('\n');
    if !job.recorded.is_empty() {
        let keys: Vec<_> = job.recorded.iter().map(|key| format!("`{}`", key.value)).collect();
        let _ = writeln!(text, "  recorded, not used: {}", keys.join(", "));
    }
    if is_long {
        for node in file.outline() {
            describe(&mut text, &node, args.plan);
        }
    }
    text
}

/// A node, a line per step, and with `details` what each step works with.
fn describe(text: &mut String, node: &NodeOutline, details: bool) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {} (role {}) on {}", node.node, node.role, node.runs_on);
    for step in &node.steps {
        let attempts =
            if step.attempts > 1 { format!(", {} attempts", step.attempts) } else { String::new() };
        let namespace = step.namespace.as_ref().map(|name| format!(", namespace {name}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "    {:<20} {:>6} s  {}{attempts}{namespace}",
            step.phase, step.timeout_s, step.place
        );
        for line in step.details.iter().filter(|_| details) {
            let _ = writeln!(text, "        {line}");
        }
    }
}
