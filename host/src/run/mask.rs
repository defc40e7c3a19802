//! The job's secrets in what is reported: their values are replaced before any report sees them. Pure.
//!
//! Console bytes and output arrive in pieces. What may be the begin of a secret is held back until its next piece, or
//! until the stream has ended. The agent's frames, in which a secret may be cut or escaped, are left out of the console,
//! whole or damaged; what they carry is there as output. Texts may have been cut, through a secret too: what stands beside
//! the mark of a cut and may be a part of one is replaced as well.

use std::collections::BTreeMap;

use protocol::frame::Decoder;

use crate::event::{Bytes, Direction, EventKind, StepId, TestCase};
use crate::fault::Fault;
use crate::text::{CUT, MASK, WithoutDamagedFrames, printable, without_steering};

/// Bytes of the shortest line of a secret of several lines that is masked by itself: others are no secret.
const MIN_LINE: usize = 8;

/// Bytes of a secret that may be seen where it was cut: so few are likely to be something else.
const MAX_SHOWN: usize = 3;

/// Replaces secrets in events.
#[derive(Debug, Default)]
pub(super) struct Mask {
    /// The longest first, so that none hides a part of another.
    values: Vec<String>,
    held: BTreeMap<(String, Stream), Vec<u8>>,
    frames: BTreeMap<(String, Stream), Frames>,
}

/// What finds the frames on a console.
#[derive(Debug, Default)]
struct Frames {
    whole: Decoder,
    damaged: WithoutDamagedFrames,
}

/// A stream of bytes of a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    FromBoard,
    ToBoard,
    Output(String, Option<StepId>),
}

impl Stream {
    fn is_console(&self) -> bool {
        !matches!(self, Self::Output(..))
    }
}

