//! Ctrl-C, SIGTERM and SIGHUP: the first stops the run and cleans up. A second Ctrl-C or SIGTERM ends the program at once.

use std::io::{self, Write as _};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::fault::{Class, exit_code};
use crate::report::terminal;

/// What the second signal leaves.
const AT_ONCE: &str = "stopped at once: what was still to be done is not (docs/exit-codes.md)";

/// How long a terminal may take to show that the program has ended; one that the user has stopped takes for ever.
const ERASE_TIME: Duration = Duration::from_secs(1);

/// Cancels `token` at the first signal and ends the program at the second; must be called within a runtime.
///
/// # Errors
/// When the signals cannot be watched.
pub fn cancel_on_signals(token: CancellationToken) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hang_up.recv() => (),
        }
        token.cancel();
        // A terminal that goes hangs up as often as it likes: the kernel says so, and its shell again.
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
        }
        let farewell = tokio::task::spawn_blocking(|| {
            terminal::erase();
            // Whoever asked twice may not see it any more.
            let _ = writeln!(io::stderr(), "{AT_ONCE}");
        });
        let _ = tokio::time::timeout(ERASE_TIME, farewell).await;
        #[expect(clippy::exit, reason = "the user asked twice; virtual boards die with this process")]
        std::process::exit(i32::from(exit_code(Some(Class::Cancelled))));
    });
    Ok(())
}
