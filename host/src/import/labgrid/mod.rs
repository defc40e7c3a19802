//! labgrid's environment files: each target becomes a board of the bench file.
//!
//! | labgrid | here |
//! |---|---|
//! | `RawSerialPort`, `NetworkSerialPort`, `USBSerialPort`, `SerialDriver`, `features` | `board`: `console`, `tags` |
//! | `NetworkService`, `SSHDriver` | `network`: `address`, `ssh_port`, `ssh` |
//! | `ExternalPowerDriver`, `PDUDaemonPort`, `ManualPowerDriver`, … | `power` |
//! | `UBootDriver`, `ShellDriver` | `dialogs`: `[uboot]`, `[linux]`, what jobs say |
//! | everything else | `leftover`: why it is not carried over |
//!
//! An environment file does not say what kind of board a target is: the user does.
//!
//! Source: labgrid's documentation, "Configuration".

mod board;
mod dialogs;
mod leftover;
mod network;
mod part;
mod power;
mod template;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::path::PathBuf;

use crate::diagnostic::{Code, Source};
use crate::document::parse_yaml;
use crate::import::draft::Draft;
use crate::import::findings::Findings;
use crate::import::keys::Keys;
use crate::import::output::{self, BENCH_FILE, Imported, OutputFile, Reported};

/// What the file itself does not say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Board types: of a target, or with `None` of all others. A built-in one, or a path ending in `.toml`.
    pub board_types: Vec<(Option<String>, String)>,
    /// This PC's address on the boards' network.
    pub address: Option<IpAddr>,
    /// The directory of the file, absolute: `$BASE` in its templates.
    pub base: PathBuf,
    /// Variables for its templates besides: those of the environment that begin with `LG_`.
    pub variables: Vec<(String, String)>,
}

/// Makes a bench file of an environment file. Targets with errors give no board; the others do.
pub fn import(file: &Source, options: &Options) -> Imported {
    let reported = |problems| Reported { source: file.clone(), problems };
    let root = match parse_yaml(file) {
        Ok(root) => root,
        Err(problem) => return Imported { files: Vec::new(), reported: vec![reported(vec![*problem])] },
    };
    let keys = Keys::new(file, &root);
    let targets = keys.look(&["targets"]).map(|targets| targets.entries()).unwrap_or_default();
    let mut findings = Findings::default();
    if targets.is_empty() {
        let help = "an environment file has `targets`, each with `resources` and `drivers`";
        findings.error(Code::ImportNoBoard, keys.root().span, "the file has no targets", help);
    }
    let mut boards = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let mut own = Findings::default();
        if targets.iter().skip(index + 1).any(|later| later.key() == target.key()) {
            let message = format!("the target `{}` is written twice", target.key());
            own.error(
                Code::DuplicateBoard,
                target.span,
                message,
                "a board has the name of its target: rename one of them",
            );
        }
        let fragment = board::fragment(target, &keys, options, &mut own);
        boards.extend(fragment);
        findings.merge(own);
    }
    let mut common = Findings::default();
    leftover::leave_common(&keys, &mut common);
    let mut header = "Made by `host-runner import labgrid`.\n".to_owned();
    header += &common.comment();
    findings.merge(common);
    let mut files = Vec::new();
    if !boards.is_empty() {
        let mut bench = Draft::default();
        let missing = output::network(&mut bench, options.address);
        let header = format!("{header}\n{missing}");
        let text = format!("{}\n{}", bench.text(&header).trim_end(), boards.concat());
        files.push(OutputFile { name: BENCH_FILE.to_owned(), text });
    }
    let problems = findings.into_problems();
    let reported = if problems.is_empty() { Vec::new() } else { vec![reported(problems)] };
    Imported { files, reported }
}
