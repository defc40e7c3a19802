//! Test definitions. Keys that nobody knows have no effect in them.

use serde_json::{Value, json};

use super::timeout;
use crate::schema::shape::{
    Keys, any_text, anything, defined, names, one_or_list, text, text_or_nothing, values, word,
};
/// Its name among the schema's definitions.
pub(super) const NAME: &str = "test-definition";

/// A test definition.
pub(super) fn schema() -> Value {
    defined(NAME)
}

/// What it is.
pub(super) fn definition() -> Value {
    Keys::new()
        .needs("metadata", "What the definition is.", metadata())
        .may("install", "What is installed first.", install())
        .may("params", "Parameters and their usual values.", values())
        .may("parameters", "As `params`.", values())
        .may("run", "What is run.", run())
        .may("parse", "How results are found in the output.", parse())
        .may("expected", "Test cases that must report.", one_or_list(&any_text()))
        .others(anything())
        .schema()
}

fn metadata() -> Value {
    Keys::new()
        .needs("name", "Its name.", text())
        .may("format", "`Lava-Test Test Definition 1.0`.", any_text())
        .may("description", "What it does.", anything())
        .others(anything())
        .schema()
}

fn install() -> Value {
    let repository = Keys::new()
        .needs("url", "Its URL.", text())
        .may("branch", "A branch.", text())
        .may("destination", "The directory that it goes to.", text())
        .others(anything())
        .schema();
    let commands = || one_or_list(&line());
    Keys::new()
        .may("keys", "Keys of package repositories.", commands())
        .may("sources", "Package repositories.", commands())
        .may("deps", "Packages.", commands())
        .may("steps", "Commands.", commands())
        .may("git-repos", "Repositories to fetch.", one_or_list(&json!({ "anyOf": [text(), repository] })))
        .others(anything())
        .schema()
}

/// A line for a shell; an empty one does nothing.
fn line() -> Value {
    text_or_nothing()
}

fn run() -> Value {
    let step = Keys::new().needs("command", "The line for the shell.", any_text()).may(
        "timeout",
        "The time of this step, which LAVA does not know.",
        timeout::duration(),
    );
    let step = json!({ "anyOf": [line(), step.schema()] });
    Keys::new()
        .needs("steps", "Lines for a shell, run in this order.", one_or_list(&step))
        .may("timeout", "The time of all steps together, which LAVA does not know.", timeout::duration())
        .others(anything())
        .schema()
}

fn parse() -> Value {
    Keys::new()
        .may("pattern", "What a result looks like: groups `test_case_id` and `result`.", text())
        .may("fixupdict", "Words that mean a result.", fixups())
        .others(anything())
        .schema()
}

/// Words of a test for results.
pub(super) fn fixups() -> Value {
    names(&word(["pass", "fail", "skip", "unknown"]))
}
