//! `info` of a board: what its tests may know of it.

use super::BenchFile;
use crate::board::BoardInfo;
use crate::diagnostic::Code;
use crate::document::{Fields, Node};

impl BenchFile<'_> {
    /// `info`: everything in it is optional.
    pub(super) fn info(&mut self, fields: &Fields<'_>) -> BoardInfo {
        let mut word = |key| fields.get(key).and_then(|node| self.word(node, key));
        let (mac, probe_ip, probe_channel) = (word("mac"), word("probe_ip"), word("probe_channel"));
        let storage = fields.get("storage").and_then(|node| self.reader.fields(node, "storage"));
        let storage = storage.iter().flat_map(Fields::rest).filter_map(|(method, node)| {
            self.reader.check_name(method, node.span, "storage method");
            Some((method.to_owned(), self.word(node, method)?))
        });
        BoardInfo { mac, probe_ip, probe_channel, storage: storage.collect() }
    }

    /// Text without spaces.
    fn word(&mut self, node: &Node, what: &str) -> Option<String> {
        let text = self.reader.non_empty(node, what)?;
        if text.contains(char::is_whitespace) {
            self.error(Code::InvalidInfo, node.span, format!("`{what}` must not have spaces"));
            return None;
        }
        Some(text)
    }
}
