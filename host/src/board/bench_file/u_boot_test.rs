//! `u_boot_test` of a board: what U-Boot's own tests need of it.

use std::time::Duration;

use super::BenchFile;
use crate::board::UBootTest;
use crate::diagnostic::Code;
use crate::document::Fields;

/// Longest time that writing U-Boot to a board may take, in seconds.
pub(crate) const MAX_FLASH_S: u32 = 3600;

impl BenchFile<'_> {
    /// `u_boot_test`; a virtual board takes U-Boot out of the build directory by itself.
    pub(super) fn u_boot_test(&mut self, board: &Fields<'_>, is_virtual: bool) -> UBootTest {
        let defaults = UBootTest::default();
        let Some(fields) = board.get("u_boot_test").and_then(|node| self.reader.fields(node, "u_boot_test"))
        else {
            return defaults;
        };
        let flash = fields.get("flash").and_then(|node| self.command(node, "flash"));
        let timeout = fields.get("flash_timeout_s");
        let timeout = timeout.and_then(|node| self.reader.integer(node, "flash_timeout_s", 1, MAX_FLASH_S));
        if let (true, Some(span)) = (is_virtual, fields.key_span("flash")) {
            let message = "a virtual board has no `flash`: it starts `u-boot.bin` of the build directory";
            self.error(Code::ExclusiveKeys, span, message);
        }
        fields.finish(&mut self.reader);
        UBootTest {
            flash,
            flash_timeout: timeout
                .map_or(defaults.flash_timeout, |seconds| Duration::from_secs(seconds.into())),
        }
    }
}
