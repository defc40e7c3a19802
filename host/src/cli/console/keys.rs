//! What a person's keys mean: text for the board, or, behind the escape key, something for this program.

/// Longest answer that is typed to a question, in characters.
const MAX_ANSWER: usize = 4096;

/// What is asked for behind the escape key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Quit,
    Help,
    Cycle,
    PowerOn,
    PowerOff,
    Break,
    SendFile,
    Log,
    Mark,
    Typing,
    Who,
}

/// The keys behind the escape key, in the order in which the help shows them.
pub(super) const ORDERS: [(u8, Order, &str); 11] = [
    (b'q', Order::Quit, "leave the console; the board stays as it is"),
    (b'p', Order::Cycle, "switch the power off and on"),
    (b'o', Order::PowerOn, "switch the power on"),
    (b'x', Order::PowerOff, "switch the power off"),
    (b'b', Order::Break, "send a break"),
    (b'f', Order::SendFile, "send a file as it is"),
    (b'l', Order::Log, "write all that comes from now on into a file, or stop that"),
    (b'm', Order::Mark, "put a mark with the time on the screen and into the file"),
    (b't', Order::Typing, "type into a console that a run has, or stop that"),
    (b'w', Order::Who, "who has the board, and who is attached"),
    (b'?', Order::Help, "this help"),
];

/// What came of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// It is for the board.
    Type(Vec<u8>),
    /// It is for this program.
    Order(Order),
    /// The escape key and one that means nothing.
    Unknown(u8),
    /// A part of an answer that the person sees as it is typed.
    Echo(String),
    /// The answer to what [`Keys::ask`] has asked; nothing if the person thought better of it.
    Answer(Order, Option<String>),
}

/// Reads keys.
#[derive(Debug)]
pub(super) struct Keys {
    /// The escape key; without one, all is for the board.
    escape: Option<u8>,
    is_escaped: bool,
    /// What an answer is typed to, and the answer so far.
    asked: Option<(Order, Vec<u8>)>,
}

impl Keys {
    pub(super) fn new(escape: Option<u8>) -> Self {
        Self { escape, is_escaped: false, asked: None }
    }

    /// Takes the next keys up to Enter as the answer to a question of `order`.
    pub(super) fn ask(&mut self, order: Order) {
        self.asked = Some((order, Vec::new()));
    }

    /// Takes no answer any more; whether there was a question.
    pub(super) fn give_up(&mut self) -> bool {
        self.asked.take().is_some()
    }

    /// What comes of the first of `bytes`, and those that are left: an answer to it may be among them.
    pub(super) fn next<'b>(&mut self, bytes: &'b [u8]) -> Option<(Key, &'b [u8])> {
        let mut text = Vec::new();
        let mut rest = bytes;
        while let Some((&byte, left)) = rest.split_first() {
            if !text.is_empty() && Some(byte) == self.escape {
                break;
            }
            rest = left;
            match self.key(byte) {
                Some(Key::Type(more)) => text.extend(more),
                Some(key) => return Some((key, rest)),
                None => {}
            }
        }
        (!text.is_empty()).then_some((Key::Type(text), rest))
    }

    fn key(&mut self, byte: u8) -> Option<Key> {
        if self.asked.is_some() {
            return self.answer(byte);
        }
        if !std::mem::take(&mut self.is_escaped) {
            self.is_escaped = Some(byte) == self.escape;
            return (!self.is_escaped).then(|| Key::Type(vec![byte]));
        }
        // Twice the escape key is the key itself.
        if Some(byte) == self.escape {
            return Some(Key::Type(vec![byte]));
        }
        let known = ORDERS.iter().find(|(key, ..)| *key == byte.to_ascii_lowercase());
        Some(known.map_or(Key::Unknown(byte), |(_, order, _)| Key::Order(*order)))
    }

    fn answer(&mut self, byte: u8) -> Option<Key> {
        let (order, mut text) = self.asked.take()?;
        if Some(byte) == self.escape {
            self.is_escaped = true;
            return Some(Key::Answer(order, None));
        }
        let shown = match byte {
            b'\r' | b'\n' => {
                let text = String::from_utf8_lossy(&text).trim().to_owned();
                return Some(Key::Answer(order, Some(text)));
            }
            // Ctrl-C, Escape.
            0x03 | 0x1b => return Some(Key::Answer(order, None)),
            // Backspace, Delete.
            0x08 | 0x7f => {
                let is_continued = |byte: &u8| byte & 0xc0 == 0x80;
                while text.pop().as_ref().is_some_and(is_continued) {}
                "\x08 \x08".to_owned()
            }
            // Ctrl-U.
            0x15 => {
                let count = String::from_utf8_lossy(&text).chars().count();
                text.clear();
                "\x08 \x08".repeat(count)
            }
            0x20.. if text.len() < MAX_ANSWER => {
                text.push(byte);
                // Half a character cannot be shown.
                let last = text.utf8_chunks().last().filter(|chunk| chunk.invalid().is_empty());
                last.and_then(|chunk| chunk.valid().chars().next_back()).map(String::from).unwrap_or_default()
            }
            _ => String::new(),
        };
        self.asked = Some((order, text));
        (!shown.is_empty()).then_some(Key::Echo(shown))
    }
}

