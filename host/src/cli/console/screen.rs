//! The person's end of a console: the terminal, or pipes.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::thread;

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

/// Chunks of input that wait to be taken.
const MAX_WAITING: usize = 16;

/// Standard input and output, each key by itself where they are a terminal.
pub(in crate::cli) struct Screen {
    /// What is typed; it ends with standard input.
    pub(in crate::cli) input: mpsc::Receiver<Vec<u8>>,
    /// How the terminal was before.
    before: Option<Termios>,
}

impl Screen {
    /// Takes standard input and output.
    ///
    /// # Errors
    /// Where the terminal cannot be set, or there is no thread to read it.
    pub(in crate::cli) fn open() -> io::Result<Self> {
        let stdin = rustix::stdio::stdin();
        let before = match io::stdin().is_terminal() {
            true => Some(tcgetattr(stdin)?),
            false => None,
        };
        if let Some(before) = &before {
            let mut raw = before.clone();
            raw.make_raw();
            tcsetattr(stdin, OptionalActions::Now, &raw)?;
        }
        let (sender, input) = mpsc::channel(MAX_WAITING);
        let screen = Self { input, before };
        // Nothing can wake a thread that waits for a key: it ends with the process.
        thread::Builder::new().name("keys".to_owned()).spawn(move || read_input(&sender))?;
        Ok(screen)
    }

    /// Whether a person types.
    pub(in crate::cli) fn is_terminal(&self) -> bool {
        self.before.is_some()
    }

    /// Shows what the board says, as it is.
    pub(in crate::cli) fn show(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// Says something of this program's, on a line of its own.
    pub(in crate::cli) fn say(&self, text: &str) {
        let (begin, end) = if self.is_terminal() { ("\r\n", "\r\n") } else { ("", "\n") };
        let text = text.replace('\n', end);
        // Without standard error nobody is left to be told.
        let _ = write!(io::stderr(), "{begin}[{text}]{end}");
    }

    /// Shows what is typed to a question of this program's.
    pub(in crate::cli) fn echo(&self, text: &str) {
        let _ = write!(io::stderr(), "{text}");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Now, before);
        }
    }
}

fn read_input(sender: &mpsc::Sender<Vec<u8>>) {
    let mut bytes = [0; 1024];
    let mut stdin = io::stdin().lock();
    loop {
        match stdin.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(count @ 1..) => {
                let typed = bytes.get(..count).unwrap_or_default().to_vec();
                if sender.blocking_send(typed).is_err() {
                    return;
                }
            }
            _ => return,
        }
    }
}
