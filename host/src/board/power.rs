//! Power of a board: the switches that a bench file can name, behind one interface.
//!
//! | `driver` | file | is the state read back? |
//! |---|---|---|
//! | none: commands | `commands` | yes, by the command `status` if there is one |
//! | `uhubctl` | `uhubctl` | yes |
//! | `snmp` | `snmp`, `snmp_model` | yes |
//! | `tasmota`, `shelly` | `tasmota`, `shelly`, over `http` | yes |
//! | `gpio` | `gpio` | no: a line is not looked at without being taken |
//! | `ask` | `ask` | no |

mod ask;
mod commands;
mod error;
mod gpio;
mod http;
mod shelly;
mod snmp;
mod snmp_model;
mod states;
mod switch;
mod tasmota;
#[cfg(test)]
mod tests;
mod time;
mod uhubctl;

use std::fmt;
use std::time::Duration;

use tokio::time::sleep;

pub use ask::{Ask, AskError};
pub use commands::PowerCommands;
pub use error::{PowerError, PowerErrorKind};
pub use gpio::{Gpio, GpioError, GpioLine};
pub use http::{HttpDevice, HttpError};
pub use shelly::Shelly;
pub use snmp::{Outlet, OutletState, SetValue, Snmp, SnmpError, SnmpVersion};
pub(crate) use snmp_model::MODELS;
pub use states::{State, States, states};
pub use switch::{Change, Switch};
pub use tasmota::Tasmota;
pub(crate) use uhubctl::PROGRAM as UHUBCTL;
pub use uhubctl::{Uhubctl, UsbHub, usb_hubs};

use super::Secret;
use time::Time;

/// How long a board stays off in a reset made of off and on, so that its capacitors discharge.
pub(crate) const OFF_TIME: Duration = Duration::from_secs(1);

/// How long switching may take where nobody says so, but for the time that the board stays off.
const USUAL_LIMIT: Duration = Duration::from_secs(60);

/// How long a switch may take from its answer to the state that it was told.
const SETTLING: Duration = Duration::from_secs(5);

/// How long an outlet may take from the order to restart until it is off.
const RESTARTING: Duration = Duration::from_secs(10);

/// How often its state is asked for meanwhile.
const ASK_EVERY: Duration = Duration::from_millis(250);

/// Tells a person what is to be done, where a switch needs one.
pub type Say<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// How the power of a board is switched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    /// What switches it.
    pub driver: Driver,
    /// `off_s`: how long it stays off in a reset. A switch that can restart an outlet by itself is asked to do so only
    /// where this is not given.
    pub off_time: Option<Duration>,
}

/// What switches a board's power.
#[expect(clippy::large_enum_variant, reason = "a bench has one for each board, and they do not move")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// Commands of the bench file.
    Commands(PowerCommands),
    /// A port of a USB hub.
    Uhubctl(Uhubctl),
    /// An outlet of a power switch that speaks SNMP.
    Snmp(Snmp),
    /// A relay with Tasmota.
    Tasmota(Tasmota),
    /// A relay of Shelly's.
    Shelly(Shelly),
    /// A line of this PC.
    Gpio(Gpio),
    /// A person.
    Ask(Ask),
}

/// What switches it, such as `by SNMP (pdu:161)`.
impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.driver {
            Driver::Commands(_) => f.write_str("by commands"),
            Driver::Uhubctl(hub) => hub.fmt(f),
            Driver::Snmp(snmp) => snmp.fmt(f),
            Driver::Tasmota(tasmota) => tasmota.fmt(f),
            Driver::Shelly(shelly) => shelly.fmt(f),
            Driver::Gpio(gpio) => gpio.fmt(f),
            Driver::Ask(_) => f.write_str("by hand"),
        }
    }
}

impl From<PowerCommands> for Power {
    fn from(commands: PowerCommands) -> Self {
        Self { driver: Driver::Commands(commands), off_time: None }
    }
}

impl Power {
    /// The commands, where it is switched by commands.
    pub const fn commands(&self) -> Option<&PowerCommands> {
        match &self.driver {
            Driver::Commands(commands) => Some(commands),
            _ => None,
        }
    }

    /// Whether it can do this.
    pub const fn can(&self, switch: Switch) -> bool {
        match (&self.driver, switch) {
            (Driver::Commands(commands), _) => commands.can(switch),
            (Driver::Gpio(gpio), Switch::On | Switch::Off) => gpio.pulse.is_none(),
            (Driver::Gpio(_) | Driver::Ask(_), Switch::Status) => false,
            _ => true,
        }
    }

