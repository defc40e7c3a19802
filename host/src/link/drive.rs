//! The driver of dialogs: the only place where a conversation meets a console and a clock.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep_until, timeout};

use crate::dialog::Dialog;

use super::Console;

/// How long a line may refuse bytes; longer than an unplugged serial port is waited for.
const WRITE_LIMIT: Duration = Duration::from_secs(60);

/// Why a dialog did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DriveError<E> {
    /// The conversation itself failed.
    #[error(transparent)]
    Dialog(E),
    /// The line ended: the other side closed it.
    #[error("the console was closed by the other side")]
    Closed,
    /// The line failed.
    #[error("the console failed")]
    Line(#[from] io::Error),
    /// The line took no bytes.
    #[error("the console took no input for {} s", .0.as_secs())]
    Stuck(Duration),
}

impl<E> DriveError<E> {
    /// What the conversation itself ended with, if the line did not fail.
    pub const fn dialog(&self) -> Option<&E> {
        match self {
            Self::Dialog(error) => Some(error),
            Self::Closed | Self::Line(_) | Self::Stuck(_) => None,
        }
    }
}

/// Runs `dialog` over `console` until it is done.
///
/// What arrived after the dialog's end stays in the console for the next reader. Dropping the future between two
/// dialogs' bytes is safe; the dialog bounds every wait.
///
/// # Errors
/// [`DriveError::Dialog`] when the conversation failed, else what happened to the line.
pub async fn drive<D: Dialog>(console: &mut Console, mut dialog: D) -> Result<D::Done, DriveError<D::Error>> {
    let mut buffer = [0; 4096];
    loop {
        if let Some(outcome) = settle(console, &mut dialog).await? {
            return outcome.map_err(DriveError::Dialog);
        }
        let count = tokio::select! {
            // What has arrived in time counts, however late this task is woken.
            biased;
            count = console.read(&mut buffer) => count?,
            () = until(dialog.poll_timeout()) => {
                dialog.handle_timeout(Instant::now().into_std());
                continue;
            }
        };
        let mut rest = buffer.get(..count).unwrap_or_default();
        if rest.is_empty() {
            return Err(DriveError::Closed);
        }
        // Line by line, so that a dialog ends with the line that ends it and leaves the next line to the next dialog.
        while !rest.is_empty() {
            let line = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |end| end + 1);
            let (head, tail) = rest.split_at(line);
            dialog.handle_input(Instant::now().into_std(), head);
            if let Some(outcome) = settle(console, &mut dialog).await? {
                console.unread(tail);
                return outcome.map_err(DriveError::Dialog);
            }
            rest = tail;
        }
        // A board that never stops talking does not put the deadline off.
        let now = Instant::now().into_std();
        if dialog.poll_timeout().is_some_and(|deadline| now >= deadline) {
            dialog.handle_timeout(now);
        }
    }
}

/// Sends all that `dialog` has to send, then asks whether it is done.
async fn settle<D: Dialog>(
    console: &mut Console,
    dialog: &mut D,
) -> Result<Option<Result<D::Done, D::Error>>, DriveError<D::Error>> {
    while let Some(bytes) = dialog.poll_transmit() {
        timeout(WRITE_LIMIT, async {
            console.write_all(&bytes).await?;
            console.flush().await
        })
        .await
        .map_err(|_elapsed| DriveError::Stuck(WRITE_LIMIT))??;
    }
    Ok(dialog.poll_done())
}

async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
