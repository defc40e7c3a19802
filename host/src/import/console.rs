//! Consoles: commands that connect to one, as targets of a bench file.

use toml_edit::Value;

use crate::import::draft;

/// A console as a bench file writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Console {
    /// A device, or a URL such as `telnet://host:2000`.
    Line(String),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// Programs that want a terminal, and are of little use as a console of pipes.
const WANT_TERMINAL: [&str; 4] = ["cu", "minicom", "screen", "tmux"];

impl Console {
    /// The console behind a command such as `telnet host 2000`; `None` if it is no command.
    pub(super) fn of_command(command: &str) -> Option<Self> {
        let words = shlex::split(command).filter(|words| !words.is_empty())?;
        let name = words.first().and_then(|program| program.rsplit('/').next()).unwrap_or_default();
        let scheme = match name {
            "telnet" => "telnet",
            "nc" | "ncat" | "netcat" => "tcp",
            _ => return Some(Self::Command(words)),
        };
        // Of telnet's options, those without a value say how the terminal behaves, which there is none of.
        let is_flag = |word: &&String| name == "telnet" && matches!(word.as_str(), "-8" | "-E" | "-K" | "-L");
        let arguments: Vec<_> = words.iter().skip(1).filter(|word| !is_flag(word)).collect();
        match arguments.as_slice() {
            [host, port] if !host.starts_with('-') && port.parse::<u16>().is_ok_and(|port| port != 0) => {
                Some(Self::Line(url(scheme, host, port)))
            }
            [host] if name == "telnet" && !host.starts_with('-') => Some(Self::Line(url(scheme, host, "23"))),
            _ => Some(Self::Command(words)),
        }
    }

    /// The program, if it is one that wants a terminal.
    pub(super) fn wants_terminal(&self) -> Option<&str> {
        let Self::Command(words) = self else { return None };
        let name = words.first()?.rsplit('/').next()?;
        WANT_TERMINAL.contains(&name).then_some(name)
    }

    /// As TOML.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Line(text) => text.into(),
            Self::Command(words) => draft::list(words, false),
        }
    }
}

/// `scheme://host:port`, with brackets around an IPv6 address.
pub(super) fn url(scheme: &str, host: &str, port: &str) -> String {
    if host.contains(':') {
        format!("{scheme}://[{host}]:{port}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::Console;

    #[test]
    fn network_consoles_become_urls_and_others_stay_commands() {
        let line = |command: &str| match Console::of_command(command).unwrap() {
            Console::Line(text) => text,
            Console::Command(words) => words.join("|"),
        };
        assert_eq!(line("telnet ser1 7001"), "telnet://ser1:7001");
        assert_eq!(line("/usr/bin/telnet -E fe80::1 7001"), "telnet://[fe80::1]:7001");
        assert_eq!(line("telnet ser1"), "telnet://ser1:23");
        assert_eq!(line("nc localhost 2000"), "tcp://localhost:2000");
        assert_eq!(line("telnet -l root ser1 7001"), "telnet|-l|root|ser1|7001");
        assert_eq!(line("conmux-console 'bbb 1'"), "conmux-console|bbb 1");
        assert_eq!(line("telnet ser1 0"), "telnet|ser1|0");
        assert!(Console::of_command("telnet 'ser1").is_none() && Console::of_command(" ").is_none());
        assert_eq!(Console::of_command("cu -l /dev/ttyUSB0").unwrap().wants_terminal(), Some("cu"));
    }
}
