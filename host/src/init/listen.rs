//! Listening to a board: to a serial port at the speeds that boards have, or to a console in the network, which has none.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::banner::{Banner, QUESTION, TakesCommands};
use crate::doctor::Heard;
use crate::link::{self, Console, OpenError, Target};
use crate::net::Net;

/// The speeds that are tried, the usual one first, in baud.
const SPEEDS: [u32; 5] = [115_200, 1_500_000, 921_600, 57_600, 9600];
/// How long a board that has shown itself is listened to further.
const FURTHER: Duration = Duration::from_secs(1);
/// How often a key is typed at most to stop U-Boot's countdown.
const MOST_KEYS: u32 = 4;

/// What came of listening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listened {
    /// Whether what came was text, and not noise.
    pub is_text: bool,
    /// The speed at which it was; `None` for a console in the network.
    pub baud: Option<u32>,
    /// What was understood.
    pub banner: Option<Banner>,
    /// The last lines, printable; empty if nothing came.
    pub last: String,
    /// The speeds at which noise came.
    pub noise: Vec<u32>,
    /// The speeds at which nothing came, though something had come before.
    pub silent: Vec<u32>,
}

/// How a port is listened to.
pub struct Ear<'a> {
    /// How long, at each speed.
    pub time: Duration,
    /// Whether keys may be typed: Enter where nothing comes, and U-Boot asked what it is on.
    pub types: bool,
    /// Told each speed before it is listened to, in baud, and whether the board must be reset again for that: after its
    /// boot, most boards say nothing by themselves. A console in the network has no speed.
    pub begin: &'a (dyn Fn(Option<u32>, bool) + Sync),
}

/// Listens to the port at `path` at each speed, until something is text.
///
/// # Errors
/// The port cannot be opened.
pub async fn listen(path: &Path, ear: &Ear<'_>) -> Result<Listened, OpenError> {
    let mut listened = Listened::default();
    for baud in SPEEDS {
        (ear.begin)(Some(baud), !listened.noise.is_empty());
        let heard = hear_once(&Target::Serial { path: path.to_owned(), baud }, ear).await?;
        if heard.bytes() == 0 {
            if !listened.noise.is_empty() {
                listened.silent.push(baud);
            } else if !ear.types {
                // A board that says nothing at one speed says nothing at another, unless it is asked.
                break;
            }
            continue;
        }
        listened.last = heard.tail();
        if is_text(&heard) {
            let banner = Banner::find(&heard.text());
            return Ok(Listened { is_text: true, baud: Some(baud), banner, ..listened });
        }
        listened.noise.push(baud);
    }
    Ok(listened)
}

/// Listens to a console in the network.
///
/// # Errors
/// It cannot be reached.
pub async fn listen_in_network(target: &Target, ear: &Ear<'_>) -> Result<Listened, OpenError> {
    (ear.begin)(None, false);
    let heard = hear_once(target, ear).await?;
    let (is_text, banner) = (is_text(&heard), Banner::find(&heard.text()));
    Ok(Listened { is_text, banner, last: heard.tail(), ..Listened::default() })
}

fn is_text(heard: &Heard) -> bool {
    heard.noise().is_none() && heard.letters() > 2
}

/// What a board says while it is listened to once; where it says nothing, and may be typed to, also after Enter.
async fn hear_once(target: &Target, ear: &Ear<'_>) -> Result<Heard, OpenError> {
    let heard = Heard::new();
    let mut console = link::open(target, &Net::Host, heard.tap(), heard.notice()).await?;
    hear(&mut console, &heard, ear).await;
    if heard.bytes() == 0 && ear.types {
        // A port that does not take it says nothing either.
        let _ = timeout_at(Instant::now() + ear.time, console.write_all(b"\r")).await;
        hear(&mut console, &heard, ear).await;
    }
    Ok(heard)
}

/// Listens until the time is over, or a little after U-Boot or a login has shown itself. U-Boot is asked what it is on.
async fn hear(console: &mut Console, heard: &Heard, ear: &Ear<'_>) {
    let mut until = Instant::now() + ear.time;
    let (mut is_known, mut has_asked) = (false, false);
    let mut keys = 0;
    let mut buffer = [0; 4096];
    // An error of the line ends it like its time does: what was heard counts.
    while let Ok(Ok(1..)) = timeout_at(until, console.read(&mut buffer)).await {
        let Some(banner) = Banner::find(&heard.text()) else { continue };
        if !is_known {
            is_known = true;
            // One that is to be asked has all of its time: between its first words and its countdown it may look at disks.
            until = if ear.types && banner.is_uboot {
                Instant::now() + ear.time
            } else {
                until.min(Instant::now() + FURTHER)
            };
        }
        if !ear.types {
            continue;
        }
        let words: &[u8] = match banner.takes_commands {
            TakesCommands::Yes if has_asked => break,
            TakesCommands::Yes => QUESTION,
            TakesCommands::AfterKey if !has_asked && keys < MOST_KEYS => b" ",
            TakesCommands::AfterKey | TakesCommands::No => continue,
        };
        match banner.takes_commands {
            TakesCommands::Yes => has_asked = true,
            TakesCommands::AfterKey | TakesCommands::No => keys += 1,
        }
        let _ = timeout_at(until, console.write_all(words)).await;
    }
}
