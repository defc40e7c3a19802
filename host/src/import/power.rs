//! Power commands, as both LAVA and labgrid write them: lines that are split into words as a shell would, without one.

use crate::import::keys::Item;

/// Signs that only a shell gives a meaning.
const SHELL_SIGNS: [&str; 7] = ["|", "||", "&&", "&", ";", ">", "<"];

/// The commands in `item`, a line or a list of lines.
///
/// # Errors
/// Why they are none.
pub(super) fn commands(item: &Item<'_>) -> Result<Vec<Vec<String>>, &'static str> {
    let lines = item.texts().ok_or("it is neither a command nor a list of commands")?;
    let commands = lines.iter().filter(|line| !line.trim().is_empty()).map(|line| shlex::split(line));
    let commands: Option<Vec<_>> = commands.collect();
    let commands = commands.ok_or("a quotation mark in it has no end")?;
    if commands.is_empty() { Err("it is empty") } else { Ok(commands) }
}

/// The first word of `commands` that means something to a shell alone.
pub(super) fn shell_sign(commands: &[Vec<String>]) -> Option<&str> {
    commands.iter().flatten().map(String::as_str).find(|word| SHELL_SIGNS.contains(word))
}

#[cfg(test)]
mod tests {
    use super::{commands, shell_sign};
    use crate::diagnostic::Source;
    use crate::document::parse_yaml;
    use crate::import::keys::Keys;

    #[test]
    fn one_line_or_several_become_programs_with_arguments() {
        let read = |text: &str| {
            let source = Source::new("a.yaml", text);
            let root = parse_yaml(&source).unwrap();
            commands(&Keys::new(&source, &root).take(&["c"]).unwrap())
        };
        assert_eq!(read("c: relay 'port 3' on").unwrap(), [["relay", "port 3", "on"]]);
        assert_eq!(read("c: [relay on, hub on]").unwrap(), [["relay", "on"], ["hub", "on"]]);
        assert_eq!(read("c: \"relay 'on\"").unwrap_err(), "a quotation mark in it has no end");
        assert_eq!(read("c: ['']").unwrap_err(), "it is empty");
        assert!(read("c: {a: b}").is_err());
        let piped = read("c: echo off | nc pdu 23").unwrap();
        assert_eq!(shell_sign(&piped), Some("|"));
    }
}
