//! A file put onto the target through its shell alone: asked what it has, sent as text, checked, put together.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> Programs: which are there?
//!     Programs --> Decoder: does it turn text into bytes?
//!     Decoder --> Unpacker: does it unpack gzip?
//!     Unpacker --> Checksum: does it say what has arrived?
//!     Checksum --> Place: where is room to run a program?
//!     Place --> DefineReceiver
//!     DefineReceiver --> StartReceiver: echo off
//!     StartReceiver --> Sending
//!     Sending --> Sending: answer / next piece, or one again
//!     Sending --> Assemble: all have arrived / echo on
//!     Assemble --> Check
//!     Check --> CleanUp
//!     CleanUp --> [*]
//! ```
//! A question is a line typed at the prompt ([`script`]); its answer bears a mark that its echo does not. What has no
//! answer is asked again. The receiver is a loop of the shell that puts each line it reads into a file of its own and
//! says what it got: it knows neither order nor number, so that a line lost or damaged by the line, by the kernel's
//! messages or by a busy board is sent again and nothing else.

mod answers;
mod checksum;
mod decoder;
mod error;
mod escape;
mod pieces;
mod question;
mod script;
mod settings;
mod step;
#[cfg(test)]
mod tests;

pub use checksum::Checksum;
pub use decoder::Decoder;
pub use error::UploadError;
pub use settings::{OnProgress, UploadSettings, Uploaded};

use std::collections::VecDeque;
use std::fmt;
use std::time::Instant;

use super::{Dialog, Expired, Scan};
use crate::limit::{Deadline, Limit};
use answers::{Answer, Answers};
use decoder::pack;
use pieces::Pieces;
use question::ANSWER_LIMIT;
use script::{Place, SAMPLE, UNPACKERS};
use step::{Step, after, listed, program, status};

/// How often a question is asked.
const ATTEMPTS: u32 = 3;

/// Silences in succession after which the receiver is taken for gone.
const MAX_SILENCES: u32 = 4;

/// Ends a receiver, a command that hangs, or a line with an open quote: Ctrl-C.
const INTERRUPT: &[u8] = b"\x03\n";

/// Ends a receiver where there is no Ctrl-C: on a console that is no controlling terminal.
const QUIT: &[u8] = b"\nq\n";

/// The conversation; see the module's diagram. It begins at a prompt and ends at one.
pub struct Upload {
    settings: UploadSettings,
    on_progress: OnProgress,
    step: Step,
    /// Number of the question.
    number: u32,
    /// How often it was asked, or how often the receiver has been silent.
    attempts: u32,
    began: Instant,
    asked: Instant,
    deadline: Deadline,
    answers: Answers,
    scan: Scan,
    transmit: VecDeque<Vec<u8>>,
    found: Found,
    pieces: Pieces,
    outcome: Option<Result<Uploaded, UploadError>>,
}

/// What there is on the target, as far as it was asked.
#[derive(Debug)]
struct Found {
    programs: Vec<String>,
    decoder: Decoder,
    unpacker: Option<&'static str>,
    checksum: Checksum,
    place: Place,
}

impl Upload {
    /// Begins at a shell's prompt; ends by `deadline`.
    pub fn new(settings: UploadSettings, deadline: Deadline, on_progress: OnProgress, now: Instant) -> Self {
        let answers = Answers::new(settings.nonce);
        let first = settings.directories.first().map(String::as_str).unwrap_or_default();
        let place = Place::new(first, &settings.file, settings.nonce);
        let [decoder, ..] = Decoder::ALL;
        let mut upload = Self {
            on_progress,
            step: Step::Programs,
            number: 0,
            attempts: 0,
            began: now,
            asked: now,
            deadline,
            answers,
            scan: Scan::default(),
            transmit: VecDeque::new(),
            found: Found {
                programs: Vec::new(),
                decoder,
                unpacker: None,
                checksum: Checksum::ReadBack,
                place,
            },
            pieces: Pieces::default(),
            outcome: None,
            settings,
        };
        upload.ask(now, upload.step);
        upload
    }

    /// Goes on to the question of `step`.
    fn ask(&mut self, now: Instant, step: Step) {
        self.step = step;
        self.number += 1;
        self.attempts = 1;
        self.type_question(now);
    }

