//! Further ways to a board: connections beside the console, SSH, commands for jobs, what URLs of jobs may name.

use std::net::IpAddr;

use super::board::Board;
use crate::diagnostic::Code;
use crate::document::is_name;
use crate::import::console::Console;
use crate::import::draft;
use crate::import::keys::Item;
use crate::import::power;
use crate::import::ssh::SshLogin;

/// Where the dictionary has how SSH reaches the device.
const SSH: [&str; 4] = ["actions", "deploy", "methods", "ssh"];
/// LAVA's own key, where the file names none: its templates' default.
const USUAL_KEY: &str = "dynamic_vm_keys/lava";

impl<'n> Board<'_, 'n> {
    /// A connection beside the primary one.
    pub(super) fn further_console(&mut self, connection: &Item<'n>) {
        connection.get("tags").iter().for_each(|tags| self.keys.mark(tags));
        let connect = connection.get("connect");
        let console = connect.as_ref().and_then(Item::non_empty);
        let console = console.as_deref().and_then(Console::of_command);
        let (Some(connect), Some(console)) = (connect, console) else {
            self.keys.mark(connection);
            return self
                .findings
                .leave(connection, "a connection needs a command such as `telnet ser1 7001`");
        };
        self.keys.mark(&connect);
        if !is_name(connection.key()) {
            return self
                .findings
                .leave(connection, "a connection has a name of letters, digits, `-`, `_` and `.`");
        }
        self.check_terminal(&console, &connect);
        let comment = format!("{}; jobs ask for it with `method: new_connection`", connect.origin());
        self.set(&["consoles", connection.key()], console.value(), &comment);
    }

    /// `ssh` of the ways to deploy.
    pub(super) fn ssh(&mut self) {
        let [host, port, user, key, options] = ["host", "port", "user", "identity_file", "options"]
            .map(|key| self.keys.take(&[SSH.as_slice(), &[key]].concat()));
        let port = port.and_then(|item| self.ssh_port(&item));
        let host = host.and_then(|item| Some((item.non_empty()?, item)));
        if let Some(options) = options {
            self.findings
                .leave(&options, "the runner has an SSH client of its own, and checks the host's key");
        }
        let Some((host, item)) = host else {
            // Where there is no host, the templates' defaults stand for nothing.
            for item in user.into_iter().filter(|user| user.text().as_deref() != Some("root")).chain(key) {
                let why =
                    "SSH settings without a host: a guest's connection has its own, with a key of the run";
                self.findings.leave(&item, why);
            }
            return;
        };
        if host.parse::<IpAddr>().is_ok() && !self.has(&["address"]) {
            self.set(&["address"], host.as_str(), &item.origin());
        }
        let named = |item: Item<'n>| Some((item.non_empty()?, item.origin()));
        let login = SshLogin {
            host: (host, item.origin()),
            span: item.span,
            port,
            user: user.and_then(named),
            identity_file: key.and_then(named).unwrap_or_else(|| {
                (USUAL_KEY.to_owned(), "LAVA's own key, where the file names none".to_owned())
            }),
        };
        login.write(&self.device.name, &mut self.draft, self.findings);
    }

    /// The port, if it is not the usual one: for guests as well.
    fn ssh_port(&mut self, item: &Item<'_>) -> Option<(u16, String)> {
        match item.number().and_then(|number| u16::try_from(number).ok()).filter(|number| *number != 0) {
            Some(22) => None,
            Some(number) => {
                self.set(&["ssh_port"], i64::from(number), &item.origin());
                Some((number, item.origin()))
            }
            None => {
                self.findings.leave(item, "it is no port");
                None
            }
        }
    }

    /// `commands: users`: what jobs run by name.
    pub(super) fn user_commands(&mut self) {
        let users = self.keys.look(&["commands", "users"]);
        for command in users.iter().flat_map(Item::entries) {
            let name = command.key();
            let run = command.get("do").and_then(|item| self.user_command(&item));
            let Some((words, origin)) = run.filter(|_| is_name(name)) else {
                self.keys.mark(&command);
                let why = "a command for jobs has a name of letters, digits, `-`, `_` and `.`, and one program in `do`";
                self.findings.leave(&command, why);
                continue;
            };
            self.set(&["commands", name, "do"], draft::list(&words, false), &origin);
            let Some(item) = command.get("undo") else { continue };
            match self.user_command(&item) {
                Some((words, origin)) => {
                    self.set(&["commands", name, "undo"], draft::list(&words, false), &origin);
                }
                None => self.findings.leave(&item, "`undo` is one program"),
            }
        }
    }

    /// One program with its arguments, and where it is from.
    fn user_command(&mut self, item: &Item<'_>) -> Option<(Vec<String>, String)> {
        self.keys.mark(item);
        let commands = power::commands(item).ok()?;
        self.check_shell(&commands, item);
        match commands.as_slice() {
            [words] => Some((words.clone(), item.origin())),
            _ => None,
        }
    }

    /// Warns of signs that only a shell gives a meaning.
    pub(super) fn check_shell(&mut self, commands: &[Vec<String>], item: &Item<'_>) {
        if let Some(sign) = power::shell_sign(commands) {
            let message = format!("`{sign}` in a command means nothing without a shell");
            let help = "neither LAVA nor the runner has one for it: write [\"sh\", \"-c\", \"…\"]";
            self.findings.warn(Code::ImportCheck, item.span, message, help);
        }
    }

    /// Warns of a console whose program wants a terminal.
    pub(super) fn check_terminal(&mut self, console: &Console, item: &Item<'_>) {
        if let Some(program) = console.wants_terminal() {
            let message = format!("`{program}` wants a terminal, which a console's command does not get");
            let help = "write the device itself instead of the command: `/dev/…`";
            self.findings.warn(Code::ImportCheck, item.span, message, help);
        }
    }

    /// `static_info`: what stands in the URLs of jobs, and the energy probe, which tests may ask for.
    pub(super) fn static_info(&mut self) {
        let list = self.keys.look(&["static_info"]);
        for entry in list.iter().flat_map(Item::entries).flat_map(|device| device.entries()) {
            self.keys.mark(&entry);
            let key = entry.key();
            if matches!(key, "probe_ip" | "probe_channel") {
                self.word(&["info", key], &entry);
                continue;
            }
            match entry.text() {
                Some(_) if self.has(&["static_info", key]) => {
                    self.findings.leave(&entry, "there can be one of that name");
                }
                Some(text) if is_name(key) => self.set(&["static_info", key], text, &entry.origin()),
                _ => self
                    .findings
                    .leave(&entry, "a URL names texts, by names of letters, digits, `-`, `_` and `.`"),
            }
        }
    }
}
