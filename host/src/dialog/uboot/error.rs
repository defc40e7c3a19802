//! Why a conversation with U-Boot failed.

use crate::dialog::Expired;
use crate::dialog::expired::LastOutput;
use crate::fault::Class;

/// Why a conversation with U-Boot failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UbootError {
    /// A command is longer than U-Boot's line buffer.
    #[error("a U-Boot command has {length} bytes, but this board's U-Boot takes {limit}: {command}")]
    LineTooLong {
        /// The command.
        command: String,
        /// Its length in bytes.
        length: usize,
        /// Most bytes that U-Boot takes.
        limit: usize,
    },
    /// A command holds characters that cannot be typed.
    #[error("a U-Boot command holds characters other than printable ASCII: {command:?}")]
    NotPrintable {
        /// The command.
        command: String,
    },
    /// Something did not come in time.
    #[error("{0}")]
    Expired(Expired),
    /// The autoboot was not stopped in time.
    #[error("U-Boot started the kernel before its autoboot was interrupted; {}", LastOutput(last_output))]
    Missed {
        /// The board's last lines.
        last_output: String,
    },
    /// What was typed did not come back, several times.
    #[error("U-Boot did not echo `{command}`: sent {sent:?}, got {echo:?}; characters are lost on the line")]
    Echo {
        /// The command.
        command: String,
        /// What was sent of it.
        sent: String,
        /// What came back.
        echo: String,
    },
    /// A command printed one of the board type's error texts.
    #[error(
        "U-Boot's `{command}` failed with {line:?} (known error text {matched:?}); {}",
        LastOutput(last_output)
    )]
    Command {
        /// The command.
        command: String,
        /// The line that says so.
        line: String,
        /// The text that was recognised.
        matched: String,
        /// The board's last lines.
        last_output: String,
    },
    /// The boot command came back.
    #[error("U-Boot fell back to its prompt after `{command}`; {}", LastOutput(last_output))]
    FellBack {
        /// The last command.
        command: String,
        /// The board's last lines.
        last_output: String,
    },
    /// The board starts again and again.
    #[error("the board reset {resets} times in U-Boot; {}", LastOutput(last_output))]
    ResetLoop {
        /// How often.
        resets: u32,
        /// The board's last lines.
        last_output: String,
    },
}

impl UbootError {
    /// Whose fault it is: a command that cannot be typed is the job's, everything else the board's.
    pub const fn class(&self) -> Class {
        match self {
            Self::LineTooLong { .. } | Self::NotPrintable { .. } => Class::Job,
            Self::Expired(_)
            | Self::Missed { .. }
            | Self::Echo { .. }
            | Self::Command { .. }
            | Self::FellBack { .. }
            | Self::ResetLoop { .. } => Class::Infrastructure,
        }
    }
}
