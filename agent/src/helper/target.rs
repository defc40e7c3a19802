//! `lava-target-ip`, `lava-target-mac`, `lava-target-storage`, `lava-probe-ip`, `lava-probe-channel`, `lava-echo-config`:
//! what the bench file says of the target.
//!
//! The runner's words about the target are environment variables. Definitions run by hand may not have sourced them, so
//! the file that sets them, beside the agent, is searched as well.

use heapless::String;

use crate::failure::Failure;
use crate::helper::Context;
use crate::invocation::Invocation;
use crate::path::{PathText, agent_directory};
use crate::{stdio, text_file};

/// The value of a setting.
type Value = String<1024>;

/// Bytes of a settings file that are searched.
const MAX_FILE: usize = 16 * 1024;

pub(crate) fn ip(context: &Context<'_>) -> Result<u8, Failure> {
    print(context, "LAVA_TARGET_IP")
}

pub(crate) fn mac(context: &Context<'_>) -> Result<u8, Failure> {
    print(context, "LAVA_TARGET_MAC")
}

pub(crate) fn probe_ip(context: &Context<'_>) -> Result<u8, Failure> {
    print(context, "LAVA_PROBE_IP")
}

pub(crate) fn probe_channel(context: &Context<'_>) -> Result<u8, Failure> {
    print(context, "LAVA_PROBE_CHANNEL")
}

/// Prints lines `METHOD<tab>ID`, or the id of one method; the variable holds `METHOD=ID` separated by spaces.
pub(crate) fn storage(context: &Context<'_>) -> Result<u8, Failure> {
    let storage = setting(context.invocation, "LAVA_TARGET_STORAGE").unwrap_or_default();
    if !context.arguments.is_empty() {
        return print_pair(context, &storage);
    }
    for (method, id) in storage.split_ascii_whitespace().filter_map(|device| device.split_once('=')) {
        stdio::say(stdio::stdout(), &["\t", method, "\t", id, "\n"]);
    }
    Ok(0)
}

/// Prints the settings that are shared by the group, or one of them; LAVA itself never sets any.
pub(crate) fn config(context: &Context<'_>) -> Result<u8, Failure> {
    let shared = setting(context.invocation, "LAVA_SHARED_CONFIG")
        .ok_or(Failure::Plain("there is no shared config"))?;
    if !context.arguments.is_empty() {
        return print_pair(context, &shared);
    }
    stdio::say(stdio::stdout(), &[&shared, "\n"]);
    Ok(0)
}

/// Prints the value of the key that the only argument names, among pairs separated by spaces.
fn print_pair(context: &Context<'_>, pairs: &str) -> Result<u8, Failure> {
    let [key] = context.arguments else {
        return Err(Failure::Usage("at most one name"));
    };
    let mut pairs = pairs.split_ascii_whitespace().filter_map(|pair| pair.split_once('='));
    let (_, value) =
        pairs.find(|(name, _)| name == key).ok_or(Failure::Plain("there is none of that name"))?;
    stdio::say(stdio::stdout(), &[value, "\n"]);
    Ok(0)
}

/// Returns a setting from the environment, else from the file `environment` beside the agent.
pub(crate) fn setting(invocation: &Invocation<'_>, name: &str) -> Option<Value> {
    if let Some(value) = invocation.variable(name) {
        return String::try_from(value).ok();
    }
    let directory = agent_directory(invocation)?;
    let path = PathText::join(&[directory.as_bytes(), b"/environment"])?;
    let mut buffer = [0; MAX_FILE];
    assigned(text_file::read(path.as_c_str(), &mut buffer).ok()?, name)
}

/// Prints a setting, or an empty line as LAVA does.
fn print(context: &Context<'_>, name: &str) -> Result<u8, Failure> {
    let value = setting(context.invocation, name).unwrap_or_default();
    stdio::say(stdio::stdout(), &[&value, "\n"]);
    Ok(0)
}

/// Finds the value that a file of shell assignments, `export` before them or not, gives a variable.
fn assigned(file: &str, name: &str) -> Option<Value> {
    file.lines().find_map(|line| {
        let line = line.trim_ascii_start();
        let assignment = line.strip_prefix("export ").map_or(line, str::trim_ascii_start);
        unquoted(assignment.strip_prefix(name)?.strip_prefix('=')?)
    })
}

/// Removes a shell word's quotes: single, double, and backslash.
fn unquoted(word: &str) -> Option<Value> {
    let mut text = String::new();
    let mut quote = None;
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), close) if open == close => quote = None,
            (None | Some('"'), '\\') => text.push(characters.next()?).ok()?,
            (None, blank) if blank.is_ascii_whitespace() => break,
            (_, other) => text.push(other).ok()?,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_as_a_shell_would() {
        let file = "# NAME=no\nexport NAME='two words'\nQUOTED=\"a \\\" b\"\nPLAIN=x y\nJOINED='it'\\''s'\n";
        let value = |name| assigned(file, name);
        assert_eq!(value("NAME").as_deref(), Some("two words"));
        assert_eq!(value("QUOTED").as_deref(), Some("a \" b"));
        assert_eq!(value("PLAIN").as_deref(), Some("x"));
        assert_eq!(value("JOINED").as_deref(), Some("it's"));
        assert_eq!(value("NAM"), None);
    }
}
