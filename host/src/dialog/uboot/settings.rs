//! What a board's U-Boot looks like and how patient one is with it.

use std::time::Duration;

use regex::bytes::Regex;

use super::UbootError;
use crate::limit::Limit;

/// How a board's U-Boot talks; from the board type, the bench file and the job.
#[derive(Clone, Debug)]
pub struct UbootSettings {
    /// Text that asks for a key: `Hit any key to stop autoboot`.
    pub autoboot_prompt: Regex,
    /// What stops the autoboot, often one space.
    pub interrupt: Vec<u8>,
    /// The prompt, at the start of a line and with only blanks behind it: `=> `.
    pub prompt: Regex,
    /// Texts that a command prints when it failed, each part of a line.
    pub errors: Vec<String>,
    /// What the last command prints when the kernel starts: `Starting kernel`.
    pub final_message: Regex,
    /// Longest command line in bytes, one less than U-Boot's `CONFIG_SYS_CBSIZE` (often 512 or 1024).
    pub line_limit: usize,
    /// Pause between two characters, on top of waiting for their echo; LAVA's `boot_character_delay`.
    pub character_delay: Duration,
    /// How long its parts may take.
    pub limits: UbootLimits,
    /// How often the board may start again before that is a [`UbootError::ResetLoop`].
    pub max_resets: u32,
}

/// How long the parts of the conversation may take; what has no limit of its own ends with the whole.
#[derive(Clone, Debug, Default)]
pub struct UbootLimits {
    /// From the board's start to U-Boot's first prompt: LAVA's action `bootloader-interrupt`.
    pub interrupt: Option<Limit>,
    /// The autoboot prompt, and then the prompt, each: LAVA's connection time-out of that action.
    pub interrupt_answer: Option<Limit>,
    /// All commands together: LAVA's action `bootloader-commands`.
    pub commands: Option<Limit>,
    /// Each command: LAVA's connection time-out of that action.
    pub command_answer: Option<Limit>,
}

impl UbootSettings {
    pub(super) fn check(&self, command: &str) -> Result<(), UbootError> {
        if command.len() > self.line_limit {
            return Err(UbootError::LineTooLong {
                command: command.to_owned(),
                length: command.len(),
                limit: self.line_limit,
            });
        }
        if command.bytes().any(|byte| !matches!(byte, b' '..=b'~')) {
            return Err(UbootError::NotPrintable { command: command.to_owned() });
        }
        Ok(())
    }

    /// The first line of `lines` that holds an error text, and that text.
    pub(super) fn error_in(&self, lines: &[u8]) -> Option<(String, String)> {
        lines.split(|&byte| byte == b'\n').find_map(|line| {
            let line = String::from_utf8_lossy(line);
            let matched = self.errors.iter().find(|error| line.contains(error.as_str()))?;
            Some((line.trim().to_owned(), matched.clone()))
        })
    }
}

/// Where the conversation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The board was just switched on or reset.
    PowerOn,
    /// U-Boot is at its prompt.
    Prompt,
}

/// Where the conversation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// At U-Boot's prompt, after the last command.
    Prompt,
    /// When the last command has started the kernel.
    Kernel,
}

/// What the conversation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UbootReport {
    /// How often the board started again on the way; more than 0 deserves a warning.
    pub resets: u32,
}
