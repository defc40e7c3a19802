//! Runs that somebody looks at: their events folded once, and further as they come, for all who look.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::event::{Event, EventKind};
use crate::report::html::Live;
use crate::report::jsonl::MAX_LINE;

use super::files;

/// Runs that are kept in memory.
const MAX_WATCHED: usize = 8;
/// How much a console shows that is opened now, in bytes of all consoles of the run.
const HISTORY: usize = 512 * 1024;
/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// The runs that were looked at last.
#[derive(Debug, Default)]
pub(super) struct WatchedRuns(Mutex<VecDeque<Entry>>);

type Entry = (String, Arc<Mutex<Watched>>);

impl WatchedRuns {
    /// Calls `look` with the run `id`, as far as it has come.
    ///
    /// # Errors
    /// Those of reading its events.
    pub(super) fn with<T>(
        &self,
        id: &str,
        directory: &Path,
        look: impl FnOnce(&mut Watched) -> T,
    ) -> io::Result<T> {
        let watched = self.get(id, directory)?;
        let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.catch_up()?;
        Ok(look(&mut watched))
    }

    fn get(&self, id: &str, directory: &Path) -> io::Result<Arc<Mutex<Watched>>> {
        let file = files::open(&directory.join("run.jsonl"))?;
        let identity = identity(&file)?;
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = runs.iter().position(|(known, _)| known == id).and_then(|index| runs.remove(index));
        // The directory may have been removed, and another run have taken its name.
        let same =
            known.filter(|(_, run)| run.lock().unwrap_or_else(PoisonError::into_inner).identity == identity);
        let run = same.map_or_else(|| Arc::new(Mutex::new(Watched::new(file, identity))), |(_, run)| run);
        runs.push_front((id.to_owned(), Arc::clone(&run)));
        runs.truncate(MAX_WATCHED);
        Ok(run)
    }
}

fn identity(file: &File) -> io::Result<(u64, u64)> {
    let about = file.metadata()?;
    Ok((about.dev(), about.ino()))
}

/// A run, folded up to an offset of its `run.jsonl`.
#[derive(Debug)]
pub(super) struct Watched {
    file: File,
    identity: (u64, u64),
    lines: Lines,
    live: Live,
    /// Where the last events with bytes of consoles begin, and how many bytes each has.
    consoles: VecDeque<(u64, usize)>,
    console_bytes: usize,
    is_history_whole: bool,
}

impl Watched {
    fn new(file: File, identity: (u64, u64)) -> Self {
        Self {
            file,
            identity,
            lines: Lines::from(0),
            live: Live::new(),
            consoles: VecDeque::new(),
            console_bytes: 0,
            is_history_whole: true,
        }
    }

    /// What the run has come to.
    pub(super) fn live(&mut self) -> &mut Live {
        &mut self.live
    }

    /// Up to where: an offset of `run.jsonl` at which a line begins.
    pub(super) fn offset(&self) -> u64 {
        self.lines.offset()
    }

    /// From where a console is shown: an offset of `run.jsonl` at which a line begins.
    pub(super) fn console_offset(&self) -> u64 {
        match self.consoles.front() {
            Some((begin, _)) if !self.is_history_whole => *begin,
            _ => 0,
        }
    }

    fn catch_up(&mut self) -> io::Result<()> {
        let mut piece = vec![0; PIECE];
        loop {
            let count = self.file.read(&mut piece)?;
            if count == 0 {
                return Ok(());
            }
            self.lines.add(piece.get(..count).unwrap_or_default());
            while let Some((begin, line)) = self.lines.next_line()? {
                // New kinds of events may come; what is not known is passed over.
                if let Ok(event) = serde_json::from_slice::<Event>(&line) {
                    self.add(begin, &event);
                }
            }
        }
    }

