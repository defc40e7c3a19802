//! The job's secrets in what is reported: their values are replaced before any report sees them. Pure.
//!
//! Console bytes and output arrive in pieces. What may be the begin of a secret is held back until its next piece, or
//! until the stream has ended. The agent's frames, in which a secret may be cut or escaped, are left out of the console;
//! what they carry is there as output.

use std::collections::BTreeMap;

use protocol::frame::Decoder;

use crate::event::{Bytes, Direction, EventKind, StepId, TestCase};
use crate::fault::Fault;

/// What stands in place of a secret.
const MASK: &str = "[secret]";

/// Bytes of the shortest line of a secret of several lines that is masked by itself: others are no secret.
const MIN_LINE: usize = 8;

/// Replaces secrets in events.
#[derive(Debug, Default)]
pub(super) struct Mask {
    /// The longest first, so that none hides a part of another.
    values: Vec<String>,
    held: BTreeMap<(String, Stream), Vec<u8>>,
    /// What finds the frames on consoles.
    frames: BTreeMap<(String, Stream), Decoder>,
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
    /// Masks `values`, also as a shell shows them, and their single lines; empty ones are not looked for.
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let forms = |value: String| {
            let quoted = value.replace('\'', r"'\''");
            let lines: Vec<_> =
                value.lines().filter(|line| line.len() >= MIN_LINE).map(str::to_owned).collect();
            [value, quoted].into_iter().chain(lines)
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
        let decoder = self.frames.entry((node.to_owned(), stream.clone())).or_default();
        let mut text = Vec::new();
        while decoder.decode(&mut bytes, &mut |part| text.extend_from_slice(part)).is_some() {}
        text
    }

    /// Takes what has begun as a frame for text, as nothing follows it.
    fn end_frames(&mut self, node: &str) {
        let mut left = Vec::new();
        for ((_, stream), decoder) in self.frames.iter_mut().filter(|((of, _), _)| of == node) {
            decoder.flush(&mut |part| left.push((stream.clone(), part.to_vec())));
        }
        for (stream, part) in left {
            self.held.entry((node.to_owned(), stream)).or_default().extend(part);
        }
    }

    /// `data` without secrets as far as that is certain, and the end of it that may be the begin of one: nothing if the
    /// data are `complete`.
    fn masked<'d>(&self, data: &'d [u8], complete: bool) -> (Vec<u8>, &'d [u8]) {
        let mut masked = Vec::with_capacity(data.len());
        let mut rest = data;
        while let Some((&first, behind)) = rest.split_first() {
            let goes_on = |value: &String| value.len() > rest.len() && value.as_bytes().starts_with(rest);
            if !complete && self.values.iter().any(goes_on) {
                return (masked, rest);
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
        self.values.iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), MASK))
    }
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
        EventKind::NodeFinished { fault, .. } | EventKind::RunFinished { fault, .. } => {
            fault.iter_mut().flat_map(fault_texts).collect()
        }
        EventKind::RunStarted { .. }
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
mod tests {
    use super::*;

    fn console(text: &str) -> EventKind {
        event(&Stream::FromBoard, text.as_bytes().to_vec())
    }

    fn note(text: &str) -> EventKind {
        EventKind::Note { text: text.to_owned() }
    }

    fn end() -> EventKind {
        let outcome = crate::event::Outcome::Pass;
        EventKind::PhaseFinished { phase: "test".to_owned(), took: std::time::Duration::ZERO, outcome }
    }

    fn seen(events: &[EventKind]) -> String {
        let bytes = events.iter().filter_map(|event| match event {
            EventKind::Console { data, .. } | EventKind::Output { data, .. } => Some(data.0.clone()),
            _ => None,
        });
        String::from_utf8(bytes.flatten().collect()).unwrap()
    }

