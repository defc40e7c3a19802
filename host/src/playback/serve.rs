//! A recorded console behind a TCP port.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::player::{Divergence, Player};
use super::script::Script;

/// Why a console was not played to its end.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port failed.
    #[error("the port cannot be used")]
    Accept(#[source] io::Error),
    /// The line failed.
    #[error("the line is lost")]
    Line(#[source] io::Error),
    /// The runner did something else than in the recording.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// The runner went before it had typed all.
    #[error("the line was closed before `{}` was typed", awaited.escape_ascii())]
    HungUp {
        /// What the recording has next.
        awaited: Vec<u8>,
    },
}

/// Plays `script` to whoever connects, `speed` times as fast as it was recorded or at once, until they hang up. Who hangs up
/// before anything was said or typed has only looked whether the port is there.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(listener: &TcpListener, script: &Script, speed: Option<f64>) -> Result<(), ServeError> {
    loop {
        let (line, _) = listener.accept().await.map_err(ServeError::Accept)?;
        let mut player = Player::new(script.clone(), speed, Instant::now());
        play(line, &mut player).await?;
        if !player.is_fresh() {
            return match player.awaited() {
                None => Ok(()),
                Some(awaited) => Err(ServeError::HungUp { awaited: awaited.to_vec() }),
            };
        }
    }
}

/// Plays until the other side hangs up.
async fn play(mut line: TcpStream, player: &mut Player) -> Result<(), ServeError> {
    let mut buffer = [0; 4096];
    loop {
        while let Some(said) = player.poll_transmit(Instant::now())? {
            match line.write_all(&said).await {
                Err(error) if is_hang_up(&error) => return Ok(()),
                written => written.map_err(ServeError::Line)?,
            }
        }
        let due = player.poll_timeout();
        let is_due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            read = line.read(&mut buffer) => match read {
                Ok(0) => return Ok(()),
                Err(error) if is_hang_up(&error) => return Ok(()),
                read => {
                    let count = read.map_err(ServeError::Line)?;
                    player.handle_input(Instant::now(), buffer.get(..count).unwrap_or_default())?;
                }
            },
            () = is_due => {}
        }
    }
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
