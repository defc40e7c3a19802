//! Lines of this PC: those of the kernel's simulator, where it has that.

use std::fs;
use std::path::{Path, PathBuf};

use super::{bench, done, refused};

/// Where the simulator is told what to simulate.
const SIMULATOR: &str = "/sys/kernel/config/gpio-sim";

#[test]
fn a_chip_that_is_not_there_is_the_benchs_fault() {
    let power = "driver = \"gpio\"\nchip = \"gpiochip4711\"\nline = 1";
    refused(&bench(power), "on", 4, &["by GPIO (/dev/gpiochip4711, line 1)", "`gpiodetect`"]);
    let named = "driver = \"gpio\"\nline = \"no such line\"";
    refused(&bench(named), "on", 4, &["this PC has no line `no such line`", "`gpioinfo`"]);
}

#[test]
fn a_button_resets_and_does_nothing_else() {
    let power = "driver = \"gpio\"\nline = \"no such line\"\npulse_ms = 100";
    for action in ["on", "off", "status"] {
        refused(&bench(power), action, 4, &[&format!("cannot do `{action}`"), "docs/power.md"]);
    }
    refused(&bench(power), "cycle", 4, &["no line `no such line`"]);
}

/// A simulated chip with eight lines, of which the fourth is named; it goes when dropped.
struct Simulated {
    device: PathBuf,
}

impl Simulated {
    /// `None` where the kernel has no simulator, which is said.
    #[expect(clippy::print_stderr, reason = "what is not tested must be seen")]
    fn new() -> Option<Self> {
        if !Path::new(SIMULATOR).is_dir() {
            eprintln!("not tested: GPIO lines: the kernel has no {SIMULATOR} (`sudo modprobe gpio-sim`)");
            return None;
        }
        let device = Path::new(SIMULATOR).join(format!("host-runner-{}", std::process::id()));
        let bank = device.join("bank0");
        fs::create_dir_all(bank.join("line3")).expect("the simulator is for root");
        fs::write(bank.join("num_lines"), "8").expect("the simulator is for root");
        fs::write(bank.join("line3/name"), "host-runner-reset").expect("the simulator is for root");
        fs::write(device.join("live"), "1").expect("the simulator is for root");
        Some(Self { device })
    }

    fn chip(&self) -> String {
        let name = fs::read_to_string(self.device.join("bank0/chip_name")).expect("it is live");
        name.trim().to_owned()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        let _ = fs::write(self.device.join("live"), "0");
        for part in ["bank0/line3", "bank0", ""] {
            let _ = fs::remove_dir(self.device.join(part));
        }
    }
}

#[test]
fn lines_of_the_kernels_simulator_are_set() {
    let Some(simulated) = Simulated::new() else { return };
    let chip = simulated.chip();
    for line in ["3", "\"host-runner-reset\""] {
        for active_low in [false, true] {
            let power = format!(
                "driver = \"gpio\"\nchip = \"{chip}\"\nline = {line}\nactive_low = {active_low}\noff_s = 0"
            );
            for action in ["on", "off", "cycle"] {
                done(&bench(&power), action);
            }
        }
    }
    refused(&bench(&format!("driver = \"gpio\"\nchip = \"{chip}\"\nline = 8")), "on", 4, &["has no line 8"]);
    done(&bench("driver = \"gpio\"\nline = \"host-runner-reset\"\npulse_ms = 10"), "cycle");
}
