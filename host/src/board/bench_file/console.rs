//! Consoles: how a board's lines are reached.

use std::path::PathBuf;

use super::BenchFile;
use crate::board::ConsoleTarget;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::{Fields, Node, Value};
use crate::link::Target;

impl BenchFile<'_> {
    /// How the board's console is reached.
    pub(super) fn console(&mut self, fields: &Fields<'_>, node: &Node, baud: u32) -> Option<ConsoleTarget> {
        let is = |word: &str| node.value == Value::Text(word.to_owned());
        let console = if is("qemu") {
            Some(ConsoleTarget::Qemu(self.qemu(fields)))
        } else {
            self.no_qemu(fields);
            if is("none") {
                Some(ConsoleTarget::None)
            } else {
                self.line(node, baud).map(ConsoleTarget::Line)
            }
        };
        if let (Some(console), Some(baud)) = (&console, fields.key_span("baud"))
            && !matches!(console, ConsoleTarget::Line(Target::Serial { .. }))
        {
            self.error(Code::InvalidConsole, baud, "`baud` is only for a console that is a device");
        }
        console
    }

    /// A console that is a line of the bench.
    pub(super) fn line(&mut self, node: &Node, baud: u32) -> Option<Target> {
        if let Value::Sequence(_) = node.value {
            return self.command(node, "console").map(Target::Command);
        }
        let text = self.reader.non_empty(node, "console")?;
        let console = match text.starts_with('/') {
            true => Some(Target::Serial { path: PathBuf::from(&text), baud }),
            false => Target::in_network(&text),
        };
        if console.is_none() {
            let help = "write a device such as `/dev/ttyUSB0`, `tcp://host:port`, `telnet://host:port`, \
                        a list of a command and its arguments, or `qemu`";
            let message = format!("`{text}` is not a console");
            self.reader.report(Diagnostic::error(Code::InvalidConsole, node.span, message).with_help(help));
        }
        console
    }
}
