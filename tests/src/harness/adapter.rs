//! A USB serial adapter that can be unplugged while the board behind it goes on.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::running::PATIENCE;
use crate::fake_board::{Line, Options, PtyPair, on_line};

/// A pseudo-terminal in front of a fake board. Bytes move only while [`carry`](Self::carry) or
/// [`carry_until`](Self::carry_until) runs, so that a test knows what has passed when it pulls the plug.
#[derive(Debug)]
pub struct Adapter {
    path: PathBuf,
    pair: Option<PtyPair>,
    /// Its ends that were unplugged.
    unplugged: Vec<File>,
    board: TcpStream,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Adapter {
    /// Plugs an adapter in at `path`, with a fake board of `options` behind it.
    ///
    /// # Errors
    /// Those of the system.
    pub fn plug_in(path: &Path, options: Options) -> io::Result<Self> {
        let pair = Some(PtyPair::linked(path)?);
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let board = TcpStream::connect(listener.local_addr()?)?;
        let (line, _) = listener.accept()?;
        let thread = thread::spawn(move || on_line(&options, Line::connection(line)?));
        Ok(Self { path: path.to_owned(), pair, unplugged: Vec::new(), board, thread: Some(thread) })
    }

    /// Pulls the plug: whoever has the port open sees a hang-up, and its path is gone.
    ///
    /// # Errors
    /// Those of the system.
    pub fn unplug(&mut self) -> io::Result<()> {
        if let Some(pair) = self.pair.take() {
            self.unplugged.push(pair.hang_up()?);
        }
        Ok(())
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// Those of the system.
    pub fn replug(&mut self) -> io::Result<()> {
        self.pair = Some(PtyPair::linked(&self.path)?);
        Ok(())
    }

    /// Waits for somebody to open the port and carries bytes both ways until it is closed.
    ///
    /// # Errors
    /// Those of the system, and that of a line on which nothing moves.
    pub fn carry(&mut self) -> io::Result<()> {
        self.pump(None)
    }

    /// Like [`carry`](Self::carry), but stops behind the first `text` of the board.
    ///
    /// # Errors
    /// As [`carry`](Self::carry), and when the line ends without that text.
    pub fn carry_until(&mut self, text: &str) -> io::Result<()> {
        self.pump(Some(text.as_bytes()))
    }

    fn pump(&mut self, until: Option<&[u8]>) -> io::Result<()> {
        let pair = self.pair.as_ref().ok_or_else(|| io::Error::other("the adapter is unplugged"))?;
        pair.wait_for_peer()?;
        let mut port = pair.board()?;
        let mut said = Vec::new();
        loop {
            wait(&port, &self.board)?;
            if forward_typed(&mut port, &mut self.board)? == Forwarded::End {
                break;
            }
            if !is_readable(&self.board)? {
                continue;
            }
            let mut byte = [0];
            if self.board.read(&mut byte)? == 0 {
                break;
            }
            port.write_all(&byte)?;
            said.extend(byte);
            if until.is_some_and(|text| said.ends_with(text)) {
                return Ok(());
            }
        }
        match until {
            None => Ok(()),
            Some(_) => Err(io::Error::other("the line ended without the text")),
        }
    }
}

impl Drop for Adapter {
    fn drop(&mut self) {
        // Ends the board, unless it has ended.
        let _ = self.board.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            // A board that panicked has told so itself.
            let _ = thread.join();
        }
    }
}

#[derive(PartialEq, Eq)]
enum Forwarded {
    Something,
    End,
}

/// Waits for bytes of either side or a hang-up of the port.
fn wait(port: &File, board: &TcpStream) -> io::Result<()> {
    let mut ready = [PollFd::new(port, PollFlags::IN), PollFd::new(board, PollFlags::IN)];
    let limit = Timespec { tv_sec: PATIENCE.as_secs().cast_signed(), tv_nsec: 0 };
    match poll(&mut ready, Some(&limit))? {
        0 => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing moves on the line")),
        _ => Ok(()),
    }
}

fn is_readable(board: &TcpStream) -> io::Result<bool> {
    let mut ready = [PollFd::new(board, PollFlags::IN)];
    Ok(poll(&mut ready, Some(&Timespec::default()))? > 0)
}

/// Hands on what was typed; the end when the port was closed and all is handed on.
fn forward_typed(port: &mut File, board: &mut TcpStream) -> io::Result<Forwarded> {
    let mut ready = [PollFd::new(&*port, PollFlags::IN)];
    poll(&mut ready, Some(&Timespec::default()))?;
    let state = ready[0].revents();
    if state.contains(PollFlags::IN) {
        let mut buffer = [0; 4096];
        let count = port.read(&mut buffer)?;
        board.write_all(&buffer[..count])?;
    } else if state.contains(PollFlags::HUP) {
        return Ok(Forwarded::End);
    }
    Ok(Forwarded::Something)
}
