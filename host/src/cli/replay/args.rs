//! The arguments of `host-runner replay`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;

use crate::cli::args::DisplayArgs;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  host-runner replay runs/20260102T030405Z-my-job
  host-runner replay runs/20260102T030405Z-my-job --out again    all reports of it anew
  host-runner replay RUN --speed 10 --from boot-u-boot           as it was seen, ten times as fast
  host-runner replay RUN --console bbb1 --listen tcp://127.0.0.1:5000
      the board as it was recorded: with `console = \"tcp://127.0.0.1:5000\"` in the bench file, the same job runs on it";

/// `host-runner replay`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReplayArgs {
    /// The directory of the run
    pub(super) directory: PathBuf,
    /// Writes every report of the run again into this directory, which must not exist yet
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Shows the run as it was seen, with the live view, this many times as fast; `max` prints it at once
    #[arg(
        long,
        value_name = "N|max",
        default_value = "max",
        default_value_if("console", clap::builder::ArgPredicate::IsPresent, "1")
    )]
    pub(super) speed: Speed,
    /// Begins with this phase, or at this second of the run
    #[arg(long, value_name = "WHEN", conflicts_with = "out")]
    pub(super) from: Option<When>,
    /// Ends with this phase, or at this second of the run
    #[arg(long, value_name = "WHEN", conflicts_with = "out")]
    pub(super) until: Option<When>,
    /// Plays what the board of this node said on its console, and waits for what was typed
    #[arg(long, value_name = "NODE", requires = "listen", conflicts_with_all = ["out", "from", "until", "show", "verbose", "quiet"])]
    pub(super) console: Option<String>,
    /// Where the console can be connected to; port 0 takes one that is free
    #[arg(long, value_name = "tcp://HOST:PORT", requires = "console")]
    pub(super) listen: Option<Listen>,
    #[command(flatten)]
    pub(super) display: DisplayArgs,
}

/// How many times as fast as it was; `None`: at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Speed(pub(super) Option<f64>);

impl Speed {
    /// Slower, a second takes days; faster is `max`.
    const RANGE: std::ops::RangeInclusive<f64> = 0.001..=1_000_000.0;
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self(None));
        }
        let speed = text.parse().ok().filter(|speed| Self::RANGE.contains(speed));
        let speed = speed.ok_or("neither `max` nor a number from 0.001 to 1000000, such as 10")?;
        Ok(Self(Some(speed)))
    }
}

/// A moment of a run.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum When {
    /// So long after its start.
    At(Duration),
    /// That of a phase.
    Phase(String),
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(seconds) => {
                Duration::try_from_secs_f64(seconds).map(Self::At).map_err(|error| error.to_string())
            }
            Err(_) => Ok(Self::Phase(text.to_owned())),
        }
    }
}

/// `tcp://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listen {
    pub(super) host: String,
    pub(super) port: u16,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.strip_prefix("tcp://").and_then(|rest| rest.rsplit_once(':'));
        let parts = parts.and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or("not of the form tcp://HOST:PORT, such as tcp://127.0.0.1:5000")?;
        Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tcp://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_times_and_ports_are_read_and_others_refused() {
        assert_eq!("max".parse(), Ok(Speed(None)));
        assert_eq!("2.5".parse(), Ok(Speed(Some(2.5))));
        for bad in ["0", "-1", "NaN", "inf", "fast", ""] {
            assert!(bad.parse::<Speed>().is_err(), "{bad}");
        }
        assert_eq!("90".parse(), Ok(When::At(Duration::from_secs(90))));
        assert_eq!("test-0".parse(), Ok(When::Phase("test-0".to_owned())));
        assert!("-1".parse::<When>().is_err());
        let listen = |host: &str, port| Ok(Listen { host: host.to_owned(), port });
        assert_eq!("tcp://127.0.0.1:5000".parse(), listen("127.0.0.1", 5000));
        assert_eq!("tcp://[::1]:0".parse(), listen("::1", 0));
        for bad in ["127.0.0.1:5000", "tcp://127.0.0.1", "tcp://a:70000"] {
            assert!(bad.parse::<Listen>().is_err(), "{bad}");
        }
    }
}