impl Mask {
    /// Masks `values`, also as a shell and messages show them, and their single lines; empty ones are not looked for.
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let forms = |value: String| {
            let lines = value.lines().filter(|line| line.len() >= MIN_LINE);
            let parts: Vec<_> = std::iter::once(value.as_str()).chain(lines).flat_map(shown_forms).collect();
            parts
        };
        let mut values: Vec<_> =
            values.into_iter().flat_map(forms).filter(|value| !value.is_empty()).collect();
        values.sort_unstable();
        values.dedup();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self { values, held: BTreeMap::new(), frames: BTreeMap::new() }
    }

    /// The events to report instead of `kind`: itself without secrets, after what was held back and is complete now.
    pub(super) fn apply(&mut self, node: Option<&str>, kind: EventKind) -> Vec<EventKind> {
        if self.values.is_empty() {
            return vec![kind];
        }
        let node = node.unwrap_or_default();
        match kind {
            EventKind::Console { direction, data } => {
                let stream = match direction {
                    Direction::Rx => Stream::FromBoard,
                    Direction::Tx => Stream::ToBoard,
                };
                let text = self.without_frames(node, &stream, &data.0);
                self.piece(node, stream, text)
            }
            EventKind::Output { definition, step, data } => {
                self.piece(node, Stream::Output(definition, step), data.0)
            }
            mut kind => {
                let mut events = self.release(node, &kind);
                for text in texts(&mut kind) {
                    *text = self.masked_text(text);
                }
                if let EventKind::JobRead { text, .. } = &mut kind {
                    *text = self.masked_text(text);
                }
                events.push(kind);
                events
            }
        }
    }

    /// The next bytes of a stream.
    fn piece(&mut self, node: &str, stream: Stream, bytes: Vec<u8>) -> Vec<EventKind> {
        let key = (node.to_owned(), stream);
        let mut data = self.held.remove(&key).unwrap_or_default();
        data.extend(bytes);
        let (masked, held) = self.masked(&data, false);
        let event = (!masked.is_empty()).then(|| event(&key.1, masked));
        if !held.is_empty() {
            self.held.insert(key, held.to_vec());
        }
        event.into_iter().collect()
    }

    /// What was held back of `node`'s streams that `kind` ends. Others may go on behind it.
    fn release(&mut self, node: &str, kind: &EventKind) -> Vec<EventKind> {
        let (console, output) = match kind {
            EventKind::StepStarted { .. }
            | EventKind::ScriptFinished { .. }
            | EventKind::DefinitionFinished { .. } => (false, true),
            EventKind::PhaseFinished { .. } | EventKind::NodeFinished { .. } => (true, true),
            _ => return Vec::new(),
        };
        if console {
            self.end_frames(node);
        }
        let held = std::mem::take(&mut self.held);
        let ends = |stream: &Stream| if stream.is_console() { console } else { output };
        let (ended, others) = held.into_iter().partition(|((of, stream), _)| of == node && ends(stream));
        self.held = others;
        let ended: BTreeMap<(String, Stream), Vec<u8>> = ended;
        ended.into_iter().map(|((_, stream), data)| event(&stream, self.masked(&data, true).0)).collect()
    }

    /// What of a console's bytes belongs to no frame.
    fn without_frames(&mut self, node: &str, stream: &Stream, mut bytes: &[u8]) -> Vec<u8> {
        let frames = self.frames.entry((node.to_owned(), stream.clone())).or_default();
        let mut text = Vec::new();
        while frames.whole.decode(&mut bytes, &mut |part| frames.damaged.push(part, &mut text)).is_some() {
            frames.damaged.end(&mut text);
        }
        text
    }

    /// Takes what has begun as a frame for a damaged one, as nothing follows it.
    fn end_frames(&mut self, node: &str) {
        for (key, frames) in self.frames.iter_mut().filter(|((of, _), _)| of == node) {
            let mut text = Vec::new();
            frames.whole.flush(&mut |part| frames.damaged.push(part, &mut text));
            frames.damaged.end(&mut text);
            if !text.is_empty() {
                self.held.entry(key.clone()).or_default().extend(text);
            }
        }
    }

    /// `data` without secrets as far as that is certain, and the end of it that may be the begin of one: nothing if the
    /// data are `complete`, and so cut.
    fn masked<'d>(&self, data: &'d [u8], complete: bool) -> (Vec<u8>, &'d [u8]) {
        let mut masked = Vec::with_capacity(data.len());
        let mut rest = data;
        while let Some((&first, behind)) = rest.split_first() {
            let goes_on = |value: &String| value.len() > rest.len() && value.as_bytes().starts_with(rest);
            let may_go_on = self.values.iter().any(goes_on);
            if may_go_on && !complete {
                return (masked, rest);
            }
            if may_go_on && rest.len() > MAX_SHOWN {
                masked.extend_from_slice(MASK.as_bytes());
                return (masked, &[]);
            }
            if let Some(after) = self.values.iter().find_map(|value| rest.strip_prefix(value.as_bytes())) {
                masked.extend_from_slice(MASK.as_bytes());
                rest = after;
            } else {
                masked.push(first);
                rest = behind;
            }
        }
        (masked, rest)
    }

    fn masked_text(&self, text: &str) -> String {
        let masked =
            self.values.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), MASK));
        let mut parts: Vec<_> = masked.split(CUT).map(str::to_owned).collect();
        let last = parts.len() - 1;
        for (index, part) in parts.iter_mut().enumerate() {
            if index > 0 {
                self.mask_end_of_secret(part);
            }
            if index < last {
                self.mask_begin_of_secret(part);
            }
        }
        parts.join(CUT.encode_utf8(&mut [0; 4]))
    }

    /// Replaces what `text`, behind a cut, begins with if that is the end of a secret.
    fn mask_end_of_secret(&self, text: &mut String) {
        let ends = |length: &usize| {
            text.get(..*length).is_some_and(|part| self.values.iter().any(|value| value.ends_with(part)))
        };
        if let Some(length) = self.lengths(text).find(ends) {
            text.replace_range(..length, MASK);
        }
    }

    /// Replaces what `text`, in front of a cut, ends with if that is the begin of a secret.
    fn mask_begin_of_secret(&self, text: &mut String) {
        let begins = |length: &usize| {
            let part = text.get(text.len() - length..);
            part.is_some_and(|part| self.values.iter().any(|value| value.starts_with(part)))
        };
        if let Some(length) = self.lengths(text).find(begins) {
            text.replace_range(text.len() - length.., MASK);
        }
    }

    /// Lengths that a part of a secret in `text` may have, the largest first.
    fn lengths(&self, text: &str) -> impl Iterator<Item = usize> + use<> {
        let longest = self.values.first().map_or(0, String::len).min(text.len());
        (MAX_SHOWN + 1..=longest).rev()
    }
}

