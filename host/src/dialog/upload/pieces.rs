//! A file on its way: numbered lines, a few of them unanswered at any time, sent again when they came damaged.
//!
//! A line is `NUMBER TRY TEXT`, its answer bears both: the answer to an earlier try says nothing of what the target has
//! once a later one has come.

use std::collections::VecDeque;

use super::checksum::Checksum;
use super::decoder::Decoder;

/// Lines that may be unanswered. With their headers they fit into the 4,095 bytes that a terminal keeps for a program
/// that is busy (n_tty), and the second is on the line while the first is checked.
const WINDOW: usize = 3;

/// Most pieces: their names have three digits.
pub(super) const MAX_PIECES: usize = 1000;

/// How often one piece is sent again.
pub(super) const MAX_REPEATS: u32 = 8;

/// The pieces of a file.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pieces: Vec<Piece>,
    /// Not answered, in the order in which they were sent, which is that of their answers.
    in_flight: VecDeque<usize>,
    /// To be sent again.
    again: VecDeque<usize>,
    /// The first that was never sent.
    next: usize,
    /// How often any was sent again.
    repeated: u32,
}

#[derive(Debug)]
struct Piece {
    text: String,
    /// What the target says of it when it is whole.
    expected: String,
    /// Which is the number of the last try.
    repeats: u32,
    /// The last try has arrived.
    is_done: bool,
}

impl Piece {
    /// One digit that tells tries apart.
    fn tag(&self) -> u32 {
        self.repeats % 10
    }
}

/// What stands before the text of a piece.
const HEADER: &str = "000 0 ";

impl Pieces {
    /// Cuts `bytes` into pieces; none if there would be too many.
    pub(super) fn new(bytes: &[u8], decoder: Decoder, checksum: Checksum) -> Option<Self> {
        let lines = decoder.encode(bytes);
        if lines.len() > MAX_PIECES {
            return None;
        }
        let piece = |text: String| {
            let expected = match checksum {
                Checksum::ReadBack => text.clone(),
                checksum => checksum.of(format!("{text}\n").as_bytes()),
            };
            Piece { text, expected, repeats: 0, is_done: false }
        };
        let pieces = lines.into_iter().map(piece).collect();
        Some(Self { pieces, in_flight: VecDeque::new(), again: VecDeque::new(), next: 0, repeated: 0 })
    }

    /// The next line to send, if one may be sent now.
    pub(super) fn poll(&mut self) -> Option<Vec<u8>> {
        if self.in_flight.len() >= WINDOW {
            return None;
        }
        let again = self.again.pop_front();
        let number = again.unwrap_or(self.next);
        let piece = self.pieces.get_mut(number)?;
        if again.is_some() {
            piece.repeats += 1;
            self.repeated += 1;
        } else {
            self.next += 1;
        }
        self.in_flight.push_back(number);
        Some(format!("{number:03} {} {}\n", piece.tag(), piece.text).into_bytes())
    }

    /// The target said `value` of the piece and try that `token` names, or of a line that it could not tell.
    pub(super) fn handle_answer(&mut self, token: &str, value: &str) {
        let named = token.split_at_checked(3).and_then(|(number, tag)| Some((number.parse().ok()?, tag)));
        let Some((number, piece, tag)) =
            named.and_then(|(number, tag)| Some((number, self.pieces.get_mut::<usize>(number)?, tag)))
        else {
            // Lines are answered in order: this was the oldest.
            return self.lose(1);
        };
        let is_right = Checksum::agrees(&piece.expected, value);
        let is_last_try = tag == piece.tag().to_string();
        if piece.is_done {
            if !is_right {
                // A line whose number was damaged has taken its place.
                piece.is_done = false;
                self.again.push_back(number);
            }
        } else if is_last_try {
            piece.is_done = is_right;
            match self.in_flight.iter().position(|&sent| sent == number) {
                // What was sent before it has come as no line at all.
                Some(at) => self.lose(at + 1),
                // It was taken for lost.
                None if is_right => self.again.retain(|&again| again != number),
                None => (),
            }
        }
    }

    /// Nothing was answered for so long that nothing will be.
    pub(super) fn handle_silence(&mut self) {
        self.lose(self.in_flight.len());
    }

    /// Takes the oldest `count` lines for lost.
    fn lose(&mut self, count: usize) {
        let pieces = &self.pieces;
        let lost = self.in_flight.drain(..count.min(self.in_flight.len()));
        self.again.extend(lost.filter(|&number| pieces.get(number).is_some_and(|piece| !piece.is_done)));
    }

    /// Whether all have arrived.
    pub(super) fn is_done(&self) -> bool {
        self.pieces.iter().all(|piece| piece.is_done)
    }

