//! Which architecture a root filesystem is for: that of its own programs.

use super::error::InstallError;
use super::tree::{Found, Tree, resolve};

/// Programs that a root filesystem has, in the order in which they are looked for.
const PROGRAMS: [&str; 8] = [
    "bin/sh",
    "bin/busybox",
    "sbin/init",
    "init",
    "usr/bin/sh",
    "usr/bin/busybox",
    "usr/lib/systemd/systemd",
    "bin/bash",
];

/// Bytes of an ELF file up to its `e_flags`, in the longer of both layouts.
const HEADER: usize = 52;

/// ELF: `e_machine` and the class, as the System V ABI numbers them.
const MACHINES: [(u16, u8, &str); 4] = [
    // EM_ARM, EM_AARCH64, EM_X86_64, EM_RISCV
    (40, CLASS_32, "armv7"),
    (183, CLASS_64, "aarch64"),
    (62, CLASS_64, "x86_64"),
    (243, CLASS_64, "riscv64"),
];
const CLASS_32: u8 = 1;
const CLASS_64: u8 = 2;
/// `e_ident[EI_DATA]`: least significant byte first.
const LITTLE_ENDIAN: u8 = 1;

/// Names of a machine by `uname -m`, and the agent's architecture for it.
const UNAMES: [(&str, &str); 6] = [
    ("armv7l", "armv7"),
    // A 32-bit program on a 64-bit kernel.
    ("armv8l", "armv7"),
    ("aarch64", "aarch64"),
    ("arm64", "aarch64"),
    ("x86_64", "x86_64"),
    ("riscv64", "riscv64"),
];

/// Finds the architecture of the programs in `tree`.
///
/// # Errors
/// [`InstallError::UnknownArchitecture`] if no program tells it, or when the target cannot be read.
pub(super) fn of_tree(tree: &mut dyn Tree) -> Result<&'static str, InstallError> {
    for program in PROGRAMS {
        let Some(path) = resolve(tree, program)? else { continue };
        if let Some(Found::File { .. }) = tree.look(&path)?
            && let Some(arch) = of_elf(&tree.read(&path, HEADER)?)
        {
            return Ok(arch);
        }
    }
    Err(InstallError::UnknownArchitecture)
}

/// The architecture that a program is for; `None` for anything else.
fn of_elf(bytes: &[u8]) -> Option<&'static str> {
    let [0x7f, b'E', b'L', b'F', class, LITTLE_ENDIAN, ..] = bytes else { return None };
    let machine = u16::from_le_bytes(bytes.get(18..20)?.try_into().ok()?);
    MACHINES.iter().find(|(is, of, _)| *is == machine && of == class).map(|(.., arch)| *arch)
}

/// The agent's architecture for what `uname -m` says.
pub(super) fn of_uname(machine: &str) -> Option<&'static str> {
    UNAMES.iter().find(|(name, _)| *name == machine).map(|(_, arch)| *arch)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The beginning of a program for a machine.
    pub(in crate::agent_install) fn elf(machine: u16, class: u8) -> Vec<u8> {
        let mut header = vec![0; HEADER];
        header[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, LITTLE_ENDIAN]);
        header[18..20].copy_from_slice(&machine.to_le_bytes());
        header
    }

    #[test]
    fn programs_tell_what_they_run_on() {
        assert_eq!(of_elf(&elf(40, CLASS_32)), Some("armv7"));
        assert_eq!(of_elf(&elf(183, CLASS_64)), Some("aarch64"));
        // x32, MIPS, a script, the first bytes of a program.
        for other in
            [elf(62, CLASS_32), elf(8, CLASS_32), b"#!/bin/sh\n".to_vec(), b"\x7fELF\x01\x01".to_vec()]
        {
            assert_eq!(of_elf(&other), None);
        }
        assert_eq!(of_uname("armv7l"), Some("armv7"));
        assert_eq!(of_uname("mips"), None);
    }
}
