//! The kinds of processor that boards have, and what an agent for each is built, run and measured with.

/// A kind of processor.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// Its name in board types, and of the directory of its agent.
    pub(crate) name: &'static str,
    /// Rust's targets for it, the best one first. The agent uses nothing of a C library, so any will do.
    pub(super) targets: &'static [&'static str],
    /// Where Debian's Rust may have a standard library for it.
    pub(super) debian: Option<Debian>,
    /// The C compiler that links for it; none for the one that cargo takes by itself.
    pub(super) linker: Option<&'static str>,
    /// The Debian packages of the linker.
    pub(super) packages: &'static [&'static str],
    /// The program that runs its programs on this machine; none where they run by themselves.
    pub(crate) emulator: Option<&'static str>,
    /// Bytes that the stripped agent may have.
    pub(super) budget: u64,
    /// Whether a machine without a toolchain for it is to be put right; otherwise its agent is left out there.
    pub(super) is_required: bool,
}

/// An architecture in Debian.
#[derive(Debug)]
pub(super) struct Debian {
    /// Debian's name for it.
    pub(super) name: &'static str,
    /// Rust's target that Debian's standard library for it is of.
    pub(super) target: &'static str,
}

/// 32-bit Arm, as in a BeagleBone. A 115200 baud line carries its agent in less than ten seconds.
pub(crate) static ARMV7: Architecture = Architecture {
    name: "armv7",
    targets: &["armv7-unknown-linux-musleabihf", "armv7-unknown-linux-gnueabihf"],
    debian: Some(Debian { name: "armhf", target: "armv7-unknown-linux-gnueabihf" }),
    linker: Some("arm-linux-gnueabihf-gcc"),
    packages: &["gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross", "qemu-user-static"],
    emulator: Some("/usr/bin/qemu-arm-static"),
    budget: 64 * 1024,
    is_required: true,
};

/// 64-bit Arm, whose instructions are longer.
static AARCH64: Architecture = Architecture {
    name: "aarch64",
    targets: &["aarch64-unknown-linux-musl", "aarch64-unknown-linux-gnu"],
    debian: Some(Debian { name: "arm64", target: "aarch64-unknown-linux-gnu" }),
    linker: Some("aarch64-linux-gnu-gcc"),
    packages: &["gcc-aarch64-linux-gnu", "qemu-user-static"],
    emulator: Some("/usr/bin/qemu-aarch64-static"),
    budget: 96 * 1024,
    is_required: true,
};

/// 64-bit RISC-V, for which Debian bookworm has no Rust.
static RISCV64: Architecture = Architecture {
    name: "riscv64",
    targets: &["riscv64gc-unknown-linux-musl", "riscv64gc-unknown-linux-gnu"],
    debian: None,
    linker: Some("riscv64-linux-gnu-gcc"),
    packages: &["gcc-riscv64-linux-gnu", "qemu-user-static"],
    emulator: Some("/usr/bin/qemu-riscv64-static"),
    budget: 96 * 1024,
    is_required: false,
};

/// The bench PC's own, which also the fake board of the tests has.
static X86_64: Architecture = Architecture {
    name: "x86_64",
    targets: &["x86_64-unknown-linux-gnu"],
    debian: None,
    linker: None,
    packages: &[],
    emulator: None,
    budget: 96 * 1024,
    is_required: true,
};

/// All that an agent can be built for on this machine.
pub(crate) fn all() -> Vec<&'static Architecture> {
    let mut all = vec![&ARMV7, &AARCH64, &RISCV64];
    if cfg!(target_arch = "x86_64") {
        all.push(&X86_64);
    }
    all
}
