//! `test` blocks.

use serde_json::Value;

use super::{block, deploy, group, testdef, timeout};
use crate::job::check::test::definitions::MAX_STRIP;
use crate::job::check::test::interactive::MAX_DELAY;
use crate::job::part::Owner;
use crate::schema::shape::{
    Keys, any_text, boolean, described, integer, list, one_of, one_or_list, some, text, text_or_nothing,
    values, word,
};

pub(super) fn schema() -> Value {
    one_of([shell(), interactive(), monitors()])
}

fn common(owner: Owner) -> Keys {
    block::common(Keys::new(), owner)
        .may("name", "A name for those who read the job.", any_text())
        .idle(&["connection"], "It has no effect here.")
}

fn shell() -> Value {
    let definitions = some(&one_of([inline(), git(), url(), directory()]));
    common(Owner::Test).needs("definitions", "Test definitions, run in this order.", definitions).schema()
}

/// The keys that definitions from everywhere have.
fn definition(from: &'static str, about: &str, repository: &str, value: Value) -> Keys {
    let parts = word(["keys", "sources", "deps", "steps", "git-repos", "all"]);
    Keys::new()
        .is("from", from, about)
        .needs("repository", repository, value)
        .needs("path", "The definition's file in it.", text())
        .needs("name", "A name of its own: letters, digits, `-`, `_` and `.`.", text())
        .may("params", "Values of the definition's parameters.", values())
        .may("parameters", "As `params`, which it wins over.", values())
        .may("skip_install", "Parts of `install` that are left out.", one_or_list(&parts))
        .may("expected", "Test cases that must report.", one_or_list(&any_text()))
        .may("timeout", "The time of this definition, which LAVA does not know.", timeout::duration())
        .idle(&["lava-signal"], "Results travel in frames of their own.")
}

fn inline() -> Value {
    definition("inline", "Written here.", "The definition.", testdef::schema()).schema()
}

fn git() -> Value {
    definition("git", "From a git repository.", "Its URL.", text())
        .may("branch", "A branch.", text())
        .may("revision", "A commit.", text())
        .may("recursive", "Whether its submodules are fetched.", boolean())
        .idle(&["history", "shallow"], "It has no effect here.")
        .schema()
}

fn url() -> Value {
    definition("url", "From a tar.", "Its URL.", deploy::url())
        .may("compression", "How it is compressed.", deploy::compression())
        .may(
            "headers",
            "Headers for the server; a value may be the name of a token of the bench.",
            deploy::headers(),
        )
        .may("strip-components", "Leading parts of names that are left out.", integer(0, MAX_STRIP))
        .schema()
}

fn directory() -> Value {
    let about = "From a directory of this PC, which LAVA does not know.";
    definition("directory", about, "Its path, relative to the job file.", text()).schema()
}

fn interactive() -> Value {
    let script = Keys::new()
        .needs("name", "A name of its own.", text())
        .needs("prompts", "What ends an answer: regular expressions.", some(&text()))
        .needs("script", "The steps.", some(&step()))
        .may("echo", "Whether what is typed is looked for in the answers.", word(["discard"]))
        .may("expected", "Test cases that must report.", one_or_list(&any_text()));
    let scripts = some(&script.schema());
    common(Owner::Interactive).needs("interactive", "Scripts that are typed.", scripts).schema()
}

fn step() -> Value {
    let success = Keys::new().needs("message", "A regular expression.", text());
    let failure = Keys::new()
        .needs("message", "A regular expression.", text())
        .may(
            "exception",
            "Ends the job with this kind of error.",
            word(["InfrastructureError", "JobError", "TestError"]),
        )
        .may("error", "What it says.", text());
    let keys = Keys::new()
        .may("name", "The test case that the step reports.", text())
        .may("command", "What is typed; nothing if it is empty.", text_or_nothing())
        .may("delay", "Seconds to wait.", integer(0, MAX_DELAY))
        .may("successes", "Answers that mean success.", list(&success.schema()))
        .may("failures", "Answers that mean failure.", list(&failure.schema()))
        .may("wait_for_prompt", "Whether a prompt ends the step.", boolean());
    group::request(keys)
        .needs_one_of(&["command", "delay", "lava-send", "lava-wait", "lava-wait-all", "lava-sync"])
        .schema()
}

fn monitors() -> Value {
    let monitor = Keys::new()
        .needs("name", "A name of its own.", text())
        .needs("start", "What the results begin after: a regular expression.", text())
        .needs("end", "What ends them: a regular expression.", text())
        .needs("pattern", "What a result looks like: groups `test_case_id` and `result`.", text())
        .may("fixupdict", "Words that mean a result.", testdef::fixups())
        .may("expected", "Test cases that must report.", one_or_list(&any_text()));
    let monitors = some(&described("What is listened for.", monitor.schema()));
    common(Owner::Monitors).needs("monitors", "Results that are only listened for.", monitors).schema()
}
