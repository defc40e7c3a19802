//! Listening to a serial port at the speeds that boards have.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use super::banner::Banner;
use crate::doctor::Heard;
use crate::link::{self, Console, OpenError, Target};
use crate::net::Net;

/// The speeds that are tried, the usual one first, in baud.
const SPEEDS: [u32; 5] = [115_200, 1_500_000, 921_600, 57_600, 9600];

/// What came of listening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listened {
    /// The speed at which what came was text; `None` if nothing came, or only noise.
    pub baud: Option<u32>,
    /// What was understood.
    pub banner: Option<Banner>,
    /// The last lines, printable; empty if nothing came.
    pub last: String,
}

/// Listens to the port at `path` for `time` at each speed, until something is text. With `types`, the Enter key is typed
/// where nothing comes.
///
/// # Errors
/// The port cannot be opened.
pub async fn listen(path: &Path, time: Duration, types: bool) -> Result<Listened, OpenError> {
    let mut last = String::new();
    for baud in SPEEDS {
        let heard = Heard::new();
        let target = Target::Serial { path: path.to_owned(), baud };
        let mut console = link::open(&target, &Net::Host, heard.tap(), heard.notice()).await?;
        hear(&mut console, &heard, time).await;
        if heard.bytes() == 0 && types {
            // A port that does not take it says nothing either.
            let _ = timeout_at(Instant::now() + time, console.write_all(b"\r")).await;
            hear(&mut console, &heard, time).await;
        }
        if heard.bytes() == 0 {
            // A board that says nothing at one speed says nothing at another, unless it is asked.
            if types {
                continue;
            }
            break;
        }
        last = heard.tail();
        if heard.noise().is_none() && heard.letters() > 2 {
            return Ok(Listened { baud: Some(baud), banner: Banner::find(&heard.text()), last });
        }
    }
    Ok(Listened { baud: None, banner: None, last })
}

/// Listens until `time` is over, or a second after U-Boot or a login has shown itself.
async fn hear(console: &mut Console, heard: &Heard, time: Duration) {
    let mut until = Instant::now() + time;
    let mut is_known = false;
    let mut buffer = [0; 4096];
    // An error of the line ends it like its time does: what was heard counts.
    while let Ok(Ok(1..)) = timeout_at(until, console.read(&mut buffer)).await {
        if !is_known && Banner::find(&heard.text()).is_some() {
            is_known = true;
            until = until.min(Instant::now() + Duration::from_secs(1));
        }
    }
}
