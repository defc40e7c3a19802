//! An outlet of a power switch that speaks SNMP, version 1 or 2c (RFC 1157, RFC 3416).

use std::fmt;
use std::io;
use std::time::Duration;

use async_snmp::{Auth, Client, Error, ErrorStatus, Oid, Retry, Value};
use tokio::time::{sleep, timeout};

use super::{PowerErrorKind, Time};
use crate::board::Secret;

/// When an object is asked for again that is said not to be there.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How long an answer is waited for before the question is repeated: slow switches think for a second.
const ANSWER: Duration = Duration::from_secs(2);

/// How often a question is repeated.
const REPEATS: u32 = 3;

/// How long the answer to an order is waited for that must not be repeated.
const ORDER: Duration = Duration::from_secs(8);

/// How long the host's name may take to be found.
const NAME: Duration = Duration::from_secs(5);

/// An outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snmp {
    /// The switch: its name or address.
    pub host: String,
    /// Its UDP port.
    pub port: u16,
    /// The protocol's version.
    pub version: SnmpVersion,
    /// What permits to switch.
    pub community: Secret,
    /// What is set and asked for.
    pub outlet: Outlet,
}

/// A version of SNMP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SnmpVersion {
    /// SNMPv1, which the oldest switches have alone.
    V1,
    /// SNMPv2c.
    #[default]
    V2c,
}

/// What switches an outlet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlet {
    /// On.
    pub on: SetValue,
    /// Off.
    pub off: SetValue,
    /// Off, a time that the switch knows, and on; if it can do that.
    pub reset: Option<SetValue>,
    /// Whether it is on.
    pub state: OutletState,
}

/// A number that an object is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetValue {
    /// The object.
    pub oid: Oid,
    /// The number.
    pub value: i32,
}

/// An object that says whether an outlet is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutletState {
    /// The object.
    pub oid: Oid,
    /// Its values where it is on, or about to be.
    pub on: Vec<i32>,
    /// Its values where it is off, or about to be.
    pub off: Vec<i32>,
}

/// SNMP did not do it. No text has the community.
#[derive(Debug, thiserror::Error)]
pub enum SnmpError {
    /// The name leads nowhere.
    #[error("there is no host `{host}`")]
    NoHost {
        /// The name.
        host: String,
    },
    /// It does not answer.
    #[error("no answer from {address} within {} s ({tries} tries)", waited.as_secs_f64().round())]
    Silent {
        /// Host and port.
        address: String,
        /// How long it was waited for.
        waited: Duration,
        /// How often it was asked.
        tries: u32,
    },
    /// The network does not lead to it, or nobody listens there.
    #[error("no way to {address}")]
    Network {
        /// Host and port.
        address: String,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// It does not know the object.
    #[error("{address} has no object {oid} ({said})")]
    NoObject {
        /// Host and port.
        address: String,
        /// The object.
        oid: String,
        /// The protocol's word.
        said: String,
    },
    /// It does not permit to set the object.
    #[error("{address} does not let {oid} be set ({said})")]
    Forbidden {
        /// Host and port.
        address: String,
        /// The object.
        oid: String,
        /// The protocol's word.
        said: String,
    },
    /// It does not take the value.
    #[error("{address} does not take {value} for {oid} ({said})")]
    Value {
        /// Host and port.
        address: String,
        /// The object.
        oid: String,
        /// What it was to be set to.
        value: i32,
        /// The protocol's word.
        said: String,
    },
    /// The object says something else than on or off.
    #[error("{oid} of {address} is {value}: neither on nor off")]
    State {
        /// Host and port.
        address: String,
        /// The object.
        oid: String,
        /// What it is.
        value: String,
    },
    /// Anything else.
    #[error("SNMP with {address}: {reason}")]
    Other {
        /// Host and port.
        address: String,
        /// The library's words.
        reason: String,
    },
}

impl SnmpError {
    /// Whether the bench file is to be mended.
    pub const fn is_benchs(&self) -> bool {
        matches!(
            self,
            Self::NoHost { .. } | Self::NoObject { .. } | Self::Forbidden { .. } | Self::Value { .. }
        )
    }

    /// What to do about it, if that can be said.
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoHost { .. } => "`host` of the board's `power` is the switch's name or address",
            Self::Silent { .. } => {
                "it is off, SNMP of this version is not enabled in it, it does not speak to this PC, or it does not know the \
                 community, which it tells nobody: `snmpget -v2c -c COMMUNITY HOST 1.3.6.1.2.1.1.1.0` asks for its name"
            }
            Self::Network { .. } => "is SNMP enabled in the switch, and is `port` right?",
            Self::NoObject { .. } => {
                "is `model` the switch's, and has it this `outlet`? In SNMP version 1 it says the same where the community \
                 may not write"
            }
            Self::Forbidden { .. } => {
                "the community needs the right to write, which another may have: often `private`"
            }
            Self::Value { .. } => "look at the values in the switch's MIB, and at its rights for this outlet",
            _ => return None,
        };
        Some(help.to_owned())
    }
}

impl fmt::Display for Snmp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by SNMP ({})", self.address())
    }
}

impl Snmp {
    fn address(&self) -> String {
        async_snmp::Target::from((self.host.as_str(), self.port)).to_string()
    }

    /// Switches the outlet.
    pub(super) async fn set(&self, on: bool, time: &Time) -> Result<(), PowerErrorKind> {
        let wanted = if on { &self.outlet.on } else { &self.outlet.off };
        self.order(wanted, REPEATS, ANSWER, time).await
    }

