//! The bench file itself: what it has, and who may read it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

use super::finding::{BENCH, Check, Finding, Findings};
use crate::board::Bench;
use crate::board::power::Power;

/// Permission of everybody to read a file.
const READ_BY_ALL: u32 = 0o004;

/// Tells which file it is, and of passwords in it that everybody may read.
pub fn examine_file(bench: &Bench, findings: &mut Findings<'_>) {
    let boards = match bench.boards.len() {
        1 => "1 board".to_owned(),
        count => format!("{count} boards"),
    };
    let path = bench.path.display();
    findings.add(Finding::ok(Check::BenchFile, BENCH, format!("{path}: {boards}")));
    let mut powers = bench.boards.iter().filter_map(|board| board.power.as_ref());
    let has_password =
        powers.any(|power| Power::password(power).is_some_and(|password| password.is_written_there()));
    let is_open = fs::metadata(&bench.path).is_ok_and(|file| file.mode() & READ_BY_ALL != 0);
    if has_password && is_open {
        let text = format!("everybody on this PC may read the passwords in {path}");
        let help = format!("`chmod o-r {path}`, or name them there and keep them elsewhere: `[tokens]`");
        findings.add(Finding::warning(Check::BenchFile, BENCH, text).with_help(help));
    }
}
