//! A line of this PC's own, by the kernel's GPIO character device.
//!
//! A line keeps its level as long as it is held. What it does when it is let go is the business of its driver: the kernel
//! promises nothing (Documentation/userspace-api/gpio/chardev.rst). So it is held from the first order until the runner ends.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gpiocdev::line::{Offset, Value};
use gpiocdev::request::Config;
use gpiocdev::{Chip, Request, find_named_line};
use rustix::io::Errno;
use tokio::time::sleep;

use super::{PowerErrorKind, Time};

/// Who holds the line, as `gpioinfo` shows it.
const CONSUMER: &str = "host-runner";

/// A line of this PC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gpio {
    /// Its chip, such as `/dev/gpiochip0`; without it, the first chip that has a line of that name.
    pub chip: Option<PathBuf>,
    /// Which line.
    pub line: GpioLine,
    /// Whether the low level is the active one.
    pub active_low: bool,
    /// How long a button is pressed, where the line is one: then a board can be reset and nothing else. Otherwise the
    /// line's level is the power.
    pub pulse: Option<Duration>,
    /// The line, once it is held.
    pub held: Held,
}

/// Which line of a chip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GpioLine {
    /// Its number.
    Number(Offset),
    /// Its name, as `gpioinfo` shows it.
    Name(String),
}

impl fmt::Display for GpioLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "line {number}"),
            Self::Name(name) => write!(f, "line `{name}`"),
        }
    }
}

/// A line that is held, by all who know the board. It is no part of what the bench file says.
#[derive(Clone, Debug, Default)]
pub struct Held(Arc<Mutex<Option<Arc<Request>>>>);

impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

/// A line cannot be had or set.
#[derive(Debug, thiserror::Error)]
pub enum GpioError {
    /// No chip, or not this one, has it.
    #[error("{place} has no {line}")]
    NoLine {
        /// Where it was looked for.
        place: String,
        /// Which.
        line: GpioLine,
    },
    /// The chip is not there, or is none.
    #[error("{} cannot be used", chip.display())]
    Chip {
        /// The chip.
        chip: PathBuf,
        /// The library's reason.
        #[source]
        source: Box<gpiocdev::Error>,
    },
    /// The kernel refuses.
    #[error("{line} of {} cannot be set{}", chip.display(), holder.as_ref().map(|name| format!(", `{name}` holds it")).unwrap_or_default())]
    Refused {
        /// The chip.
        chip: PathBuf,
        /// The line.
        line: GpioLine,
        /// Who holds it, if it is held.
        holder: Option<String>,
        /// The library's reason.
        #[source]
        source: Box<gpiocdev::Error>,
    },
    /// There is not enough time to press the button.
    #[error("a pulse of {} ms does not fit into {} ms", pulse.as_millis(), left.as_millis())]
    NoTime {
        /// The pulse.
        pulse: Duration,
        /// What is left.
        left: Duration,
    },
}

impl GpioError {
    /// Whether the bench file is to be mended.
    pub fn is_benchs(&self) -> bool {
        match self {
            Self::NoLine { .. } | Self::NoTime { .. } => true,
            Self::Chip { source, .. } => errno(source) != Some(Errno::ACCESS),
            Self::Refused { .. } => false,
        }
    }

    /// What to do about it, if that can be said.
    pub fn help(&self) -> Option<String> {
        let source = match self {
            Self::NoLine { .. } => {
                return Some("`gpioinfo`, of Debian's package gpiod, lists all lines".to_owned());
            }
            Self::NoTime { .. } => return Some("give a shorter `pulse_ms`, or the job more time".to_owned()),
            Self::Chip { source, .. } | Self::Refused { source, .. } => source,
        };
        let help = match errno(source)? {
            Errno::ACCESS => {
                "add yourself to the group of that device (`ls -l` shows it, often gpio) and log in again"
            }
            Errno::NOENT => "`gpiodetect`, of Debian's package gpiod, lists the chips",
            Errno::BUSY => "end what holds the line, or take its driver out of the device tree",
            _ => return None,
        };
        Some(help.to_owned())
    }
}

/// What the system says in an error of the library.
fn errno(error: &gpiocdev::Error) -> Option<Errno> {
    match error {
        gpiocdev::Error::Os(errno) | gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => {
            Some(Errno::from_raw_os_error(errno.0))
        }
        _ => None,
    }
}

impl fmt::Display for Gpio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chip {
            Some(chip) => write!(f, "by GPIO ({}, {})", chip.display(), self.line),
            None => write!(f, "by GPIO ({})", self.line),
        }
    }
}

/// A button that is pressed until this is dropped.
struct Pressed(Arc<Request>);

impl Drop for Pressed {
    fn drop(&mut self) {
        // The line is ours: the kernel has no reason to refuse, and there is nobody left to tell.
        let _ = self.0.set_lone_value(Value::Inactive);
    }
}

impl Gpio {
    /// Sets the line's level.
    pub(super) fn set(&self, on: bool) -> Result<(), PowerErrorKind> {
        Ok(self.drive(on).map(drop)?)
    }

