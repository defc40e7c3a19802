//! The USB serial adapters of this PC, by sysfs and the names that udev gives them.

use std::fs;
use std::path::{Path, PathBuf};

/// Numbers that adapters are sold with by the thousand: they tell none from another.
const SHARED_NUMBERS: [&str; 3] = ["0001", "0000", "12345678"];

/// Longest attribute that is read, in characters; the kernel's own have less.
const MOST: usize = 256;

/// Where the system shows its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// `/sys`
    pub sysfs: PathBuf,
    /// `/dev`
    pub dev: PathBuf,
}

/// A serial port that a board may be behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adapter {
    /// The device, such as `/dev/ttyUSB0`.
    pub device: PathBuf,
    /// Its name below `/dev/serial/by-id`.
    pub by_id: Option<PathBuf>,
    /// Its name below `/dev/serial/by-path`.
    pub by_path: Option<PathBuf>,
    /// USB vendor, four hexadecimal digits.
    pub vendor_id: Option<String>,
    /// USB product, four hexadecimal digits.
    pub product_id: Option<String>,
    /// Manufacturer and product in words.
    pub description: Option<String>,
    /// Its serial number, if it has one of its own.
    pub serial_number: Option<String>,
    /// The kernel's driver.
    pub driver: Option<String>,
}

impl Adapter {
    /// All USB adapters, by the names of their devices.
    pub fn all(places: &Places) -> Vec<Self> {
        let ports = fs::read_dir(places.sysfs.join("class/tty")).into_iter().flatten().flatten();
        let mut adapters: Vec<_> = ports.filter_map(|port| Self::of_port(places, &port.path())).collect();
        adapters.sort_by(|one, other| one.device.cmp(&other.device));
        adapters
    }

    /// A port that somebody has named: what is known of it, which may be nothing.
    pub fn named(places: &Places, path: &Path) -> Self {
        let device = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let known = Self::all(places)
            .into_iter()
            .find(|adapter| fs::canonicalize(&adapter.device).is_ok_and(|known| known == device));
        known.unwrap_or_else(|| Self { device: path.to_owned(), ..Self::default() })
    }

    fn of_port(places: &Places, port: &Path) -> Option<Self> {
        let interface = fs::canonicalize(port.join("device")).ok()?;
        // The port lies in an interface of the USB device, which has the numbers.
        let usb = interface.ancestors().find(|directory| directory.join("idVendor").is_file())?;
        let device = places.dev.join(port.file_name()?);
        let words = ["manufacturer", "product"].map(|name| attribute(usb, name));
        let words: Vec<_> = words.into_iter().flatten().collect();
        Some(Self {
            by_id: name_of(&places.dev.join("serial/by-id"), &device),
            by_path: name_of(&places.dev.join("serial/by-path"), &device),
            vendor_id: attribute(usb, "idVendor"),
            product_id: attribute(usb, "idProduct"),
            description: (!words.is_empty()).then(|| words.join(" ")),
            serial_number: attribute(usb, "serial")
                .filter(|number| !SHARED_NUMBERS.contains(&number.as_str())),
            driver: fs::canonicalize(port.join("device/driver"))
                .ok()
                .and_then(|driver| Some(driver.file_name()?.to_string_lossy().into_owned())),
            device,
        })
    }

    /// The name that stays: by serial number, else by the USB port, else that of the device.
    pub fn stable_name(&self) -> &Path {
        let by_number = self.by_id.as_ref().filter(|_| self.serial_number.is_some());
        by_number.or(self.by_path.as_ref()).unwrap_or(&self.device)
    }

    /// What it is, for people.
    pub fn describe(&self) -> String {
        let ids = self.vendor_id.as_ref().zip(self.product_id.as_ref());
        let parts = [
            self.description.clone(),
            ids.map(|(vendor, product)| format!("{vendor}:{product}")),
            self.serial_number.as_ref().map(|number| format!("serial number {number}")),
            self.driver.as_ref().map(|driver| format!("driver {driver}")),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        if parts.is_empty() { "no USB adapter".to_owned() } else { parts.join(", ") }
    }
}

/// An attribute of a device in sysfs, on one line and printable.
fn attribute(directory: &Path, name: &str) -> Option<String> {
    let text = fs::read_to_string(directory.join(name)).ok()?;
    let text: String = text.trim().chars().filter(|character| !character.is_control()).take(MOST).collect();
    (!text.is_empty()).then_some(text)
}

/// The link in `directory` that leads to `device`.
fn name_of(directory: &Path, device: &Path) -> Option<PathBuf> {
    let device = fs::canonicalize(device).ok()?;
    let mut names: Vec<_> = fs::read_dir(directory)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| fs::canonicalize(path).is_ok_and(|target| target == device))
        .collect();
    names.sort();
    names.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_that_stays_depends_on_what_the_adapter_has() {
        let adapter = Adapter {
            device: "/dev/ttyUSB0".into(),
            by_id: Some("/dev/serial/by-id/usb-x".into()),
            by_path: Some("/dev/serial/by-path/pci-y".into()),
            ..Adapter::default()
        };
        assert_eq!(adapter.stable_name(), Path::new("/dev/serial/by-path/pci-y"));
        let numbered = Adapter { serial_number: Some("FT1".to_owned()), ..adapter.clone() };
        assert_eq!(numbered.stable_name(), Path::new("/dev/serial/by-id/usb-x"));
        let bare = Adapter { by_path: None, ..adapter };
        assert_eq!(bare.stable_name(), Path::new("/dev/ttyUSB0"));
    }
}
