//! The texts of the helpers' shell scripts, which `build/scripts.rs` has packed: they would be a twelfth of the program.

use core::ffi::CStr;

use crate::runtime;

include!(concat!(env!("OUT_DIR"), "/scripts.rs"));

const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/scripts.lz"));

/// All scripts, unpacked.
pub(crate) struct Scripts([u8; LENGTH]);

impl Scripts {
    /// Unpacks the scripts.
    pub(crate) fn unpack() -> Self {
        let mut text = [0; LENGTH];
        let (mut filled, mut packed) = (0, PACKED.iter());
        while let Some(first) = packed.next() {
            // A match, of a length and from a distance back, or a byte that is itself.
            let (length, distance) = match (first & 0x80, usize::from(*first)) {
                (0, _) => (1, 0),
                (_, first) => {
                    let second = packed.next().map_or(0, |second| usize::from(*second));
                    ((first >> 3 & 0xf) + 3, ((first & 7) << 8 | second) + 1)
                }
            };
            for at in filled..filled + length {
                let byte =
                    if distance == 0 { *first } else { text.get(at - distance).copied().unwrap_or_default() };
                if let Some(place) = text.get_mut(at) {
                    *place = byte;
                }
            }
            filled += length;
        }
        Self(text)
    }

    /// Returns the text of a script.
    pub(crate) fn get(&self, script: Script) -> &CStr {
        let mut texts = self.0.split_inclusive(|byte| *byte == 0);
        runtime::c_str(texts.nth(script as usize).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_comes_out_as_it_went_in() {
        let table = [
            (Script::AddKeys, include_str!("../../scripts/add_keys.sh")),
            (Script::AddSources, include_str!("../../scripts/add_sources.sh")),
            (Script::InstallPackages, include_str!("../../scripts/install_packages.sh")),
            (Script::InstalledPackages, include_str!("../../scripts/installed_packages.sh")),
            (Script::OsBuild, include_str!("../../scripts/os_build.sh")),
            (Script::StartVms, include_str!("../../scripts/start_vms.sh")),
            (Script::TestRunner, include_str!("../../scripts/test_runner.sh")),
            (Script::TestShell, include_str!("../../scripts/test_shell.sh")),
            (Script::WaitForVms, include_str!("../../scripts/wait_for_vms.sh")),
        ];
        let scripts = Scripts::unpack();
        for (script, text) in table {
            assert_eq!(scripts.get(script).to_str(), Ok(text), "{script:?}");
        }
        assert_eq!(
            table.map(|(_, text)| text.len() + 1).iter().sum::<usize>(),
            LENGTH,
            "none is missing here"
        );
        assert!(PACKED.len() * 5 < LENGTH * 3, "{} of {LENGTH} bytes", PACKED.len());
    }
}