    /// Asks the same again; what may be in the way is ended first.
    fn repeat(&mut self, now: Instant) {
        if self.attempts >= ATTEMPTS {
            let limit = Limit::new(ANSWER_LIMIT * ATTEMPTS, "a fixed limit of a shell's answers");
            return self.expire(now, &limit);
        }
        self.attempts += 1;
        self.interrupt();
        self.type_question(now);
    }

    fn interrupt(&mut self) {
        self.transmit.push_back(INTERRUPT.to_vec());
        if matches!(self.step, Step::StartReceiver | Step::Sending | Step::Assemble) {
            self.transmit.push_back(QUIT.to_vec());
        }
    }

    fn type_question(&mut self, now: Instant) {
        self.asked = now;
        let line = self.question();
        self.transmit.push_back(format!("{line}\n").into_bytes());
    }

    /// The shell has answered the question.
    fn handle_answer(&mut self, now: Instant, value: &str) {
        match self.step {
            Step::Programs => match listed(value) {
                None => self.repeat(now),
                Some(programs) => {
                    self.found.programs = programs;
                    self.try_decoder(now, None);
                }
            },
            Step::Checksum(candidate) if Checksum::agrees(&candidate.of(SAMPLE), value) => {
                self.found.checksum = candidate;
                self.cut(now);
            }
            // The kernel, say, has written into it.
            Step::Checksum(_) if !value.is_empty() && self.attempts < ATTEMPTS => self.repeat(now),
            Step::Checksum(candidate) => self.try_checksum(now, Some(candidate)),
            Step::Check => self.handle_check(now, value),
            _ => match status(value) {
                None => self.repeat(now),
                Some(status) => self.handle_status(now, status, value),
            },
        }
    }

    fn handle_status(&mut self, now: Instant, status: &str, value: &str) {
        let is_good = status == "0";
        match self.step {
            Step::Decoder(candidate) if is_good => {
                self.found.decoder = candidate;
                self.try_unpacker(now, None);
            }
            Step::Decoder(candidate) => self.try_decoder(now, Some(candidate)),
            Step::Unpacker(candidate) if is_good => {
                self.found.unpacker = Some(candidate);
                self.try_checksum(now, None);
            }
            Step::Unpacker(candidate) => self.try_unpacker(now, Some(candidate)),
            Step::Place(index) => match value.split_once(' ') {
                Some((_, place)) if place == self.found.place.directory => {
                    if is_good {
                        self.ask(now, Step::DefineReceiver);
                    } else {
                        self.try_place(now, index + 1);
                    }
                }
                // Not what was typed.
                _ => self.repeat(now),
            },
            Step::DefineReceiver if is_good => self.ask(now, Step::StartReceiver),
            Step::StartReceiver if is_good => {
                self.step = Step::Sending;
                self.attempts = 0;
                self.send(now);
            }
            Step::Assemble if is_good => self.ask(now, Step::Check),
            Step::CleanUp => self.finish(now),
            _ => {
                let status = status.to_owned();
                self.fail(UploadError::Failed {
                    what: self.step.work(),
                    status,
                    last_output: self.scan.tail(),
                });
            }
        }
    }

    fn try_decoder(&mut self, now: Instant, last: Option<Decoder>) {
        match after(&Decoder::ALL, last).find(|candidate| self.has(candidate.program())) {
            Some(candidate) => self.ask(now, Step::Decoder(candidate)),
            None => self.fail(UploadError::NoDecoder { last_output: self.scan.tail() }),
        }
    }

    fn try_unpacker(&mut self, now: Instant, last: Option<&'static str>) {
        match after(&UNPACKERS, last).find(|candidate| self.has(program(candidate))) {
            Some(candidate) => self.ask(now, Step::Unpacker(candidate)),
            None => self.try_checksum(now, None),
        }
    }

    fn try_checksum(&mut self, now: Instant, last: Option<Checksum>) {
        match after(&Checksum::PROGRAMS, last).find(|candidate| self.has(candidate.command())) {
            Some(candidate) => self.ask(now, Step::Checksum(candidate)),
            None => self.cut(now),
        }
    }

    fn has(&self, program: &str) -> bool {
        self.found.programs.iter().any(|found| found == program)
    }

    /// All is known that says what is sent.
    fn cut(&mut self, now: Instant) {
        let Found { decoder, unpacker, checksum, .. } = self.found;
        let content = &self.settings.content;
        let packed = unpacker.map(|_| pack(content));
        match Pieces::new(packed.as_ref().unwrap_or(content), decoder, checksum) {
            Some(pieces) => {
                self.pieces = pieces;
                self.try_place(now, 0);
            }
            None => self.fail(UploadError::TooLarge { length: self.settings.content.len() }),
        }
    }

