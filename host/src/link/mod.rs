//! Byte streams to boards: serial, TCP and telnet, a command; and the driver of dialogs.
//!
//! [`open`] turns a [`Target`] into a [`Console`], the one owner of a board's line. Everyone else subscribes: every
//! chunk in and out is reported to a [`Tap`], and what happens to the line itself to a [`Notice`].
//!
//! ```text
//! serial ─┐
//! tcp ────┤                       ┌─▶ Tap (log, terminal)
//! telnet ─┼─▶ Console ◀─▶ drive ──┴─▶ Dialog (u-boot, login, shell)
//! command ┤       ▲
//! qemu ───┘       └─▶ agent session
//! ```
//!
//! A [`ConsoleShare`] lets other processes see a console and type on it.

mod command;
mod console;
mod drive;
mod serial;
mod share;
mod target;
mod tcp;
mod telnet;

pub use command::CommandError;
pub use console::{Console, Notice, Port, Stream, Tap};
pub use drive::{DriveError, drive};
pub use serial::{Gone, SerialError};
pub(crate) use serial::{Holder, check_permission, check_serial, driver_of};
pub(crate) use share::may_attach;
pub use share::{ConsoleShare, Order, attach, control};
pub use target::{OpenError, Target, adopt, open};
pub use tcp::TcpError;
pub use telnet::{Telnet, TelnetStream};