    /// The password that it is switched with, if it needs one.
    pub const fn password(&self) -> Option<&Secret> {
        match &self.driver {
            Driver::Snmp(snmp) => Some(&snmp.community),
            Driver::Tasmota(Tasmota { device, .. }) | Driver::Shelly(Shelly { device, .. }) => {
                device.password.as_ref()
            }
            Driver::Commands(_) | Driver::Uhubctl(_) | Driver::Gpio(_) | Driver::Ask(_) => None,
        }
    }

    /// Whether a person is asked to switch it.
    pub const fn is_by_hand(&self) -> bool {
        matches!(self.driver, Driver::Ask(_))
    }

    /// How long switching may take where nobody says so; `None` for a person, who has as long as there is.
    pub fn usual_limit(&self) -> Option<Duration> {
        (!self.is_by_hand()).then(|| USUAL_LIMIT + self.off_time.unwrap_or_default())
    }

    /// What its state is asked of: boards with the same are asked one after the other, as a switch may take one session
    /// only. `None` where its state cannot be asked for.
    pub fn asked_of(&self) -> Option<String> {
        if !self.can(Switch::Status) {
            return None;
        }
        match &self.driver {
            Driver::Commands(commands) => commands.status.as_ref()?.first().cloned(),
            Driver::Uhubctl(_) => Some(UHUBCTL.to_owned()),
            Driver::Snmp(snmp) => Some(snmp.host.clone()),
            Driver::Tasmota(Tasmota { device, .. }) | Driver::Shelly(Shelly { device, .. }) => {
                Some(device.host.clone())
            }
            Driver::Gpio(_) | Driver::Ask(_) => None,
        }
    }

    /// What a reset is.
    pub const fn reset_is(&self) -> Change {
        match &self.driver {
            Driver::Commands(commands) if !commands.reset.is_empty() => Change::Reset,
            Driver::Snmp(snmp) if self.off_time.is_none() && snmp.outlet.reset.is_some() => Change::Reset,
            Driver::Gpio(gpio) if gpio.pulse.is_some() => Change::Reset,
            Driver::Ask(_) => Change::Reset,
            _ => Change::Cycle,
        }
    }

    /// What `switch` changes.
    pub const fn change(&self, switch: Switch) -> Option<Change> {
        match switch {
            Switch::On => Some(Change::On),
            Switch::Off => Some(Change::Off),
            Switch::Reset => Some(self.reset_is()),
            Switch::Status => None,
        }
    }

    /// What `switch` does, in words.
    pub fn words(&self, switch: Switch) -> String {
        self.change(switch).map_or_else(|| switch.to_string(), |change| change.to_string())
    }

    /// Does `switch`; `limit` is for all of it. The state, where what switches it tells: also after a change, as it is
    /// asked then whether it has obeyed.
    ///
    /// # Errors
    /// Where the switch cannot be reached, refuses, does not obey or takes too long.
    pub async fn run(
        &self,
        switch: Switch,
        limit: Duration,
        say: Say<'_>,
    ) -> Result<Option<bool>, PowerError> {
        let told = |is_on: bool| self.can(Switch::Status).then_some(is_on);
        match switch {
            Switch::On => self.on(limit, say).await.map(|()| told(true)),
            Switch::Off => self.off(limit, say).await.map(|()| told(false).filter(|_| self.can(Switch::Off))),
            Switch::Reset => self.reset(limit, say).await.map(|()| told(true)),
            Switch::Status => self.status(limit).await,
        }
    }