    /// One that has been sent again too often already.
    pub(super) fn hopeless(&self) -> Option<usize> {
        let repeats = |&number: &usize| self.pieces.get(number).map_or(0, |piece| piece.repeats);
        self.again.iter().copied().find(|number| repeats(number) >= MAX_REPEATS)
    }

    /// The oldest that is not answered.
    pub(super) fn oldest(&self) -> Option<usize> {
        self.in_flight.front().copied()
    }

    /// Characters of the lines that are not answered, ends included.
    pub(super) fn length_in_flight(&self) -> usize {
        let length =
            |&number: &usize| self.pieces.get(number).map_or(0, |piece| HEADER.len() + piece.text.len() + 1);
        self.in_flight.iter().map(length).sum()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.pieces.len()
    }

    /// How many have arrived.
    pub(super) fn done(&self) -> usize {
        self.pieces.iter().filter(|piece| piece.is_done).count()
    }

    /// How often any was sent again.
    pub(super) fn repeated(&self) -> u32 {
        self.repeated
    }

    /// Characters of all lines.
    pub(super) fn length(&self) -> usize {
        self.pieces.iter().map(|piece| piece.text.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces() -> Pieces {
        Pieces::new(&[7; 5 * 720], Decoder::Base64, Checksum::ReadBack).unwrap()
    }

    fn sent(pieces: &mut Pieces) -> Vec<String> {
        std::iter::from_fn(|| pieces.poll())
            .map(|line| String::from_utf8(line).unwrap().split(' ').next().unwrap().to_owned())
            .collect()
    }

    fn right(pieces: &Pieces) -> String {
        pieces.pieces[0].text.clone()
    }

    #[test]
    fn an_answer_lets_the_next_go_and_a_gap_sends_the_one_before_again() {
        let mut pieces = pieces();
        let right = right(&pieces);
        assert_eq!(sent(&mut pieces), ["000", "001", "002"]);
        assert_eq!(sent(&mut pieces), [""; 0]);
        pieces.handle_answer("0000", &right);
        assert_eq!(sent(&mut pieces), ["003"]);
        // 001 was swallowed by noise.
        pieces.handle_answer("0020", &right);
        assert_eq!(sent(&mut pieces), ["001", "004"]);
        pieces.handle_answer("0030", "damaged");
        assert_eq!(sent(&mut pieces), ["003"]);
        for token in ["0011", "0040", "0031"] {
            assert!(!pieces.is_done());
            pieces.handle_answer(token, &right);
        }
        assert!(pieces.is_done());
        assert_eq!((pieces.done(), pieces.repeated(), pieces.hopeless()), (5, 2, None));
        assert_eq!(sent(&mut pieces), [""; 0]);
    }

    #[test]
    fn a_right_answer_that_comes_late_is_one() {
        let mut pieces = pieces();
        let right = right(&pieces);
        sent(&mut pieces);
        // A newline too many: the rest of 000 counts as a line of its own.
        pieces.handle_answer("0000", "half");
        pieces.handle_answer("x", "");
        pieces.handle_answer("0010", &right);
        assert_eq!((sent(&mut pieces), pieces.repeated()), (vec!["000".to_owned(), "003".to_owned()], 1));
    }

    #[test]
    fn what_is_said_of_an_earlier_try_does_not_count() {
        let mut pieces = pieces();
        let right = right(&pieces);
        sent(&mut pieces);
        pieces.handle_silence();
        assert_eq!(sent(&mut pieces), ["000", "001", "002"]);
        pieces.handle_answer("0000", &right);
        assert_eq!((pieces.done(), pieces.oldest()), (0, Some(0)));
        pieces.handle_answer("0001", "damaged");
        pieces.handle_answer("0011", &right);
        assert_eq!((pieces.done(), sent(&mut pieces)), (1, vec!["000".to_owned(), "003".to_owned()]));
    }

    #[test]
    fn a_piece_that_another_has_replaced_is_sent_again() {
        let mut pieces = pieces();
        let right = right(&pieces);
        sent(&mut pieces);
        pieces.handle_answer("0000", &right);
        // 001 had a 0 for its 1.
        pieces.handle_answer("0000", "another");
        pieces.handle_answer("0020", &right);
        assert_eq!(
            (pieces.done(), sent(&mut pieces)),
            (1, ["000", "001", "003"].map(str::to_owned).to_vec())
        );
    }

    #[test]
    fn repeats_are_bounded() {
        let mut pieces = pieces();
        let mut silences = 0;
        while pieces.hopeless().is_none() {
            sent(&mut pieces);
            pieces.handle_silence();
            silences += 1;
        }
        assert_eq!(silences, 9);
    }

    #[test]
    fn a_file_of_too_many_pieces_is_refused() {
        assert!(Pieces::new(&vec![0; 721_000], Decoder::Base64, Checksum::Md5).is_none());
    }
}
