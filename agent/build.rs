//! Packs the helpers' scripts, decides whether the agent is built freestanding, and tells the linker so.
//!
//! A freestanding program cannot unwind. Cargo does not tell build scripts a profile's panic strategy, so the
//! `agent` profile is known by its name in the output path; for the boards' targets `.cargo/config.toml` sets it.

#[path = "build/scripts.rs"]
mod scripts;

use std::env;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY_S: u64 = 24 * 60 * 60;

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build/scripts.rs");
    println!("cargo::rerun-if-changed=scripts");
    scripts::pack(Path::new("scripts"), Path::new(&variable("OUT_DIR")))?;
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rustc-check-cfg=cfg(freestanding)");
    println!("cargo::rustc-env=AGENT_BUILT_UNIX_S={}", built_unix_s());
    println!("cargo::rustc-env=AGENT_ARCH={}", architecture());
    if variable("CARGO_CFG_PANIC") == "abort" || profile_is_agent() {
        println!("cargo::rustc-cfg=freestanding");
        for argument in [
            "-nostartfiles",
            "-nostdlib",
            "-static",
            "-no-pie",
            "-Wl,--gc-sections",
            "-Wl,--build-id=none",
            "-Wl,-z,noseparate-code",
            "-Wl,-z,norelro",
            // The data follow the code in the file without filling up a page.
            "-Wl,-z,common-page-size=64",
            "-Wl,--hash-style=gnu",
            "-Wl,--no-eh-frame-hdr",
        ] {
            println!("cargo::rustc-link-arg-bins={argument}");
        }
        println!("cargo::rerun-if-changed=discard.ld");
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{}/discard.ld", variable("CARGO_MANIFEST_DIR"));
    }
    Ok(())
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

fn profile_is_agent() -> bool {
    // <target directory>/<target>/<profile>/build/<package>/out
    Path::new(&variable("OUT_DIR")).ancestors().nth(3).is_some_and(|profile| profile.ends_with("agent"))
}

/// Start of the day of the build, so that two builds on one day are equal.
fn built_unix_s() -> u64 {
    if let Ok(given) = variable("SOURCE_DATE_EPOCH").parse() {
        return given;
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    now - now % DAY_S
}

fn architecture() -> String {
    match variable("CARGO_CFG_TARGET_ARCH").as_str() {
        "arm" => "armv7".to_owned(),
        other => other.to_owned(),
    }
}
