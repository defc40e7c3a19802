//! What subcommands that serve boards run on.

use tokio_util::sync::CancellationToken;

use crate::cli::interrupt::if_watched;
use crate::fault::{Class, Fault};
use crate::run::cancel_on_signals;

/// Runs `work` to its end on two threads; the token that it gets is cancelled by Ctrl-C and SIGTERM.
///
/// # Errors
/// That of `work`, or that threads or signal handlers cannot be made.
pub(super) fn block_on<T, E: From<Fault>>(
    work: impl AsyncFnOnce(CancellationToken) -> Result<T, E>,
) -> Result<T, E> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Fault::from_error(Class::Infrastructure, "start", &error))?;
    runtime.block_on(async {
        // What came before, while something was waited for, counts.
        let cancel = match if_watched() {
            Some(cancel) => cancel,
            None => {
                let cancel = CancellationToken::new();
                cancel_on_signals(cancel.clone())
                    .map_err(|error| Fault::from_error(Class::Infrastructure, "signals", &error))?;
                cancel
            }
        };
        work(cancel).await
    })
}
