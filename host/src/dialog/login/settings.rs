//! What a login looks like, and what it came to.

use regex::bytes::Regex;

use crate::dialog::expired::LastOutput;
use crate::dialog::{Complaints, Expired, KernelFailure};
use crate::fault::Class;
use crate::limit::Limit;

/// What is awaited between boot loader and shell; from the job's boot action and the board type.
#[derive(Clone, Debug)]
pub struct LoginSettings {
    /// Whether the board has just been switched on: a boot loader speaks before the kernel.
    pub from_power_on: bool,
    /// The kernel's first message, `Linux version [0-9]`; `None` to go straight to the prompts.
    pub kernel_start: Option<Regex>,
    /// The job's `prompts`; the first match of any is the shell.
    pub prompts: Vec<Regex>,
    /// The job's `auto_login`; without it only the prompts are awaited.
    pub auto_login: Option<AutoLogin>,
    /// The job's `failure_message`.
    pub failure_message: Option<Regex>,
    /// How long its parts may take.
    pub limits: LoginLimits,
}

/// How long the parts of a login may take; what has no limit of its own ends with the whole.
#[derive(Clone, Debug, Default)]
pub struct LoginLimits {
    /// From the boot loader's last words to the shell: LAVA's action `auto-login-action`.
    pub whole: Option<Limit>,
    /// Each step: the kernel's first message, the login prompt, the shell's prompt: LAVA's connection time-out of that
    /// action.
    pub answer: Option<Limit>,
    /// The shell's prompt, from the moment when nothing else is to come before it: LAVA's action
    /// `expect-shell-connection`.
    pub shell: Option<Limit>,
}

/// LAVA's `auto_login`.
#[derive(Clone, Debug)]
pub struct AutoLogin {
    /// Asks for the user name: `login:`.
    pub login_prompt: Regex,
    /// The user name.
    pub username: String,
    /// Asks for the password: `Password:`.
    pub password_prompt: Regex,
    /// The password, if the user has one.
    pub password: Option<String>,
    /// Typed at the first shell prompt, one after the other.
    pub login_commands: Vec<String>,
}

/// A shell prompt was reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedIn {
    /// The text that matched one of the prompts.
    pub prompt: String,
    /// Complaints of the kernel on the way.
    pub complaints: Complaints,
}

/// Why there is no shell prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// Something did not come in time.
    #[error("{0}")]
    Expired(Expired),
    /// The kernel ended the boot.
    #[error("{failure}; {}", LastOutput(last_output))]
    Kernel {
        /// How.
        failure: KernelFailure,
        /// The board's last lines.
        last_output: String,
    },
    /// User name or password is wrong.
    #[error(
        "the login was refused: wrong user name or password in `auto_login`; {}",
        LastOutput(last_output)
    )]
    Refused {
        /// The board's last lines.
        last_output: String,
    },
    /// The board asks for a password, and the job has none.
    #[error("the login of {username} asks for a password, but the job's `auto_login` has none")]
    PasswordWanted {
        /// The job's user name.
        username: String,
    },
    /// The job's own failure message came.
    #[error("the job's `failure_message` came: {found:?}; {}", LastOutput(last_output))]
    FailureMessage {
        /// The text that matched.
        found: String,
        /// The board's last lines.
        last_output: String,
    },
}

impl LoginError {
    /// The wait that was in vain, if that is what failed.
    pub const fn expired(&self) -> Option<&Expired> {
        match self {
            Self::Expired(expired) => Some(expired),
            Self::Kernel { .. }
            | Self::Refused { .. }
            | Self::PasswordWanted { .. }
            | Self::FailureMessage { .. } => None,
        }
    }

    /// Whether the system has not come up, as opposed to one that has and refuses the login.
    pub fn is_of_kernel(&self) -> bool {
        matches!(self, Self::Expired(_) | Self::Kernel { .. } | Self::FailureMessage { .. })
    }

    /// Whose fault it is: a login that does not fit the system is the job's, everything else the board's.
    ///
    /// Source: LAVA's auto-login action makes "Login incorrect" a JobError.
    pub const fn class(&self) -> Class {
        match self {
            Self::Refused { .. } | Self::PasswordWanted { .. } => Class::Job,
            Self::Expired(_) | Self::Kernel { .. } | Self::FailureMessage { .. } => Class::Infrastructure,
        }
    }
}
