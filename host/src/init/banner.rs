//! What a board says of itself when it starts, and when it is asked.

use std::sync::LazyLock;

use regex::Regex;

static UBOOT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"U-Boot (SPL )?20\d\d\.\d\d").expect("a constant pattern is valid"));
static PROMPT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(=>|U-Boot[#>]) *\z").expect("a constant pattern is valid"));
static COUNTDOWN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(Hit any key|Press SPACE|Press any key) to (stop|abort) autoboot")
        .expect("a constant pattern is valid")
});
static MODEL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^Model: *(.{1,80}?)\s*$").expect("a constant pattern is valid"));
static NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^board(?:_name)?=(.{1,80}?)\s*$").expect("a constant pattern is valid")
});
static CPU: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^cpu=(\w{1,32})\s*$").expect("a constant pattern is valid"));
static LOGIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(\S{1,64}) login:").expect("a constant pattern is valid"));
/// Firmware that 64-bit Arm boards alone have (Trusted Firmware-A), and the kernel's first words on them.
static ARM64: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"NOTICE: +BL31|Booting Linux on physical CPU 0x[0-9a-f]{10}")
        .expect("a constant pattern is valid")
});

/// What boards call themselves, in small letters, and their built-in type.
const KNOWN: [(&str, &str); 3] =
    [("am335x", "beaglebone-black"), ("beaglebone", "beaglebone-black"), ("qemu", "qemu-virt-arm")];

/// What is asked at U-Boot's prompt: the processor of the build, and what the board calls itself (U-Boot,
/// `CONFIG_ENV_VARS_UBOOT_CONFIG`). A variable that is not there is an error for U-Boot and no harm.
pub(super) const QUESTION: &[u8] = b"printenv cpu board board_name\r";

/// What was understood of what a board said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banner {
    /// U-Boot is there: its version line, or its prompt.
    pub is_uboot: bool,
    /// U-Boot counts down, or is at its prompt.
    pub takes_commands: TakesCommands,
    /// What it calls itself, or the name of the system that asks for a login.
    pub model: Option<String>,
    /// Whether its processor is a 64-bit one, if that was said.
    pub is_64_bit: Option<bool>,
}

/// Whether U-Boot takes commands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TakesCommands {
    /// That is not to be seen.
    #[default]
    No,
    /// Once a key stops its countdown.
    AfterKey,
    /// It is at its prompt.
    Yes,
}

impl Banner {
    /// Reads what a board has said; `None` if there is nothing in it that is known.
    pub fn find(said: &str) -> Option<Self> {
        let said = said.replace('\r', "");
        let capture = |pattern: &Regex| Some(pattern.captures(&said)?.get(1)?.as_str().to_owned());
        let at_prompt = PROMPT.is_match(&said);
        let is_uboot = UBOOT.is_match(&said) || at_prompt;
        let takes_commands = match at_prompt {
            true => TakesCommands::Yes,
            false if COUNTDOWN.is_match(&said) => TakesCommands::AfterKey,
            false => TakesCommands::No,
        };
        let model = capture(&MODEL).or_else(|| capture(&NAME)).or_else(|| capture(&LOGIN));
        let cpu = capture(&CPU).map(|cpu| cpu == "armv8");
        let is_64_bit = cpu.or_else(|| ARM64.is_match(&said).then_some(true));
        (is_uboot || model.is_some()).then_some(Self { is_uboot, takes_commands, model, is_64_bit })
    }

    /// The built-in board type that it probably is: one of its own, else the one for all boards with its processor.
    pub fn board_type(&self) -> Option<&'static str> {
        let model = self.model.as_ref().map(|model| model.to_ascii_lowercase());
        let known = model.and_then(|model| KNOWN.iter().find(|(word, _)| model.contains(word)));
        let general = || match self.is_64_bit {
            Some(true) => Some("u-boot-arm64"),
            Some(false) => Some("u-boot-arm"),
            None => None,
        };
        known.map(|(_, board_type)| *board_type).or_else(general)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_is_known_by_its_banner() {
        let said =
            "\r\nU-Boot 2023.04 (Apr 03 2023)\r\n\r\nModel: TI AM335x BeagleBone Black\r\nDRAM: 512 MiB\r\n";
        let banner = Banner::find(said).unwrap();
        assert_eq!(banner.model.as_deref(), Some("TI AM335x BeagleBone Black"));
        assert_eq!((banner.is_uboot, banner.board_type()), (true, Some("beaglebone-black")));
    }

    #[test]
    fn a_board_without_a_type_of_its_own_is_known_by_its_processor() {
        let rockchip = "NOTICE:  BL31: v2.8(release)\r\n\r\nU-Boot 2024.01 (Jan 08 2024)\r\nModel: Pine64 RockPro64 v2.1\r\n";
        assert_eq!(Banner::find(rockchip).unwrap().board_type(), Some("u-boot-arm64"));
        let asked = |cpu: &str| {
            let said = format!(
                "=> printenv cpu board board_name\r\ncpu={cpu}\r\nboard=mx6cuboxi\r\n## Error: \"board_name\" not defined\r\n=> "
            );
            Banner::find(&said).unwrap()
        };
        assert_eq!(asked("armv8").board_type(), Some("u-boot-arm64"));
        assert_eq!(
            (asked("armv7").board_type(), asked("armv7").model.as_deref()),
            (Some("u-boot-arm"), Some("mx6cuboxi"))
        );
        assert_eq!(Banner::find("U-Boot 2024.01 (Jan 08 2024)\r\n").unwrap().board_type(), None);
    }

    #[test]
    fn a_login_and_a_prompt_are_known_too() {
        let login = Banner::find("Debian GNU/Linux 12 beaglebone ttyS0\r\n\r\nbeaglebone login: ").unwrap();
        assert_eq!((login.is_uboot, login.board_type()), (false, Some("beaglebone-black")));
        let prompt = Banner::find("\r\n=> \r\n=> ").unwrap();
        assert_eq!((prompt.takes_commands, prompt.model), (TakesCommands::Yes, None));
        let counting = Banner::find("U-Boot 2023.01\r\nHit any key to stop autoboot:  2 ").unwrap();
        assert_eq!(counting.takes_commands, TakesCommands::AfterKey);
        assert_eq!(Banner::find("x => y\r\n"), None);
        assert_eq!(Banner::find(""), None);
    }
}
