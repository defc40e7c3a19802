//! One device dictionary, whatever it is written in.

use std::path::Path;

use super::Options;
use super::set_lines;
use super::template::{self, Problem};
use crate::diagnostic::Source;
use crate::document::{Node, parse_yaml};

/// Extensions of Jinja2 files.
const JINJA_EXTENSIONS: [&str; 3] = ["jinja2", "jinja", "j2"];

/// One device dictionary.
pub(super) struct Device {
    /// Its name: that of its file.
    pub(super) name: String,
    /// The text that all places are in: the file, or what its templates gave.
    pub(super) source: Source,
    /// The dictionary.
    pub(super) root: Node,
    /// Its device type.
    pub(super) device_type: DeviceType,
    /// Whether all of the dictionary is known; of a Jinja2 file without templates it is not.
    pub(super) is_whole: bool,
}

/// A device type, and where it is from.
pub(super) struct DeviceType {
    /// Its name.
    pub(super) name: String,
    /// For a comment.
    pub(super) origin: String,
    /// Whether it is a guess.
    pub(super) is_guess: bool,
}

impl Device {
    /// Reads the device dictionary in `file`.
    ///
    /// # Errors
    /// It is neither YAML nor a template that can be rendered.
    pub(super) fn read(file: &Source, options: &Options) -> Result<Self, Box<Problem>> {
        let name = board_name(file);
        let device_type = device_type(file, options, &name);
        let parse =
            |source: &Source| parse_yaml(source).map_err(|problem| Box::new((source.clone(), problem)));
        let (source, root, is_whole) = if !is_template(file) {
            (file.clone(), parse(file)?, true)
        } else if options.templates.is_empty() {
            (file.clone(), set_lines::read(file)?, false)
        } else {
            let rendered = template::render(file, &options.templates)?;
            let root = parse(&rendered)?;
            (rendered, root, true)
        };
        Ok(Self { name, source, root, device_type, is_whole })
    }
}

fn is_template(file: &Source) -> bool {
    let extension = Path::new(&file.name).extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| JINJA_EXTENSIONS.contains(&extension))
        || set_lines::device_type(file).is_some()
}

/// The name of the file without its extension, as the name of a board.
fn board_name(file: &Source) -> String {
    let stem = Path::new(&file.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let name: String =
        stem.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { "board".to_owned() } else { name.to_owned() }
}

fn device_type(file: &Source, options: &Options, board: &str) -> DeviceType {
    if let Some(name) = &options.device_type {
        return DeviceType { name: name.clone(), origin: "--device-type".to_owned(), is_guess: false };
    }
    if let Some((name, span)) = set_lines::device_type(file) {
        let origin = format!("line {}, extends", file.line_column(span).0);
        let name = name.rsplit('/').next().unwrap_or_default().to_owned();
        return DeviceType { name, origin, is_guess: false };
    }
    // Labs name boards after their type, with a number.
    let name = board.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_']);
    let name = if name.is_empty() { board } else { name };
    DeviceType { name: name.to_owned(), origin: "a guess, from the file's name".to_owned(), is_guess: true }
}
