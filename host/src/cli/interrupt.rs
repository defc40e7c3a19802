//! Ctrl-C, SIGTERM and SIGHUP for work that waits without a runtime of its own: for a lease, or for a person's answer.

use std::future::pending;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio_util::sync::CancellationToken;

use crate::fault::{Class, Fault};
use crate::run::cancel_on_signals;

/// The token of the process, once somebody has asked for it.
static INTERRUPTED: Mutex<Option<CancellationToken>> = Mutex::new(None);

/// A token that the first of these signals cancels, from now on until the program ends. The second one ends the program.
///
/// # Errors
/// Where the signals cannot be watched.
pub(super) fn interrupted() -> Result<CancellationToken, Fault> {
    let mut watched = INTERRUPTED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(token) = &*watched {
        return Ok(token.clone());
    }
    let token = watch().map_err(|error| Fault::from_error(Class::Infrastructure, "signals", &error))?;
    Ok(watched.insert(token).clone())
}

/// That token, if somebody has asked for it.
pub(super) fn if_watched() -> Option<CancellationToken> {
    INTERRUPTED.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn watch() -> io::Result<CancellationToken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let token = CancellationToken::new();
    {
        // Here and not in the thread: no signal may come before.
        let _inside = runtime.enter();
        cancel_on_signals(token.clone())?;
    }
    thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(pending::<()>()))?;
    Ok(token)
}
