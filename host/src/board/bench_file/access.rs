//! Further ways to a board: named connections, SSH, commands of the bench, and what URLs of jobs may name.

use super::BenchFile;
use crate::board::{BenchCommand, SshAccess, TokenSource, Tokens};
use crate::diagnostic::Code;
use crate::document::{Fields, Node};
use crate::link::Target;

/// Speed of a further serial console.
const DEFAULT_BAUD: u32 = 115_200;

impl BenchFile<'_> {
    /// `consoles`: further connections, by their names.
    pub(super) fn consoles(&mut self, board: &Fields<'_>) -> Vec<(String, Target)> {
        self.entries(board, "consoles", |file, name, node| {
            let target = file.line(node, DEFAULT_BAUD)?;
            Some((name.to_owned(), target))
        })
    }

    /// `commands`: for a job's `command` actions.
    pub(super) fn commands(&mut self, board: &Fields<'_>) -> Vec<BenchCommand> {
        self.entries(board, "commands", |file, name, node| {
            let fields = file.reader.fields(node, name)?;
            let run = fields.require(&mut file.reader, "do").and_then(|node| file.command(node, "do"));
            let undo = fields.get("undo").and_then(|node| file.command(node, "undo"));
            fields.finish(&mut file.reader);
            Some(BenchCommand { name: name.to_owned(), run: run?, undo: undo.unwrap_or_default() })
        })
    }

    /// `static_info`: names and values.
    pub(super) fn static_info(&mut self, board: &Fields<'_>) -> Vec<(String, String)> {
        self.entries(board, "static_info", |file, name, node| {
            Some((name.to_owned(), file.reader.string(node, name)?))
        })
    }

    /// `tokens` of the bench: each a file or a variable of the environment.
    pub(super) fn tokens(&mut self, bench: &Fields<'_>) -> Tokens {
        Tokens::new(self.entries(bench, "tokens", |file, name, node| {
            let fields = file.reader.fields(node, name)?;
            let path = file.path(&fields, "file");
            let variable = fields.get("env").and_then(|node| file.reader.non_empty(node, "env"));
            fields.finish(&mut file.reader);
            let source = match (path, variable) {
                (Some(path), None) => TokenSource::File(path),
                (None, Some(variable)) => TokenSource::Variable(variable),
                (Some(_), Some(_)) => {
                    let message = format!("`file` and `env` of the token `{name}` exclude each other");
                    file.error(Code::ExclusiveKeys, node.span, message);
                    return None;
                }
                (None, None) => {
                    let help = "a token is in a file, or in a variable of the environment";
                    fields.require_one_of(&mut file.reader, &["file", "env"], help);
                    return None;
                }
            };
            Some((name.to_owned(), source))
        }))
    }

    /// `ssh`: how the board is reached when it is up by itself.
    pub(super) fn ssh(&mut self, board: &Fields<'_>) -> Option<SshAccess> {
        let fields = self.reader.fields(board.get("ssh")?, "ssh")?;
        let host = fields.require(&mut self.reader, "host");
        let host = host.and_then(|node| self.reader.non_empty(node, "host"));
        let port = fields.get("port").and_then(|node| self.reader.integer(node, "port", 1, 65535));
        let user = fields.get("user").and_then(|node| self.reader.non_empty(node, "user"));
        fields.require(&mut self.reader, "identity_file");
        let identity_file = self.path(&fields, "identity_file");
        let host_key = fields.require(&mut self.reader, "host_key");
        let host_keys = host_key.map(|node| self.reader.strings(node, "host_key"));
        if let (Some([]), Some(node)) = (host_keys.as_deref(), host_key) {
            self.error(Code::EmptyValue, node.span, "`host_key` is empty: a board is never trusted unknown");
        }
        fields.finish(&mut self.reader);
        Some(SshAccess {
            host: host?,
            port: port.and_then(|port| u16::try_from(port).ok()).unwrap_or(22),
            user: user.unwrap_or_else(|| "root".to_owned()),
            identity_file: identity_file?,
            host_keys: host_keys?,
        })
    }

    /// The entries of a table of names that jobs use.
    fn entries<T>(
        &mut self,
        board: &Fields<'_>,
        key: &'static str,
        mut read: impl FnMut(&mut Self, &str, &Node) -> Option<T>,
    ) -> Vec<T> {
        let Some(fields) = board.get(key).and_then(|node| self.reader.fields(node, key)) else {
            return Vec::new();
        };
        let mut entries = Vec::new();
        for (name, node) in fields.rest() {
            let span = fields.key_span(name).unwrap_or(fields.span);
            self.reader.check_name(name, span, key);
            entries.extend(read(self, name, node));
        }
        entries
    }
}
