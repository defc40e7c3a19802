//! `host-runner explain CODE`: what a problem of a file means, and how it is mended.

use std::fmt::Write as _;

use crate::cli::args::ExplainArgs;
use crate::cli::message::Failure;
use crate::cli::output::print;
use crate::diagnostic::{Code, did_you_mean};
use crate::fault::{Class, Fault};

/// Prints the page of a code, or the list of all.
pub(super) fn explain(args: &ExplainArgs) -> Result<Option<Class>, Failure> {
    let text = match &args.code {
        Some(name) => page(name)?,
        None => list(),
    };
    print(|out| out.write_all(text.as_bytes()))
}

fn page(name: &str) -> Result<String, Fault> {
    let code = Code::from_name(name).ok_or_else(|| {
        let help = did_you_mean(name, Code::ALL.iter().map(|code| code.name()))
            .unwrap_or_else(|| "`host-runner explain` lists all codes".to_owned());
        Fault::new(Class::Usage, "explain", format!("there is no code `{name}`")).with_help(help)
    })?;
    Ok(code.page().to_owned())
}

fn list() -> String {
    let width = Code::ALL.iter().map(|code| code.name().len()).max().unwrap_or(0);
    let mut text = String::new();
    for code in Code::ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{code:width$}  {}", code.summary());
    }
    text
}