    /// Presses the button, and lets it go also where nobody waits for that any more.
    pub(super) async fn press(&self, time: &Time) -> Result<(), PowerErrorKind> {
        let pulse = self.pulse.unwrap_or_default();
        let left = time.left();
        if pulse > left {
            return Err(GpioError::NoTime { pulse, left }.into());
        }
        let pressed = Pressed(self.drive(true)?);
        sleep(pulse).await;
        drop(pressed);
        Ok(())
    }

    /// Takes the line, if it is not held yet, and sets it.
    fn drive(&self, on: bool) -> Result<Arc<Request>, GpioError> {
        let mut held = self.held();
        let (chip, offset) = match &*held {
            Some(request) => {
                let failed = |source| self.refused(&request.chip_path(), None, source);
                request.set_lone_value(level(on)).map_err(failed)?;
                return Ok(Arc::clone(request));
            }
            None => self.find()?,
        };
        let request = Request::from_config(self.config(&chip, offset, on)).with_consumer(CONSUMER).request();
        let request = request.map_err(|source| self.refused(&chip, Some(offset), source))?;
        let request = Arc::new(request);
        *held = Some(Arc::clone(&request));
        Ok(request)
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<Request>>> {
        self.held.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the kernel is asked for.
    fn config(&self, chip: &Path, offset: Offset, on: bool) -> Config {
        let mut config = Config::default();
        config.on_chip(chip).with_line(offset).as_output(level(on));
        if self.active_low {
            config.as_active_low();
        }
        config
    }

    /// Chip and number of the line.
    fn find(&self) -> Result<(PathBuf, Offset), GpioError> {
        match (&self.chip, &self.line) {
            (Some(chip), line) => {
                let failed = |source| GpioError::Chip { chip: chip.clone(), source: Box::new(source) };
                let opened = Chip::from_path(chip).map_err(failed)?;
                let offset = match line {
                    GpioLine::Number(number) => {
                        (*number < opened.info().map_err(failed)?.num_lines).then_some(*number)
                    }
                    GpioLine::Name(name) => opened.find_line_info(name).map(|info| info.offset),
                };
                let place = || chip.display().to_string();
                let offset =
                    offset.ok_or_else(|| GpioError::NoLine { place: place(), line: line.clone() })?;
                Ok((chip.clone(), offset))
            }
            (None, GpioLine::Name(name)) => {
                let found = find_named_line(name).map(|found| (found.chip, found.info.offset));
                found.ok_or_else(|| self.nowhere())
            }
            (None, GpioLine::Number(_)) => Err(self.nowhere()),
        }
    }

    fn nowhere(&self) -> GpioError {
        GpioError::NoLine { place: "this PC".to_owned(), line: self.line.clone() }
    }

    fn refused(&self, chip: &Path, offset: Option<Offset>, source: gpiocdev::Error) -> GpioError {
        let info = offset.and_then(|offset| Chip::from_path(chip).ok()?.line_info(offset).ok());
        let holder = info.filter(|info| info.used).map(|info| info.consumer);
        GpioError::Refused {
            chip: chip.to_owned(),
            line: self.line.clone(),
            holder,
            source: Box::new(source),
        }
    }
}

/// The level in the line's own sense: the kernel turns it round where the low one is active.
const fn level(on: bool) -> Value {
    if on { Value::Active } else { Value::Inactive }
}

#[cfg(test)]
mod tests {
    use super::{Gpio, GpioError, GpioLine, Held, Path, Value};
    use crate::fault::Chain;

    fn gpio(chip: &str, line: GpioLine) -> Gpio {
        Gpio { chip: Some(chip.into()), line, active_low: false, pulse: None, held: Held::default() }
    }

    #[test]
    fn the_kernel_is_asked_for_an_output_with_its_first_level() {
        let mut line = gpio("/dev/gpiochip0", GpioLine::Number(17));
        for (active_low, on) in [(false, true), (false, false), (true, true), (true, false)] {
            line.active_low = active_low;
            let config = line.config(Path::new("/dev/gpiochip0"), 17, on);
            let config = config.line_config(17).unwrap();
            assert_eq!(
                (config.active_low, config.value),
                (active_low, Some(if on { Value::Active } else { Value::Inactive }))
            );
        }
    }

    #[test]
    fn what_is_no_chip_is_told_as_the_benchs_fault() {
        for (path, reason) in [("/dev/gpiochip4711", "No such file"), ("/dev/null", "is not a GPIO")] {
            let error = gpio(path, GpioLine::Number(1)).set(true).unwrap_err();
            let text = Chain(&error).to_string();
            assert!(text.starts_with(&format!("{path} cannot be used: ")) && text.contains(reason), "{text}");
        }
        let absent = gpio("/dev/gpiochip4711", GpioLine::Number(1)).find().unwrap_err();
        assert!(absent.is_benchs() && absent.help().unwrap().contains("gpiodetect"), "{absent}");
    }

    #[test]
    fn a_name_that_no_chip_has_is_told() {
        let mut line = gpio("", GpioLine::Name("no such line".to_owned()));
        line.chip = None;
        let error = line.find().unwrap_err();
        assert!(matches!(error, GpioError::NoLine { .. }));
        assert_eq!(error.to_string(), "this PC has no line `no such line`");
    }
}