    #[test]
    fn a_secret_is_masked_however_its_bytes_arrive() {
        let text = "token=s3cr3t, tokens=s3cr3t-two.";
        for size in 1..text.len() {
            let mut mask = Mask::new(["s3cr3t".to_owned(), "s3cr3t-two".to_owned()]);
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                events.extend(mask.apply(Some("host"), console(str::from_utf8(piece).unwrap())));
            }
            events.extend(mask.apply(Some("host"), end()));
            assert_eq!(seen(&events), "token=[secret], tokens=[secret].", "in pieces of {size}");
        }
    }

    #[test]
    fn forms_that_a_shell_shows_and_single_lines_are_masked() {
        let mut mask = Mask::new(["pa'ss".to_owned(), "-----BEGIN-----\nAAAABBBB\nx\n".to_owned()]);
        let shown = "+ P='pa'\\''ss'\r\nAAAABBBB\r\nx\n";
        let mut events = mask.apply(Some("host"), console(shown));
        events.extend(mask.apply(Some("host"), end()));
        assert_eq!(seen(&events), "+ P='[secret]'\r\n[secret]\r\nx\n");
    }

    #[test]
    fn what_only_begins_like_a_secret_is_not_lost() {
        let mut mask = Mask::new(["root-password".to_owned()]);
        let mut events = mask.apply(Some("host"), console("login: roo"));
        assert_eq!(seen(&events), "login: ");
        assert_eq!(mask.apply(Some("guest"), end()).len(), 1);
        events.extend(mask.apply(Some("host"), end()));
        assert_eq!(seen(&events), "login: roo");
    }

    #[test]
    fn a_secret_in_output_is_masked_whatever_happens_between_its_pieces() {
        let mut mask = Mask::new(["s3cr3t".to_owned()]);
        let stream = Stream::Output("0_smoke".to_owned(), None);
        let mut events = mask.apply(Some("host"), event(&stream, b"token=s3c".to_vec()));
        events.extend(mask.apply(Some("host"), note("a result was reported")));
        events.extend(mask.apply(Some("host"), console("[  1.0] kernel: s3c")));
        events.extend(mask.apply(Some("host"), event(&stream, b"r3t;\n".to_vec())));
        assert_eq!(seen(&events), "token=[  1.0] kernel: [secret];\n");
    }

    #[test]
    fn frames_that_may_hold_parts_of_a_secret_are_not_reported() {
        use protocol::frame::{END, Header, Kind, MAX_ENCODED, START, Side, encode};
        let header = Header { version: 1, kind: Kind::Data, from: Side::Agent, session: 1, seq: 0, ack: 0 };
        let mut frame = [0; MAX_ENCODED];
        let length = encode(&header, b"token=s3c", &mut frame).unwrap();
        let line = [b"before ", &frame[..length], b"after ", &[START], b"not one"].concat();
        let mut mask = Mask::new(["s3cr3t".to_owned()]);
        let mut events = Vec::new();
        for piece in line.chunks(5) {
            let data = Bytes(piece.to_vec());
            events.extend(mask.apply(Some("host"), EventKind::Console { direction: Direction::Rx, data }));
        }
        events.extend(mask.apply(Some("host"), end()));
        assert_eq!(seen(&events), "before after \u{1e}not one");
        assert_eq!(frame[length - 1], END);
    }

    #[test]
    fn texts_and_faults_are_masked() {
        let mut mask = Mask::new(["s3cr3t".to_owned(), String::new()]);
        assert_eq!(mask.apply(None, note("it is s3cr3t")), [note("it is [secret]")]);
        let fault = Fault::new(crate::fault::Class::Job, "host", "wrong password s3cr3t");
        let outcome = crate::event::Outcome::of(Some(&fault));
        let events = mask.apply(None, EventKind::RunFinished { outcome, fault: Some(fault) });
        let [EventKind::RunFinished { fault: Some(fault), .. }] = events.as_slice() else {
            panic!("{events:?}")
        };
        assert_eq!(fault.message, "wrong password [secret]");
    }
}