/// The escape key of `ctrl-t` and the like; `none` for none.
pub(super) fn parse_escape(text: &str) -> Result<Option<u8>, String> {
    let lower = text.to_ascii_lowercase();
    if lower == "none" {
        return Ok(None);
    }
    let key = lower.strip_prefix("ctrl-").and_then(|key| match key.as_bytes() {
        // They end or edit the answer to a question.
        [b'h' | b'j' | b'm' | b'u'] => None,
        [key @ b'a'..=b'z'] => Some(key - b'a' + 1),
        [key @ (b'\\' | b']' | b'^' | b'_')] => Some(key - b'@'),
        _ => None,
    });
    key.map(Some).ok_or_else(|| {
        "write `ctrl-t`, another letter than h, j, m and u, one of `\\]^_`, or `none`".to_owned()
    })
}

/// How the escape key is called.
pub(super) fn name_of(escape: u8) -> String {
    format!("Ctrl-{}", char::from(escape + b'@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ESCAPE: u8 = 0x14;

    impl Keys {
        /// What comes of all of `bytes`.
        fn feed(&mut self, bytes: &[u8]) -> Vec<Key> {
            let (mut keys, mut rest) = (Vec::new(), bytes);
            while let Some((key, left)) = self.next(rest) {
                keys.push(key);
                rest = left;
            }
            keys
        }
    }

    #[test]
    fn text_goes_to_the_board_and_what_is_behind_the_escape_key_does_not() {
        let mut keys = Keys::new(Some(ESCAPE));
        assert_eq!(keys.feed(b"ls\r\x03"), [Key::Type(b"ls\r\x03".to_vec())]);
        assert_eq!(keys.feed(&[b'a', ESCAPE]), [Key::Type(b"a".to_vec())]);
        assert_eq!(keys.feed(b"Pb"), [Key::Order(Order::Cycle), Key::Type(b"b".to_vec())]);
        assert_eq!(keys.feed(&[ESCAPE, ESCAPE, ESCAPE, b'z']), [Key::Type(vec![ESCAPE]), Key::Unknown(b'z')]);
    }

    #[test]
    fn without_an_escape_key_every_byte_goes_to_the_board() {
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(Keys::new(None).feed(&all), [Key::Type(all.clone())]);
    }

    #[test]
    fn answers_are_edited_and_can_be_given_up() {
        let mut keys = Keys::new(Some(ESCAPE));
        keys.ask(Order::SendFile);
        let echo = |text: &str| Key::Echo(text.to_owned());
        assert_eq!(keys.feed("aö".as_bytes()), [echo("a"), echo("ö")]);
        assert_eq!(
            keys.feed(b"\x7fb\r"),
            [echo("\x08 \x08"), echo("b"), Key::Answer(Order::SendFile, Some("ab".to_owned()))]
        );
        keys.ask(Order::Log);
        assert_eq!(keys.feed(b"x\x15\x03"), [echo("x"), echo("\x08 \x08"), Key::Answer(Order::Log, None)]);
        assert_eq!(keys.feed(b"x"), [Key::Type(b"x".to_vec())]);
    }

    #[test]
    fn the_escape_key_gives_a_question_up_and_is_the_escape_key() {
        let mut keys = Keys::new(Some(ESCAPE));
        keys.ask(Order::SendFile);
        assert_eq!(keys.feed(b"x"), [Key::Echo("x".to_owned())]);
        assert_eq!(keys.feed(&[ESCAPE]), [Key::Answer(Order::SendFile, None)]);
        assert_eq!(keys.feed(b"qa"), [Key::Order(Order::Quit), Key::Type(b"a".to_vec())]);
    }

    #[test]
    fn a_question_that_was_given_up_for_the_person_takes_no_keys() {
        let mut keys = Keys::new(Some(ESCAPE));
        assert!(!keys.give_up());
        keys.ask(Order::SendFile);
        keys.feed(b"x");
        assert!(keys.give_up() && !keys.give_up());
        assert_eq!(keys.feed(b"ls\r"), [Key::Type(b"ls\r".to_vec())]);
    }

    #[test]
    fn escape_keys_have_names() {
        assert_eq!(parse_escape("ctrl-t"), Ok(Some(ESCAPE)));
        assert_eq!(parse_escape("Ctrl-]"), Ok(Some(0x1d)));
        assert_eq!(parse_escape("none"), Ok(None));
        assert!(
            parse_escape("ctrl-m").is_err()
                && parse_escape("alt-x").is_err()
                && parse_escape("ctrl-").is_err()
        );
        assert_eq!(name_of(ESCAPE), "Ctrl-T");
    }
}
