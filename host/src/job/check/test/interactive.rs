//! `interactive` of `test` blocks: scripts that are typed on a connection.

use std::time::Duration;

use super::{named_list, test_name};
use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::{Fields, Node, Reader, Value};
use crate::fault::Class;
use crate::job::model::{
    GroupRequest, InteractiveAction, InteractiveCommand, InteractiveFailure, InteractiveScript,
    InteractiveStep,
};
use crate::job::placeholder::{PLACEHOLDERS, unknown};

/// Longest `delay`, in seconds.
pub(crate) const MAX_DELAY: u32 = 24 * 3600;

/// LAVA's names for whose fault a failure is.
const EXCEPTIONS: [(&str, Class); 3] =
    [("InfrastructureError", Class::Infrastructure), ("JobError", Class::Job), ("TestError", Class::Test)];

/// Reads `interactive`.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<InteractiveScript>> {
    named_list(reader, node, "interactive", |reader, item, _| script(reader, item), |script| &script.name)
}

fn script(reader: &mut Reader<'_>, node: &Node) -> Option<InteractiveScript> {
    let fields = reader.fields(node, "interactive")?;
    let name = fields.require(reader, "name").and_then(|node| test_name(reader, node, "script"));
    let prompts = fields.require(reader, "prompts");
    let prompts = prompts.map(|node| reader.list(node, |reader, item| reader.regex(item, "prompts")));
    let echo = fields.get("echo").and_then(|node| reader.choice(node, "echo", &[("discard", ())]));
    let expected = fields.get("expected").map(|node| reader.strings(node, "expected"));
    let steps = fields.require(reader, "script").and_then(|node| steps(reader, node));
    fields.finish(reader);
    let prompts = prompts?;
    if prompts.is_empty() && fields.get("prompts").is_some_and(is_empty) {
        let span = fields.key_span("prompts").unwrap_or(fields.span);
        reader.report(Diagnostic::error(Code::EmptyValue, span, "`prompts` is empty"));
    }
    Some(InteractiveScript { name: name?, prompts, discard_echo: echo.is_some(), expected, steps: steps? })
}

fn is_empty(node: &Node) -> bool {
    matches!(&node.value, Value::Sequence(items) if items.is_empty())
}

