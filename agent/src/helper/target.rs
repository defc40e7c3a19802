//! `lava-target-ip`, `lava-target-mac`, `lava-target-storage`, `lava-echo-config`, `lava-os-build`: what the bench file
//! and the root filesystem say of the target.
//!
//! The runner's words about the target are environment variables. Definitions run by hand may not have sourced them, so
//! the file that sets them, beside the agent, is searched as well.

use heapless::String;

use crate::failure::Failure;
use crate::helper::Context;
use crate::invocation::Invocation;
use crate::path::PathText;
use crate::socket::SOCKET_VARIABLE;
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

/// Prints lines `METHOD<tab>ID`; the variable holds `METHOD=ID` separated by spaces.
pub(crate) fn storage(context: &Context<'_>) -> Result<u8, Failure> {
    let wanted = match context.arguments {
        [] => None,
        [method] => Some(*method),
        _ => return Err(Failure::Usage("at most one method")),
    };
    let storage = setting(context.invocation, "LAVA_TARGET_STORAGE").unwrap_or_default();
    let mut found = false;
    for (method, id) in storage.split_ascii_whitespace().filter_map(|device| device.split_once('=')) {
        match wanted {
            None => stdio::say(stdio::stdout(), &["\t", method, "\t", id, "\n"]),
            Some(wanted) if wanted == method => stdio::say(stdio::stdout(), &[id, "\n"]),
            Some(_) => continue,
        }
        found = true;
    }
    if found || wanted.is_none() {
        Ok(0)
    } else {
        Err(Failure::Plain("the target has no storage of that kind"))
    }
}

/// Prints the settings that are shared by the group, or one of them; LAVA itself never sets any.
pub(crate) fn config(context: &Context<'_>) -> Result<u8, Failure> {
    let shared = setting(context.invocation, "LAVA_SHARED_CONFIG")
        .ok_or(Failure::Plain("there is no shared config"))?;
    match context.arguments {
        [] => stdio::say(stdio::stdout(), &[&shared, "\n"]),
        [key] => {
            let value = shared
                .split_ascii_whitespace()
                .find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
                .ok_or(Failure::Plain("the shared config has no such key"))?;
            stdio::say(stdio::stdout(), &[value, "\n"]);
        }
        _ => return Err(Failure::Usage("at most one key")),
    }
    Ok(0)
}

pub(crate) fn os_build(_context: &Context<'_>) -> Result<u8, Failure> {
    let mut buffer = [0; MAX_FILE];
    for path in [c"/etc/os-release", c"/usr/lib/os-release"] {
        let release = text_file::read(path, &mut buffer).unwrap_or_default();
        if let Some(name) = assigned(release, "PRETTY_NAME") {
            stdio::say(stdio::stdout(), &[&name, "\n"]);
            return Ok(0);
        }
    }
    let issue = text_file::read(c"/etc/issue", &mut buffer).ok().and_then(|issue| issue.lines().next());
    stdio::say(stdio::stdout(), &[issue.unwrap_or("unknown"), "\n"]);
    Ok(0)
}

/// Returns a setting from the environment, else from the file `environment` beside the agent.
pub(crate) fn setting(invocation: &Invocation<'_>, name: &str) -> Option<Value> {
    if let Some(value) = invocation.variable(name) {
        return String::try_from(value).ok();
    }
    let (directory, _) = invocation.variable(SOCKET_VARIABLE)?.rsplit_once('/')?;
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