    fn add(&mut self, begin: u64, event: &Event) {
        if let EventKind::Console { data, .. } | EventKind::Output { data, .. } = &event.kind {
            self.consoles.push_back((begin, data.0.len()));
            self.console_bytes += data.0.len();
            while self.console_bytes > HISTORY && self.consoles.len() > 1 {
                let Some((_, bytes)) = self.consoles.pop_front() else { break };
                self.console_bytes -= bytes;
                self.is_history_whole = false;
            }
        }
        self.live.add(event);
    }
}

/// The lines of a file that grows, and where each begins.
#[derive(Debug)]
pub(super) struct Lines {
    rest: Vec<u8>,
    /// How much of `rest` was handed out.
    done: usize,
    /// Where `rest` begins in the file.
    begin: u64,
}

impl Lines {
    /// From an offset at which a line begins.
    pub(super) fn from(begin: u64) -> Self {
        Self { rest: Vec::new(), done: 0, begin }
    }

    /// Adds what was read next.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        self.rest.drain(..self.done);
        self.begin += self.done as u64;
        self.done = 0;
        self.rest.extend_from_slice(bytes);
    }

    /// Where the next line begins.
    pub(super) fn offset(&self) -> u64 {
        self.begin + self.done as u64
    }

    /// The next line that is complete, without its end, and where it begins.
    ///
    /// # Errors
    /// When it is longer than any event.
    pub(super) fn next_line(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let rest = self.rest.get(self.done..).unwrap_or_default();
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            let is_too_long = rest.len() as u64 > MAX_LINE;
            return if is_too_long {
                Err(io::Error::other("a line is longer than any event"))
            } else {
                Ok(None)
            };
        };
        let begin = self.offset();
        let line = rest.get(..length).unwrap_or_default().to_vec();
        self.done += length + 1;
        Ok(Some((begin, line)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn lines_are_cut_where_they_end_however_they_come() {
        let text = b"one\ntwo\n\nlast";
        for size in 1..=text.len() {
            let mut lines = Lines::from(7);
            let mut told = Vec::new();
            for piece in text.chunks(size) {
                lines.add(piece);
                while let Some(line) = lines.next_line().unwrap() {
                    told.push(line);
                }
            }
            assert_eq!(told, [(7, b"one".to_vec()), (11, b"two".to_vec()), (15, Vec::new())], "{size}");
            assert_eq!(lines.offset(), 16);
        }
    }

    #[test]
    fn a_line_without_an_end_does_not_fill_the_memory() {
        let mut lines = Lines::from(0);
        lines.add(&vec![b'x'; MAX_LINE as usize + 1]);
        lines.next_line().unwrap_err();
    }

    fn console(seq: u64, bytes: usize) -> String {
        let text = "x".repeat(bytes);
        format!(
            r#"{{"seq":{seq},"at":"2026-01-01T00:00:00Z","elapsed_s":1.0,"node":"a","event":"console","direction":"rx","text":"{text}"}}"#
        )
    }

    #[test]
    fn a_run_is_folded_further_as_it_grows_and_again_when_it_is_another() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.jsonl");
        let mut file = File::create(&path).unwrap();
        let runs = WatchedRuns::default();
        let look = |watched: &mut Watched| (watched.offset(), watched.console_offset());
        let line = console(0, 10);
        let unknown = r#"{"event":"of the future"}"#;
        write!(file, "{line}\n{unknown}\n{}", &line[..20]).unwrap();
        let known = (line.len() + 1 + unknown.len() + 1) as u64;
        assert_eq!(runs.with("a", directory.path(), look).unwrap(), (known, 0));
        writeln!(file, "{}", &line[20..]).unwrap();
        assert_eq!(runs.with("a", directory.path(), look).unwrap().0, known + line.len() as u64 + 1);
        let large = console(3, HISTORY);
        writeln!(file, "{large}").unwrap();
        let at_large = known + line.len() as u64 + 1;
        assert_eq!(runs.with("a", directory.path(), look).unwrap().1, at_large, "the last of it is shown");
        fs::rename(&path, directory.path().join("away")).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(runs.with("a", directory.path(), look).unwrap(), (0, 0));
    }
}