    fn try_place(&mut self, now: Instant, index: usize) {
        let Some(directory) = self.settings.directories.get(index) else {
            let (directories, room_kib) = (self.settings.directories.clone(), self.room_kib());
            return self.fail(UploadError::NoRoom { directories, room_kib, last_output: self.scan.tail() });
        };
        self.found.place = Place::new(directory, &self.settings.file, self.settings.nonce);
        self.ask(now, Step::Place(index));
    }

    /// Sends what may be sent now; goes on when all has arrived.
    fn send(&mut self, now: Instant) {
        self.asked = now;
        let (count, length) = (self.pieces.count(), self.settings.content.len());
        let arrived = length * self.pieces.done() / count.max(1);
        (self.on_progress)(arrived as u64, length as u64);
        if let Some(piece) = self.pieces.hopeless() {
            let last_output = self.scan.tail();
            self.fail(UploadError::Damaged { number: piece + 1, count, last_output });
        } else if self.pieces.is_done() {
            self.transmit.push_back(QUIT.to_vec());
            self.ask(now, Step::Assemble);
        } else {
            self.transmit.extend(std::iter::from_fn(|| self.pieces.poll()));
        }
    }

    fn handle_check(&mut self, now: Instant, got: &str) {
        let Found { decoder, checksum, .. } = self.found;
        let expected = checksum.of(&self.settings.content);
        if Checksum::agrees(&expected, got) {
            self.ask(now, Step::CleanUp);
        } else if self.attempts < ATTEMPTS {
            self.repeat(now);
        } else {
            let (got, last_output) = (got.to_owned(), self.scan.tail());
            self.fail(UploadError::Different { decoder, checksum, expected, got, last_output });
        }
    }

    fn finish(&mut self, now: Instant) {
        self.step = Step::Finished;
        self.outcome = Some(Ok(Uploaded {
            directory: self.found.place.directory.clone(),
            decoder: self.found.decoder,
            unpacker: self.found.unpacker,
            checksum: self.found.checksum,
            length: self.settings.content.len(),
            sent: self.pieces.length(),
            repeated: self.pieces.repeated(),
            took: now.saturating_duration_since(self.began),
        }));
    }

    /// Ends; the shell gets its terminal back, and the target its room.
    fn fail(&mut self, error: UploadError) {
        self.transmit.clear();
        self.interrupt();
        self.transmit.push_back(format!("{}\n", self.found.place.removal()).into_bytes());
        self.step = Step::Finished;
        self.outcome = Some(Err(error));
    }

    fn expire(&mut self, now: Instant, limit: &Limit) {
        let waited = limit.time.min(now.saturating_duration_since(self.began));
        self.fail(UploadError::Expired(Expired::new(self.awaited(), waited, limit, &self.scan)));
    }
}

impl Dialog for Upload {
    type Done = Uploaded;
    type Error = UploadError;

    fn handle_input(&mut self, now: Instant, bytes: &[u8]) {
        if self.step == Step::Finished {
            return;
        }
        self.scan.push(bytes);
        for Answer { token, value } in self.answers.push(bytes) {
            if self.step == Step::Sending {
                self.attempts = 0;
                self.pieces.handle_answer(&token, &value);
                self.send(now);
            } else if token == self.token() {
                self.handle_answer(now, &value);
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.step == Step::Finished {
            return;
        }
        if now >= self.deadline.at {
            let limit = self.deadline.limit.clone();
            return self.expire(now, &limit);
        }
        let patience = self.patience();
        if now < self.asked + patience {
            return;
        }
        if self.step != Step::Sending {
            return self.repeat(now);
        }
        if self.attempts >= MAX_SILENCES {
            return self.expire(now, &Limit::new(patience, "a fixed limit of a receiver's silence"));
        }
        self.attempts += 1;
        self.pieces.handle_silence();
        // Half a line may wait for its end.
        self.transmit.push_back(b"\n".to_vec());
        self.send(now);
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (self.step != Step::Finished).then(|| self.deadline.at.min(self.asked + self.patience()))
    }

    fn poll_done(&mut self) -> Option<Result<Uploaded, UploadError>> {
        self.outcome.take()
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("step", &self.step).field("found", &self.found).finish_non_exhaustive()
    }
}