/// A secret as it is, and as it is shown: in quotes by a shell and in YAML, in a message as a text with escapes, and with a
/// board's last lines.
fn shown_forms(value: &str) -> [String; 5] {
    let escaped = format!("{value:?}");
    [
        value.to_owned(),
        value.replace('\'', r"'\''"),
        value.replace('\'', "''"),
        escaped.get(1..escaped.len() - 1).unwrap_or_default().to_owned(),
        value.chars().map(printable).collect(),
    ]
}

fn event(stream: &Stream, data: Vec<u8>) -> EventKind {
    let data = Bytes(data);
    match stream {
        Stream::FromBoard => EventKind::Console { direction: Direction::Rx, data },
        Stream::ToBoard => EventKind::Console { direction: Direction::Tx, data },
        Stream::Output(definition, step) => {
            EventKind::Output { definition: definition.clone(), step: *step, data }
        }
    }
}

/// Escapes what steers a terminal in an event's texts: a board can say anything, and reports print them.
pub(super) fn escape_texts(kind: &mut EventKind) {
    for text in texts(kind) {
        if let Some(escaped) = without_steering(text) {
            *text = escaped;
        }
    }
}

/// The texts of an event that may hold what a board or a test said.
fn texts(kind: &mut EventKind) -> Vec<&mut String> {
    match kind {
        EventKind::Note { text } | EventKind::Warning { text } | EventKind::Group { text } => vec![text],
        EventKind::Kernel { text, case, .. } => [Some(text), case.as_mut()].into_iter().flatten().collect(),
        EventKind::TestCase(TestCase { case, set, units, reference, comment, .. }) => {
            [Some(case), set.as_mut(), units.as_mut(), reference.as_mut(), comment.as_mut()]
                .into_iter()
                .flatten()
                .collect()
        }
        EventKind::TestSet { set, .. } => set.iter_mut().collect(),
        EventKind::StepStarted { command, .. } => vec![command],
        EventKind::DefinitionFinished { reason, .. } => reason.iter_mut().collect(),
        EventKind::AttemptFailed { reason, .. } => vec![reason],
        EventKind::NodeFinished { fault, .. } | EventKind::RunFinished { fault, .. } => {
            fault.iter_mut().flat_map(fault_texts).collect()
        }
        // Nor is the job file a text that a report prints: it stays as it is, to its last byte.
        EventKind::RunStarted { .. }
        | EventKind::JobRead { .. }
        | EventKind::PhaseStarted { .. }
        | EventKind::PhaseFinished { .. }
        | EventKind::Progress { .. }
        | EventKind::Console { .. }
        | EventKind::DefinitionStarted { .. }
        | EventKind::Output { .. }
        | EventKind::ScriptFinished { .. } => Vec::new(),
    }
}

fn fault_texts(fault: &mut Fault) -> impl Iterator<Item = &mut String> {
    [Some(&mut fault.message), Some(&mut fault.place), fault.help.as_mut()].into_iter().flatten()
}

#[cfg(test)]
mod tests;
