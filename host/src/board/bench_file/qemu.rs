//! `qemu` of a board that the runner emulates.

use std::path::PathBuf;

use super::BenchFile;
use crate::board::QemuSettings;
use crate::diagnostic::{Code, Diagnostic};
use crate::document::Fields;

/// U-Boot of Debian's `u-boot-qemu`.
pub(crate) const FIRMWARE: &str = "/usr/lib/u-boot/qemu_arm/u-boot.bin";

/// Memory where the bench file says nothing, in MiB.
pub(crate) const MEMORY_MB: u32 = 512;

/// Least and most memory, in MiB.
pub(crate) const MIN_MEMORY_MB: u32 = 64;
pub(crate) const MAX_MEMORY_MB: u32 = 3072;

impl BenchFile<'_> {
    /// Refuses `qemu` where there is no emulator.
    pub(super) fn no_qemu(&mut self, parent: &Fields<'_>) {
        if let Some(node) = parent.get("qemu") {
            let message = "`qemu` is only for boards with `console = \"qemu\"`";
            self.reader.report(Diagnostic::error(Code::InvalidConsole, node.span, message));
        }
    }

    /// `qemu`: what the emulator needs.
    pub(super) fn qemu(&mut self, parent: &Fields<'_>) -> QemuSettings {
        let defaults = QemuSettings { initrd: None, firmware: PathBuf::from(FIRMWARE), memory_mb: MEMORY_MB };
        let Some(fields) = parent.get("qemu").and_then(|node| self.reader.fields(node, "qemu")) else {
            return defaults;
        };
        let initrd = self.path(&fields, "initrd");
        let firmware = self.path(&fields, "firmware");
        let memory = fields.get("memory_mb");
        let memory =
            memory.and_then(|node| self.reader.integer(node, "memory_mb", MIN_MEMORY_MB, MAX_MEMORY_MB));
        fields.finish(&mut self.reader);
        QemuSettings {
            initrd,
            firmware: firmware.unwrap_or(defaults.firmware),
            memory_mb: memory.unwrap_or(defaults.memory_mb),
        }
    }
}