    /// Has the outlet restarted. This is said once: a second order would restart it again.
    pub(super) async fn reset(&self, time: &Time) -> Result<(), PowerErrorKind> {
        match &self.outlet.reset {
            Some(wanted) => self.order(wanted, 0, ORDER, time).await,
            None => Ok(()),
        }
    }

    async fn order(
        &self,
        wanted: &SetValue,
        repeats: u32,
        answer: Duration,
        time: &Time,
    ) -> Result<(), PowerErrorKind> {
        let client = self.client(repeats, answer, time).await?;
        let value = Value::Integer(wanted.value);
        let set = timeout(time.left(), Box::pin(client.set(&wanted.oid, value))).await;
        match set {
            Err(_) => Err(self.silent(time.limit(), repeats + 1).into()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.error(&error, &wanted.oid, Some(wanted.value), repeats).into()),
        }
    }

    /// Whether the outlet is on.
    pub(super) async fn is_on(&self, time: &Time) -> Result<Option<bool>, PowerErrorKind> {
        match self.ask(time).await {
            // Net-snmp's agent says so now and then of what a program tells it, and knows the object a moment later.
            Err(PowerErrorKind::Snmp(SnmpError::NoObject { .. })) => {
                sleep(ASK_AGAIN).await;
                self.ask(time).await
            }
            told => told,
        }
    }

    /// Asks once, but for requests that are lost.
    async fn ask(&self, time: &Time) -> Result<Option<bool>, PowerErrorKind> {
        let OutletState { oid, on, off } = &self.outlet.state;
        let client = self.client(REPEATS, ANSWER, time).await?;
        let response = match timeout(time.left(), Box::pin(client.get(oid))).await {
            Err(_) => return Err(self.silent(time.limit(), REPEATS + 1).into()),
            Ok(response) => response.map_err(|error| self.error(&error, oid, None, REPEATS))?,
        };
        let value = response.single().map(|binding| &binding.value);
        let number = value.and_then(|value| value.as_i32().or_else(|| i32::try_from(value.as_u32()?).ok()));
        match (value, number) {
            (_, Some(number)) if on.contains(&number) => Ok(Some(true)),
            (_, Some(number)) if off.contains(&number) => Ok(Some(false)),
            (Some(value), _) if value.is_exception() => {
                let said = format!("{:?}", value.kind());
                Err(SnmpError::NoObject { address: self.address(), oid: oid.to_string(), said }.into())
            }
            (value, number) => {
                let kind =
                    || value.map_or("missing".to_owned(), |value| format!("of type {:?}", value.kind()));
                let value = number.map_or_else(kind, |number| number.to_string());
                Err(SnmpError::State { address: self.address(), oid: oid.to_string(), value }.into())
            }
        }
    }

    async fn client(&self, repeats: u32, answer: Duration, time: &Time) -> Result<Client, PowerErrorKind> {
        let community = self.community.reveal()?;
        let auth = match self.version {
            SnmpVersion::V1 => Auth::v1(community),
            SnmpVersion::V2c => Auth::v2c(community),
        };
        let other = |reason| SnmpError::Other { address: self.address(), reason };
        let retry = Retry::fixed(repeats, Duration::ZERO).map_err(|error| other(error.to_string()))?;
        let client = Client::builder((self.host.as_str(), self.port), auth)
            .request_timeout(answer)
            .construction_timeout(NAME.min(time.left()))
            .retry(retry);
        let client = Box::pin(client.connect()).await;
        Ok(client.map_err(|error| match *error {
            // Without a socket yet, that is the search for the name.
            Error::Network { source, .. } => SnmpError::Network { address: self.address(), source },
            Error::ConstructionTimeout { .. } | Error::Config(_) => {
                SnmpError::NoHost { host: self.host.clone() }
            }
            error => other(error.to_string()),
        })?)
    }

    fn silent(&self, waited: Duration, tries: u32) -> SnmpError {
        SnmpError::Silent { address: self.address(), waited, tries }
    }

    fn error(&self, error: &Error, oid: &Oid, value: Option<i32>, repeats: u32) -> SnmpError {
        let (address, oid) = (self.address(), oid.to_string());
        match error.exchange_source() {
            Error::Timeout { elapsed, .. } => self.silent(*elapsed, repeats + 1),
            Error::Network { source, .. } => {
                SnmpError::Network { address, source: io::Error::new(source.kind(), source.to_string()) }
            }
            Error::Snmp { status, .. } => {
                let said = status.to_string();
                match (status, value) {
                    (
                        ErrorStatus::NoSuchName | ErrorStatus::NoCreation | ErrorStatus::InconsistentName,
                        _,
                    ) => SnmpError::NoObject { address, oid, said },
                    (
                        ErrorStatus::NoAccess
                        | ErrorStatus::NotWritable
                        | ErrorStatus::ReadOnly
                        | ErrorStatus::AuthorizationError,
                        _,
                    ) => SnmpError::Forbidden { address, oid, said },
                    (
                        ErrorStatus::BadValue
                        | ErrorStatus::WrongType
                        | ErrorStatus::WrongLength
                        | ErrorStatus::WrongEncoding
                        | ErrorStatus::WrongValue
                        | ErrorStatus::InconsistentValue,
                        Some(value),
                    ) => SnmpError::Value { address, oid, value, said },
                    _ => SnmpError::Other { address, reason: format!("{oid}: {said}") },
                }
            }
            error => SnmpError::Other { address, reason: error.to_string() },
        }
    }
}
