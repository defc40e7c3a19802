//! LAVA's device dictionaries: rendered YAML, or a device's Jinja2 file with or without LAVA's templates.
//!
//! | part of the dictionary | here |
//! |---|---|
//! | `commands`, `storage_info`, `environment`, `interfaces: target` | `board`: a board of the bench file |
//! | further `connections`, `ssh`, `commands: users`, `static_info` | `access`: further ways to that board |
//! | `constants: u-boot`, methods of `u-boot`, addresses, `character_delays` | `uboot`, `boot_commands`, `board_type`: a board type |
//! | everything else | `leftover`: why it is not carried over |
//!
//! Source: LAVA's documentation of device dictionaries; `base.jinja2` and `base-uboot.jinja2` of its device types.

mod access;
mod board;
mod board_type;
mod boot_commands;
mod device;
mod leftover;
mod set_lines;
mod template;
#[cfg(test)]
mod tests;
mod uboot;

use std::net::IpAddr;
use std::path::PathBuf;

use crate::diagnostic::{Code, Diagnostic, Source, Span};
use crate::import::draft::Draft;
use crate::import::findings::Findings;
use crate::import::output::{self, BENCH_FILE, Imported, OutputFile, Reported};

use board_type::BoardTypes;
use device::Device;

/// What the files themselves do not say.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Directories of LAVA's device type templates; the first that has a template wins. Without any, the `set` lines of a
    /// Jinja2 file are all that is read.
    pub templates: Vec<PathBuf>,
    /// The device type of the files, for those that do not say it: rendered YAML.
    pub device_type: Option<String>,
    /// A board type to use, a built-in one or a path ending in `.toml`, instead of making one.
    pub board_type: Option<String>,
    /// This PC's address on the boards' network.
    pub address: Option<IpAddr>,
}

/// A board of the bench file, and what there is to say about its source.
struct Outcome {
    fragment: Option<String>,
    reported: Reported,
}

/// Makes a bench file of device dictionaries, and the board types that it needs.
///
/// A board is named after its file. Files with errors give no board; the others do.
pub fn import(files: &[Source], options: &Options) -> Imported {
    let mut types = BoardTypes::default();
    let (mut boards, mut reported) = (Vec::new(), Vec::new());
    let mut names: Vec<String> = Vec::new();
    for file in files {
        let outcome = match Device::read(file, options) {
            Ok(device) if names.contains(&device.name) => failed(duplicate(device)),
            Ok(device) => {
                names.push(device.name.clone());
                import_device(&device, options, &mut types)
            }
            Err(problem) => failed(*problem),
        };
        boards.extend(outcome.fragment);
        reported.extend(Some(outcome.reported).filter(|reported| !reported.problems.is_empty()));
    }
    if boards.is_empty() {
        return Imported { files: Vec::new(), reported };
    }
    let mut bench = Draft::default();
    let missing = output::network(&mut bench, options.address);
    let header = format!("Made by `host-runner import lava`.\n{missing}");
    let text = format!("{}\n{}", bench.text(&header).trim_end(), boards.concat());
    let mut files = vec![OutputFile { name: BENCH_FILE.to_owned(), text }];
    files.extend(types.into_files());
    Imported { files, reported }
}

fn failed((source, problem): template::Problem) -> Outcome {
    let problems: Vec<Diagnostic> = vec![*problem];
    Outcome { fragment: None, reported: Reported { source, problems } }
}

fn duplicate(device: Device) -> template::Problem {
    let message = format!("another file gives a board `{}`", device.name);
    let problem = Diagnostic::error(Code::DuplicateBoard, Span::default(), message);
    (device.source, Box::new(problem.with_help("a board has the name of its file: rename one of them")))
}

fn import_device(device: &Device, options: &Options, types: &mut BoardTypes) -> Outcome {
    let mut findings = Findings::default();
    let made_before = types.count();
    let fragment = board::fragment(device, options, types, &mut findings);
    if fragment.is_none() {
        types.forget_after(made_before);
    }
    let source = device.source.clone();
    Outcome { fragment, reported: Reported { source, problems: findings.into_problems() } }
}
