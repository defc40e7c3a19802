//! A target's resources and drivers.

use super::Options;
use super::template;
use crate::diagnostic::Code;
use crate::document::Value;
use crate::import::findings::Findings;
use crate::import::keys::{Item, Keys};

/// One resource or driver.
#[derive(Clone, Debug)]
pub(super) struct Part<'n> {
    /// Its class, such as `RawSerialPort`.
    pub(super) class: String,
    /// Its arguments.
    pub(super) item: Item<'n>,
}

/// The parts of one target, from which arguments are taken.
pub(super) struct Parts<'a, 'n> {
    parts: Vec<Part<'n>>,
    pub(super) keys: &'a Keys<'n>,
    options: &'a Options,
}

impl<'a, 'n> Parts<'a, 'n> {
    /// The resources and drivers of `target`. Each list is a mapping of classes, or a list of such mappings, or of mappings
    /// with the class in `cls`.
    pub(super) fn of(target: &Item<'n>, keys: &'a Keys<'n>, options: &'a Options) -> Self {
        let mut parts = Vec::new();
        for list in ["resources", "drivers"].into_iter().filter_map(|key| target.get(key)) {
            let is_list = matches!(list.node.value, Value::Sequence(_));
            for entry in list.entries() {
                let class = entry.get("cls").and_then(|class| class.text());
                let part = |item: Item<'n>| Part { class: item.key().to_owned(), item };
                match class {
                    Some(class) => parts.push(Part { class, item: entry }),
                    None if is_list => parts.extend(entry.entries().into_iter().map(part)),
                    None => parts.push(part(entry)),
                }
            }
        }
        Self { parts, keys, options }
    }

    /// All parts.
    pub(super) fn all(&self) -> Vec<Part<'n>> {
        self.parts.clone()
    }

    /// The first part of `class`, which is used.
    pub(super) fn first(&self, class: &str) -> Option<Part<'n>> {
        let part = self.parts.iter().find(|part| part.class == class)?.clone();
        self.adopt(&part);
        Some(part)
    }

    /// Takes what says nothing of a part that is used. Names and bindings say which part belongs to which: with one console and
    /// one power switch there is no choice.
    pub(super) fn adopt(&self, part: &Part<'n>) {
        if part.item.entries().is_empty() {
            self.keys.mark(&part.item);
        }
        for argument in ["cls", "name", "bindings"] {
            self.take(part, argument);
        }
    }

    /// Takes an argument of `part`.
    pub(super) fn take(&self, part: &Part<'n>, argument: &str) -> Option<Item<'n>> {
        let item = part.item.get(argument)?;
        self.keys.mark(&item);
        Some(item)
    }

    /// Takes a text of `part`, with what stands for its variables.
    pub(super) fn text(
        &self,
        part: &Part<'n>,
        argument: &str,
        findings: &mut Findings,
    ) -> Option<(String, Item<'n>)> {
        let item = self.take(part, argument)?;
        let text = item.text()?;
        match template::expand(&item, &text, self.options) {
            Ok(text) => Some((text, item)),
            Err(message) => {
                let help = "`$BASE` is the file's directory; others are variables of the environment that begin with `LG_`";
                findings.error(Code::ImportTemplate, item.span, message, help);
                None
            }
        }
    }
}
