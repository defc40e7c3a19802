//! `power` of a board: the commands that switch it.

use super::BenchFile;
use crate::board::power::PowerCommands;
use crate::diagnostic::Code;
use crate::document::{Node, Value};

impl BenchFile<'_> {
    /// `power`: `reset`, or both `on` and `off`.
    pub(super) fn power(&mut self, node: &Node, is_virtual: bool) -> Option<PowerCommands> {
        if is_virtual {
            self.error(Code::InvalidPower, node.span, "a virtual board has no power commands");
            return None;
        }
        let fields = self.reader.fields(node, "power")?;
        let given = |key| fields.get(key).is_some();
        let can_reset = given("reset") || (given("on") && given("off"));
        if !can_reset {
            self.error(Code::MissingKey, fields.span, "`power` needs `reset`, or both `on` and `off`");
        }
        let mut commands =
            |key| fields.get(key).map(|node| self.power_commands(node, key)).unwrap_or_default();
        let (on, off, reset) = (commands("on"), commands("off"), commands("reset"));
        let status = fields.get("status").and_then(|node| self.command(node, "status"));
        let power = PowerCommands { on, off, reset, status };
        fields.finish(&mut self.reader);
        Some(power)
    }

    /// One command, or a list of commands.
    fn power_commands(&mut self, node: &Node, what: &str) -> Vec<Vec<String>> {
        match &node.value {
            Value::Sequence(items) if items.iter().any(|item| matches!(item.value, Value::Sequence(_))) => {
                items.iter().filter_map(|item| self.command(item, what)).collect()
            }
            _ => self.command(node, what).into_iter().collect(),
        }
    }
}
