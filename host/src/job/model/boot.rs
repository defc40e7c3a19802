//! `boot` blocks.

use super::Located;
use super::deploy::BootImage;

/// A boot by U-Boot commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootUboot {
    /// What is typed.
    pub commands: Located<BootCommands>,
    /// `type: bootz` and the like, an older form of the kernel's `type`.
    pub image: Option<BootImage>,
    /// `parameters: bootloader-final-message`: U-Boot's last words, a regular expression.
    pub bootloader_final_message: Option<String>,
    /// How the board is restarted before.
    pub reset: Reset,
    /// How a shell is reached.
    pub shell: ShellSpec,
}

/// A boot that ends at U-Boot's prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootBootloader {
    /// What is typed, if anything.
    pub commands: Option<Located<BootCommands>>,
    /// U-Boot's prompts: regular expressions that compile. Empty if those of the board type do.
    pub prompts: Vec<String>,
    /// How the board is restarted before.
    pub reset: Reset,
}

/// A boot of what is on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootMinimal {
    /// How the board is restarted before.
    pub reset: Reset,
    /// How a shell is reached.
    pub shell: ShellSpec,
}

/// Another connection to a board that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewConnection {
    /// Name of the connection in the bench file.
    pub connection: Located<String>,
    /// How a shell is reached.
    pub shell: ShellSpec,
}

/// How a board is restarted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reset {
    /// `reset`: whether it is at all.
    pub wanted: bool,
    /// `soft_reboot`: commands that restart a running Linux; the first that does is enough. For boards without power
    /// commands.
    pub soft_reboot: Vec<String>,
    /// `parameters: shutdown-message`: what the kernel says when it restarts.
    pub shutdown_message: Option<String>,
}

/// How a shell is reached, from the kernel's first words on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShellSpec {
    /// Shell prompts: regular expressions that compile. Empty if no shell is waited for.
    pub prompts: Vec<String>,
    /// How to log in; without it, a shell comes up by itself.
    pub auto_login: Option<AutoLogin>,
    /// `parameters: kernel-start-message`: the kernel's first words, a regular expression.
    pub kernel_start_message: Option<String>,
    /// `failure_message`: text that means that the boot failed, a regular expression.
    pub failure_message: Option<String>,
    /// `ignore_kernel_messages`: whether kernel warnings are left alone.
    pub ignore_kernel_messages: bool,
    /// `transfer_overlay`: how the board fetches the tests, where its root filesystem is not ours.
    pub transfer: Option<TransferCommands>,
}

/// Commands for a shell of the board's system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferCommands {
    /// `download_command`: fetches the URL that is written behind it into a file of the URL's name.
    pub download: String,
    /// `unpack_command`: unpacks the compressed tar whose name is written behind it in `/`.
    pub unpack: String,
}

/// U-Boot commands of a boot block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BootCommands {
    /// The name of a list of the board type, such as `nfs`.
    Named(String),
    /// The commands themselves.
    Inline(Vec<String>),
}

/// How to log in at a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoLogin {
    /// A regular expression.
    pub login_prompt: String,
    /// The user.
    pub username: String,
    /// A regular expression; only with `password`.
    pub password_prompt: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// Commands typed after the first shell prompt.
    pub login_commands: Vec<String>,
}

/// A login over SSH.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootSsh {
    /// Where to.
    pub address: SshAddress,
}

/// Whose address an SSH login goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SshAddress {
    /// That of a message that the deployment has waited for.
    Message {
        /// `parameters: hostID`: the message.
        host_id: Located<String>,
        /// `parameters: host_key`: the message's key whose value is the address.
        host_key: Located<String>,
    },
    /// That of the role's own board, in the bench file.
    Board,
}
