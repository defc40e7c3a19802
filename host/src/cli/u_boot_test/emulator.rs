//! The virtual board of `u-boot-test-console`: the emulator with the U-Boot that was built.

use std::path::PathBuf;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::BUILD_DIRECTORY;
use super::place::Place;
use crate::board::QemuSettings;
use crate::board::qemu::{self, QemuBoard, QemuConfig, QemuError};
use crate::board::virtual_network::VirtualNetwork;
use crate::fault::{Chain, Class, Fault};

/// U-Boot in its build directory, as the emulator starts it.
const FIRMWARE: &str = "u-boot.bin";

/// How long the emulator may take to say why it has ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The emulator of a virtual board, which may be off.
pub(super) struct Emulator {
    place: String,
    config: QemuConfig,
    machine: Option<QemuBoard>,
    network: VirtualNetwork,
}

impl Emulator {
    /// Makes the network of the board of `place`; the board is off.
    pub(super) async fn new(place: &Place, settings: &QemuSettings) -> Result<Self, Fault> {
        let firmware = built_firmware(&place.name())?.unwrap_or_else(|| settings.firmware.clone());
        let program = std::env::current_exe()
            .map_err(|error| Fault::from_error(Class::Infrastructure, "virtual network", &error))?;
        let crate::board::VirtualNetwork { address, prefix } = place.bench.virtual_network;
        let network = VirtualNetwork::start(&program, address, prefix, 1).await.map_err(|error| {
            Fault::from_error(Class::Infrastructure, "virtual network", &error)
                .with_optional_help(error.help())
        })?;
        let seat = network
            .seats()
            .next()
            .ok_or_else(|| Fault::new(Class::Bug, "virtual network", "it has no place for a board"))?;
        let memory_mb = settings.memory_mb;
        let config = QemuConfig { binary: qemu::BINARY.into(), firmware, memory_mb, seat };
        Ok(Self { place: place.name(), config, machine: None, network })
    }

    /// Switches the board off, if it is on, and on. Its console.
    pub(super) async fn reset(&mut self) -> Result<UnixStream, Fault> {
        self.off().await?;
        let (console, machine) = QemuBoard::power_on(&self.network, &self.config).await.map_err(|error| {
            let help = match error {
                QemuError::Firmware { .. } => Some(format!("`make` has to build {FIRMWARE}")),
                _ => error.help(),
            };
            Fault::from_error(Class::Infrastructure, self.place.clone(), &error).with_optional_help(help)
        })?;
        self.machine = Some(machine);
        Ok(console)
    }

    /// Switches the board off.
    pub(super) async fn off(&mut self) -> Result<(), Fault> {
        let Some(machine) = self.machine.take() else { return Ok(()) };
        let off = machine.power_off().await;
        off.map_err(|error| Fault::from_error(Class::Infrastructure, self.place.clone(), &error))
    }

    /// Why the board has gone off by itself.
    pub(super) async fn last_words(&mut self) -> String {
        let Some(mut machine) = self.machine.take() else { return "it is off".to_owned() };
        match timeout(LAST_WORDS, machine.ended()).await {
            Ok(error) => Chain(&error).to_string(),
            Err(_) => format!("its console has ended, and QEMU has not within {} s", LAST_WORDS.as_secs()),
        }
    }
}

/// The U-Boot that was built, where `test/py` says where that is.
///
/// # Errors
/// There is none.
pub(super) fn built_firmware(place: &str) -> Result<Option<PathBuf>, Fault> {
    let Some(directory) = std::env::var_os(BUILD_DIRECTORY).filter(|directory| !directory.is_empty()) else {
        return Ok(None);
    };
    let path = PathBuf::from(directory).join(FIRMWARE);
    let path = std::path::absolute(&path)
        .map_err(|error| Fault::from_error(Class::Infrastructure, path.display().to_string(), &error))?;
    if path.is_file() {
        return Ok(Some(path));
    }
    let text =
        format!("there is no {}: a virtual board starts the U-Boot of the build directory", path.display());
    let help = "build it (`make qemu_arm_defconfig && make`), or copy there what is to be tested";
    Err(Fault::new(Class::Usage, place, text).with_help(help))
}
