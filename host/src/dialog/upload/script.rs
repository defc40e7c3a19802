//! What is typed at the target's shell: one line a question, in what bash, dash and BusyBox have in common.
//!
//! A line is short enough for small line buffers (BusyBox: 1,024 bytes) and may be typed again: it does the same again.

use super::answers::Answers;
use super::checksum::Checksum;
use super::decoder::Decoder;

/// The two letters and a newline that programs are tried with.
pub(super) const SAMPLE: &[u8] = b"AB\n";

/// Ends a list of programs: one that is cut short is none.
pub(super) const LAST: &str = "end";

/// Programs that unpack gzip's format, from standard input to standard output.
pub(super) const UNPACKERS: [&str; 4] = ["gzip -dc", "gunzip -c", "zcat", "busybox gunzip -c"];

/// What makes up the commands.
#[derive(Debug)]
pub(super) struct Script<'a> {
    /// How the target answers.
    pub(super) answers: &'a Answers,
    /// The answer's token.
    pub(super) token: &'a str,
}

impl Script<'_> {
    /// Which of `programs` there are: answers with their names and [`LAST`].
    pub(super) fn list_programs(&self, programs: &[&str]) -> String {
        let answer = self.answers.command(self.token, &format!("\"${{l}}{LAST}\""));
        let programs = programs.join(" ");
        format!("l=;for p in {programs};do type $p >/dev/null 2>&1&&l=\"$l$p \";done;{answer}")
    }

    /// Whether `decoder` makes [`SAMPLE`] of its text: answers with 0 if so.
    pub(super) fn try_decoder(&self, decoder: Decoder) -> String {
        self.try_filter(decoder, SAMPLE, decoder.filter())
    }

    /// Whether `unpacker` makes [`SAMPLE`] of `packed`: answers with 0 if so.
    pub(super) fn try_unpacker(&self, unpacker: &str, decoder: Decoder, packed: &[u8]) -> String {
        self.try_filter(decoder, packed, &format!("{}|{unpacker}", decoder.filter()))
    }

    fn try_filter(&self, decoder: Decoder, sample: &[u8], filter: &str) -> String {
        let lines = decoder.encode(sample).into_iter().map(|line| format!("'{line}'"));
        let print = decoder.print(&lines.collect::<Vec<_>>());
        let wanted = String::from_utf8_lossy(SAMPLE);
        let answer = self.answers.command(self.token, "$?");
        format!("[ \"$({{ {print}|{filter};}} 2>/dev/null)\" = {} ];{answer}", wanted.trim_end())
    }

    /// What `checksum` says of [`SAMPLE`].
    pub(super) fn try_checksum(&self, checksum: Checksum) -> String {
        let sample = String::from_utf8_lossy(SAMPLE);
        self.answers.command(self.token, &format!("$(echo {}|{})", sample.trim_end(), checksum.command()))
    }

    /// Whether `place` can be written and executed from and has room for `room_kib` KiB: answers with 0 and its name.
    pub(super) fn try_place(&self, place: &Place, room_kib: usize) -> String {
        let Place { directory, parent, stage, .. } = place;
        let answer = self.answers.command(self.token, "\"$r $a\"");
        format!(
            "a={directory};d={stage};mkdir -p $d $a/{parent}&&echo>$d/x&&chmod 755 $d/x&&$d/x&&if type dd >/dev/null \
             2>&1;then dd if=/dev/zero of=$d/x bs=1024 count={room_kib} 2>/dev/null;fi;r=$?;rm -f $d/x;[ $r = 0 ]||\
             rmdir $d $a/{parent} $a 2>/dev/null;{answer}"
        )
    }

    /// Defines the receiver: it puts each line `NUMBER TRY TEXT` into a file and says what it got, until a line `q`.
    pub(super) fn define_receiver(&self, decoder: Decoder, checksum: Checksum) -> String {
        let store = decoder.print(&["\"$t\"".to_owned()]);
        let head = self.answers.quoted("$n$c");
        let report = match checksum {
            Checksum::ReadBack => decoder.print(&[format!("{head}\"$t\"")]),
            checksum => format!("echo {head}$({}<$n)", checksum.command()),
        };
        let answer = self.answers.command(self.token, "0");
        format!(
            "lava_up(){{ while read -r n c t;do case $n in q)return;;\"\")continue;;[0-9][0-9][0-9]);;*)n=x;;esac;\
             {store}>$n;{report};done;}};{answer}"
        )
    }

    /// Starts the receiver without echo; the terminal's settings come back however it ends.
    pub(super) fn start_receiver(&self, place: &Place) -> String {
        let answer = self.answers.command(self.token, "0");
        format!(
            "(s=$(stty -g);trap 'stty $s' 0;trap 'exit 1' 1 2 15;stty -echo;cd {}&&{answer}&&lava_up) 2>/dev/null",
            place.stage
        )
    }

    /// Makes the file of the pieces: answers with 0 when that has gone well.
    pub(super) fn assemble(&self, place: &Place, decoder: Decoder, unpacker: Option<&str>) -> String {
        let unpack = unpacker.map(|unpacker| format!("|{unpacker}")).unwrap_or_default();
        let (stage, file) = (&place.stage, &place.file);
        let answer = self.answers.command(self.token, "$?");
        format!("cat {stage}/[0-9]*|{}{unpack}>{file}&&chmod 755 {file};{answer}", decoder.filter())
    }

    /// What `checksum` says of the file.
    pub(super) fn check(&self, place: &Place, checksum: Checksum) -> String {
        self.answers.command(self.token, &format!("$({}<{})", checksum.command(), place.file))
    }

    /// Removes the pieces.
    pub(super) fn clean_up(&self, place: &Place) -> String {
        format!("{};{}", place.removal(), self.answers.command(self.token, "$?"))
    }
}

/// Where the file goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The directory.
    pub(super) directory: String,
    /// The file's own directory, relative to it.
    parent: String,
    /// The file.
    pub(super) file: String,
    /// The directory of its pieces.
    stage: String,
}

impl Place {
    /// The place of `file`, a path relative to `directory`.
    pub(super) fn new(directory: &str, file: &str, nonce: u32) -> Self {
        Self {
            directory: directory.to_owned(),
            parent: file.rsplit_once('/').map_or(".", |(parent, _)| parent).to_owned(),
            file: format!("{directory}/{file}"),
            stage: format!("{directory}/.up{nonce:08x}"),
        }
    }

    /// A command that removes the pieces, and nothing else even if a part of it is lost on its way.
    pub(super) fn removal(&self) -> String {
        let stage = &self.stage;
        format!("rm -f {stage}/[0-9]* {stage}/x;rmdir {stage}")
    }
}
