//! What a board says of itself when it starts.

use std::sync::LazyLock;

use regex::Regex;

static UBOOT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"U-Boot (SPL )?20\d\d\.\d\d").expect("a constant pattern is valid"));
static PROMPT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(=>|U-Boot#) ?\z").expect("a constant pattern is valid"));
static MODEL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^Model: *(.{1,80}?)\s*$").expect("a constant pattern is valid"));
static LOGIN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(\S{1,64}) login:").expect("a constant pattern is valid"));

/// What boards call themselves, in small letters, and their built-in type.
const KNOWN: [(&str, &str); 3] =
    [("am335x", "beaglebone-black"), ("beaglebone", "beaglebone-black"), ("qemu", "qemu-virt-arm")];

/// What was understood of what a board said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banner {
    /// U-Boot is there: its version line, or its prompt.
    pub is_uboot: bool,
    /// What it calls itself, or the name of the system that asks for a login.
    pub model: Option<String>,
}

impl Banner {
    /// Reads what a board has said; `None` if there is nothing in it that is known.
    pub fn find(said: &str) -> Option<Self> {
        let said = said.replace('\r', "");
        let capture = |pattern: &Regex| Some(pattern.captures(&said)?.get(1)?.as_str().to_owned());
        let is_uboot = UBOOT.is_match(&said) || PROMPT.is_match(&said);
        let model = capture(&MODEL).or_else(|| capture(&LOGIN));
        (is_uboot || model.is_some()).then_some(Self { is_uboot, model })
    }

    /// The built-in board type that it probably is.
    pub fn board_type(&self) -> Option<&'static str> {
        let model = self.model.as_ref()?.to_ascii_lowercase();
        KNOWN.iter().find(|(word, _)| model.contains(word)).map(|(_, board_type)| *board_type)
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
    fn a_login_and_a_prompt_are_known_too() {
        let login = Banner::find("Debian GNU/Linux 12 beaglebone ttyS0\r\n\r\nbeaglebone login: ").unwrap();
        assert_eq!((login.is_uboot, login.board_type()), (false, Some("beaglebone-black")));
        let prompt = Banner::find("\r\n=> \r\n=> ").unwrap();
        assert_eq!((prompt.is_uboot, prompt.model,), (true, None));
        assert_eq!(Banner::find("x => y\r\n"), None);
        assert_eq!(Banner::find(""), None);
    }
}