    /// Switches the power on.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn on(&self, limit: Duration, say: Say<'_>) -> Result<(), PowerError> {
        // On the heap, here and below: the library's futures are deep, and those of a run are around them.
        Box::pin(self.turn(true, &Time::new(limit), say)).await
    }

    /// Switches the power off. Does nothing where it cannot be switched off: the board stays on.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn off(&self, limit: Duration, say: Say<'_>) -> Result<(), PowerError> {
        if self.can(Switch::Off) { Box::pin(self.turn(false, &Time::new(limit), say)).await } else { Ok(()) }
    }

    /// Resets the board: as the switch does it by itself, if it can; else off, a while, and on.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn reset(&self, limit: Duration, say: Say<'_>) -> Result<(), PowerError> {
        let time = Time::new(limit);
        let failed = |kind| self.error(Switch::Reset, kind, &time);
        match (self.reset_is(), &self.driver) {
            (Change::Reset, Driver::Commands(commands)) => {
                commands.run(Switch::Reset, limit).await?;
                return self.settled(true, Switch::Reset, &time).await;
            }
            (Change::Reset, Driver::Snmp(snmp)) => {
                Box::pin(snmp.reset(&time)).await.map_err(failed)?;
                return Box::pin(self.restarted(&time)).await;
            }
            (Change::Reset, Driver::Gpio(gpio)) => return gpio.press(&time).await.map_err(failed),
            (Change::Reset, Driver::Ask(ask)) => {
                return ask.wait(Switch::Reset, &time, say).await.map_err(failed);
            }
            _ => {}
        }
        if self.can(Switch::Off) {
            Box::pin(self.turn(false, &time, say)).await?;
        }
        sleep(self.off_time.unwrap_or(OFF_TIME).min(time.left())).await;
        Box::pin(self.turn(true, &time, say)).await
    }

    /// Whether the power is on; `None` if that cannot be told.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn status(&self, limit: Duration) -> Result<Option<bool>, PowerError> {
        Box::pin(self.state(Switch::Status, &Time::new(limit))).await
    }

    /// Switches it, and sees that it obeys.
    async fn turn(&self, on: bool, time: &Time, say: Say<'_>) -> Result<(), PowerError> {
        let switch = if on { Switch::On } else { Switch::Off };
        let failed = |kind| self.error(switch, kind, time);
        match &self.driver {
            Driver::Commands(commands) => {
                commands.run(switch, time.left()).await?;
                Ok(())
            }
            Driver::Ask(ask) => return ask.wait(switch, time, say).await.map_err(failed),
            Driver::Uhubctl(hub) => hub.set(on, time).await,
            Driver::Snmp(snmp) => snmp.set(on, time).await,
            Driver::Tasmota(tasmota) => tasmota.set(on, time).await,
            Driver::Shelly(shelly) => shelly.set(on, time).await,
            Driver::Gpio(gpio) => gpio.set(on),
        }
        .map_err(failed)?;
        self.settled(on, switch, time).await
    }

    /// What a device or a command says of the state; `switch` is what it is asked for.
    async fn state(&self, switch: Switch, time: &Time) -> Result<Option<bool>, PowerError> {
        match &self.driver {
            Driver::Commands(commands) => return commands.state(time.left()).await,
            Driver::Uhubctl(hub) => hub.is_on(time).await.map(Some),
            Driver::Snmp(snmp) => snmp.is_on(time).await,
            Driver::Tasmota(tasmota) => tasmota.is_on(time).await.map(Some),
            Driver::Shelly(shelly) => shelly.is_on(time).await.map(Some),
            Driver::Gpio(_) | Driver::Ask(_) => Ok(None),
        }
        .map_err(|kind| self.error(switch, kind, time))
    }

    /// Waits until what can tell says that it is as `switch` told it to be.
    async fn settled(&self, on: bool, switch: Switch, time: &Time) -> Result<(), PowerError> {
        if !self.can(Switch::Status) {
            return Ok(());
        }
        let disobeyed = |after| PowerErrorKind::Disobeyed { wanted: on, after };
        self.until(on, switch, SETTLING, time, disobeyed).await
    }

    /// Waits until an outlet that restarts has been off and is on again.
    async fn restarted(&self, time: &Time) -> Result<(), PowerError> {
        let never = |after| PowerErrorKind::NeverOff { after };
        self.until(false, Switch::Reset, RESTARTING, time, never).await?;
        let stays = |after| PowerErrorKind::StaysOff { after };
        self.until(true, Switch::Reset, time.left(), time, stays).await
    }

    /// Waits until what can tell says that it is as `wanted`, at most for `patience`.
    async fn until(
        &self,
        wanted: bool,
        switch: Switch,
        patience: Duration,
        time: &Time,
        late: impl FnOnce(Duration) -> PowerErrorKind,
    ) -> Result<(), PowerError> {
        let patience = time.part(patience);
        loop {
            let last = match self.state(switch, time).await {
                Ok(Some(is_on)) if is_on == wanted => return Ok(()),
                Ok(_) => None,
                // Some are not to be asked for as long as they do it.
                Err(error) => Some(error),
            };
            sleep(ASK_EVERY).await;
            // Without time left nothing could be asked.
            if patience.is_over() {
                return Err(last.unwrap_or_else(|| self.error(switch, late(patience.limit()), time)));
            }
        }
    }

    fn error(&self, switch: Switch, kind: PowerErrorKind, time: &Time) -> PowerError {
        PowerError { switch, by: self.to_string(), kind: Box::new(kind), is_late: time.is_over() }
    }
}