fn steps(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<InteractiveStep>> {
    let Value::Sequence(items) = &node.value else {
        let problem = reader.wrong_type(node, "script", "a list");
        reader.report(problem.with_help("begin each step with `- command:`"));
        return None;
    };
    if items.is_empty() {
        reader.report(Diagnostic::error(Code::EmptyValue, node.span, "`script` is empty"));
    }
    Some(items.iter().filter_map(|item| step(reader, item)).collect())
}

fn step(reader: &mut Reader<'_>, node: &Node) -> Option<InteractiveStep> {
    let fields = reader.fields(node, "script")?;
    let name = fields.get("name").and_then(|node| test_name(reader, node, "test case"));
    let action = action(reader, &fields);
    fields.finish(reader);
    Some(InteractiveStep { name, action: action?, place: reader.place(node.span), span: node.span })
}

/// What the step does: exactly one of `command`, `delay` and the requests.
fn action(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<InteractiveAction> {
    const KEYS: [&str; 6] = ["command", "delay", "lava-send", "lava-wait", "lava-wait-all", "lava-sync"];
    let of_command = ["successes", "failures", "wait_for_prompt"];
    let mut given = KEYS.into_iter().filter(|key| fields.get_or_null(key).is_some());
    let first = match (given.next(), given.next()) {
        (Some(first), Some(second)) => {
            let span = fields.key_span(second).unwrap_or(fields.span);
            let message = format!("`{first}` and `{second}` of one step exclude each other");
            let problem = Diagnostic::error(Code::ExclusiveKeys, span, message);
            reader.report(problem.with_help("write a step for each"));
            fields.accept(&of_command);
            return None;
        }
        (Some(first), None) => first,
        _ => {
            let help = "a step has `command`, `delay`, or a request such as `lava-wait`";
            let misspelt = fields.require_one_of(reader, &KEYS, help);
            if misspelt.is_none() {
                fields.accept(&of_command);
            }
            misspelt?
        }
    };
    if let Some(&(key, request)) = GroupRequest::NAMES.iter().find(|(key, _)| *key == first) {
        let node = fields.require(reader, key)?;
        let words = reader.non_empty(node, key)?;
        check_words(reader, node, request, &words);
        return Some(InteractiveAction::Group { request, words });
    }
    if first == "delay" {
        let node = fields.require(reader, "delay")?;
        let seconds = reader.integer(node, "delay", 0, MAX_DELAY)?;
        return Some(InteractiveAction::Delay(Duration::from_secs(seconds.into())));
    }
    // Without a value nothing is typed.
    let text = fields.get_misspelt(reader, "command").map(|node| command(reader, node));
    let successes = fields.get("successes").map(|node| reader.list(node, success)).unwrap_or_default();
    let failures = fields.get("failures").map(|node| reader.list(node, failure)).unwrap_or_default();
    let wait = fields.get("wait_for_prompt").and_then(|node| reader.boolean(node, "wait_for_prompt"));
    let text = match text {
        Some(text) => Some(text?),
        None => None,
    };
    let wait_for_prompt = wait.unwrap_or(true);
    Some(InteractiveAction::Command(InteractiveCommand { text, successes, failures, wait_for_prompt }))
}

/// What is typed. A name in brackets may be that of a group of an earlier step; one that looks like LAVA's own is none.
fn command(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "command")?;
    for name in unknown(&text) {
        if let Some(near) =
            did_you_mean(name, PLACEHOLDERS.into_iter().chain(["JOB_ID"])).filter(|_| name != "JOB_ID")
        {
            let message = format!("nothing replaces `{{{name}}}` in this command");
            reader.report(Diagnostic::warning(Code::UnknownPlaceholder, node.span, message).with_help(near));
        }
    }
    Some(text)
}

fn success(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let fields = reader.fields(node, "successes")?;
    let message = fields.require(reader, "message").and_then(|node| reader.regex(node, "message"));
    fields.finish(reader);
    message
}

fn failure(reader: &mut Reader<'_>, node: &Node) -> Option<InteractiveFailure> {
    let fields = reader.fields(node, "failures")?;
    let message = fields.require(reader, "message").and_then(|node| reader.regex(node, "message"));
    let exception = fields.get_misspelt(reader, "exception");
    let class = exception.and_then(|node| reader.choice(node, "exception", &EXCEPTIONS));
    let error = fields.get("error").and_then(|node| reader.non_empty(node, "error"));
    if exception.is_none() && !fields.is_written("exception") && error.is_some() {
        let span = fields.key_span("error").unwrap_or(fields.span);
        let message = "`error` without `exception` has no effect";
        reader.report(Diagnostic::warning(Code::IgnoredKey, span, message));
    }
    fields.finish(reader);
    Some(InteractiveFailure { message: message?, class, error })
}

/// `id key=value …` for `lava-send`, `id [role=ROLE]` for `lava-wait-all`, `id` for the others.
fn check_words(reader: &mut Reader<'_>, node: &Node, request: GroupRequest, words: &str) {
    let rest: Vec<&str> = words.split_whitespace().skip(1).collect();
    let problem = match request {
        GroupRequest::Send => rest
            .iter()
            .find(|word| !word.contains('='))
            .map(|word| format!("`{word}` is no value: write `key=value`")),
        GroupRequest::WaitAll if rest.len() > 1 || rest.iter().any(|word| !word.starts_with("role=")) => {
            Some("only `role=ROLE` can stand behind the message of `lava-wait-all`".to_owned())
        }
        GroupRequest::Wait | GroupRequest::Sync if !rest.is_empty() => {
            Some("a message is one word, and nothing can stand behind it".to_owned())
        }
        _ => None,
    };
    if let Some(message) = problem {
        reader.report(Diagnostic::error(Code::InvalidRequest, node.span, message));
    }
}
