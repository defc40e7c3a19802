//! What is asked at each step, what an error calls it, and how long an answer may take.

use std::time::Duration;

use super::decoder::pack;
use super::script::{SAMPLE, Script};
use super::step::{Step, asked_for};
use super::{Found, Upload};

/// How long the shell may take to answer a question: to start a slow interpreter, say.
pub(super) const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// How long the receiver may say nothing, beside the time that the line takes.
const SILENCE: Duration = Duration::from_secs(2);

/// The same where the line's speed is not known.
const SILENCE_ON_ANY_LINE: Duration = Duration::from_secs(5);

/// Least room that a small file takes, in bytes.
const PAGE: usize = 4096;

/// Room for what comes with the file, in bytes.
const SPARE_ROOM: usize = 64 << 10;

impl Upload {
    pub(super) fn token(&self) -> String {
        format!("k{}", self.number)
    }

    pub(super) fn question(&self) -> String {
        let script = Script { answers: &self.answers, token: &self.token() };
        let Found { decoder, unpacker, checksum, place, .. } = &self.found;
        match self.step {
            Step::Programs => script.list_programs(&asked_for()),
            Step::Decoder(candidate) => script.try_decoder(candidate),
            Step::Unpacker(candidate) => script.try_unpacker(candidate, *decoder, &pack(SAMPLE)),
            Step::Checksum(candidate) => script.try_checksum(candidate),
            Step::Place(_) => script.try_place(place, self.room_kib()),
            Step::DefineReceiver => script.define_receiver(*decoder, *checksum),
            Step::StartReceiver => script.start_receiver(place),
            Step::Assemble => script.assemble(place, *decoder, *unpacker),
            Step::Check => script.check(place, *checksum),
            Step::CleanUp => script.clean_up(place),
            // They ask nothing.
            Step::Sending | Step::Finished => String::new(),
        }
    }

    /// What the pieces, the file and what comes with it need. A piece takes a page.
    pub(super) fn room_kib(&self) -> usize {
        (self.pieces.count() * PAGE + 2 * self.settings.content.len() + SPARE_ROOM) / 1024
    }

    pub(super) fn awaited(&self) -> String {
        match self.step {
            Step::Programs => "answer of the shell to which programs it has".to_owned(),
            Step::Decoder(candidate) => format!("answer of the shell whether `{candidate}` decodes"),
            Step::Unpacker(candidate) => format!("answer of the shell whether `{candidate}` unpacks"),
            Step::Checksum(candidate) => format!("answer of the shell to `{}`", candidate.command()),
            Step::Place(_) => {
                format!("answer of the shell whether {} can be used", self.found.place.directory)
            }
            Step::Sending => {
                let oldest = self.pieces.oldest().unwrap_or_default() + 1;
                format!("answer to piece {oldest} of {}", self.pieces.count())
            }
            step => format!("answer of the shell, which was to {},", step.work()),
        }
    }

    /// How long an answer is waited for.
    pub(super) fn patience(&self) -> Duration {
        match (self.step, self.settings.bytes_per_s) {
            (Step::Sending, Some(rate)) => {
                // Twice, for the text may come back.
                let length = u32::try_from(2 * self.pieces.length_in_flight()).unwrap_or(u32::MAX);
                SILENCE + Duration::from_secs(1) * length / rate.max(1)
            }
            (Step::Sending, None) => SILENCE_ON_ANY_LINE,
            _ => ANSWER_LIMIT,
        }
    }
}
