//! Where this machine gets Debian from, taken from apt itself, which knows all the forms of its configuration.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::error::Error;
use crate::process;

/// The keys of the Debian archive, as the package `debian-archive-keyring` installs them.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// The archive of this machine's Debian release: its main suite alone, because the indices of the security and
/// updates suites may be out of step for a foreign architecture.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Code name of the release.
    pub(crate) suite: String,
    uri: String,
    keyring: Option<&'static str>,
}

impl Source {
    /// The line of a `sources.list` for `architectures`, or for all when there are none.
    pub(crate) fn line(&self, architectures: &[&str]) -> String {
        self.line_of("deb", architectures)
    }

    /// The line of a `sources.list` for what packages are made from.
    pub(crate) fn source_line(&self) -> String {
        self.line_of("deb-src", &[])
    }

    fn line_of(&self, kind: &str, architectures: &[&str]) -> String {
        let mut options = Vec::new();
        if !architectures.is_empty() {
            options.push(format!("arch={}", architectures.join(",")));
        }
        options.extend(self.keyring.map(|keyring| format!("signed-by={keyring}")));
        let options = if options.is_empty() { String::new() } else { format!("[{}] ", options.join(" ")) };
        format!("{kind} {options}{} {} main", self.uri, self.suite)
    }
}

/// Finds the main suite in apt's configuration; fetches apt's lists when they are not there yet.
///
/// # Errors
/// When this is not Debian, or apt knows no archive of its release.
pub(crate) fn main_suite() -> Result<Source, Error> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let id = os_release(&release, "ID").unwrap_or_default();
    if id != "debian" {
        return Err(Error::NotDebian { id });
    }
    let suite = os_release(&release, "VERSION_CODENAME").unwrap_or_default();
    let mut uri = find(&suite)?;
    if uri.is_none() {
        super::update()?;
        uri = find(&suite)?;
    }
    let Some(uri) = uri else { return Err(Error::NoSource { codename: suite }) };
    let keyring = KEYRINGS.into_iter().find(|keyring| Path::new(keyring).exists());
    Ok(Source { suite, uri, keyring })
}

/// The settings of apt on this machine that say how to reach an archive, as lines of an `apt.conf`.
///
/// # Errors
/// When apt-config fails.
pub(crate) fn access_settings() -> Result<Vec<String>, Error> {
    let all =
        process::answer(Command::new("apt-config").args(["dump", "--format", "%F \"%v\";%n", "Acquire"]))?;
    Ok(all.lines().filter(|line| is_access_setting(line)).map(str::to_owned).collect())
}

fn is_access_setting(line: &str) -> bool {
    const WANTED: [&str; 6] = [
        "Acquire::http::",
        "Acquire::https::",
        "Acquire::Check-Valid-Until ",
        "Acquire::Check-Date ",
        "Acquire::Retries ",
        "Acquire::Languages ",
    ];
    WANTED.iter().any(|wanted| line.starts_with(wanted)) && !line.ends_with(" \"\";")
}

fn find(suite: &str) -> Result<Option<String>, Error> {
    let format = "$(ORIGIN)|$(LABEL)|$(CODENAME)|$(COMPONENT)|$(REPO_URI)";
    let targets =
        Command::new("apt-get").args(["indextargets", "--format", format, "Created-By: Packages"]).output();
    let targets = targets.map_err(|source| Error::Start { program: "apt-get".to_owned(), source })?;
    Ok(select(&String::from_utf8_lossy(&targets.stdout), suite))
}

fn select(targets: &str, suite: &str) -> Option<String> {
    targets.lines().find_map(|line| {
        let uri = line.strip_prefix("Debian|Debian|")?.strip_prefix(suite)?.strip_prefix("|main|")?;
        Some(uri.to_owned())
    })
}

fn os_release(text: &str, key: &str) -> Option<String> {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(value.trim_matches(['"', '\'']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_main_suite_of_debian_itself_is_taken() {
        let targets = "Vendor|Vendor|bookworm|main|http://vendor.invalid/debian/\n\
             Debian|Debian-Security|bookworm-security|main|http://a.invalid/security/\n\
             Debian|Debian|bookworm-updates|main|http://a.invalid/debian/\n\
             Debian|Debian|bookworm|contrib|http://b.invalid/debian/\n\
             Debian|Debian|bookworm|main|http://c.invalid/debian/\n";
        assert_eq!(select(targets, "bookworm").as_deref(), Some("http://c.invalid/debian/"));
        assert_eq!(select(targets, "trixie"), None);
    }

    #[test]
    fn a_source_line_names_the_architectures_and_the_key() {
        let mut source =
            Source { suite: "bookworm".to_owned(), uri: "http://c.invalid/".to_owned(), keyring: None };
        assert_eq!(source.line(&[]), "deb http://c.invalid/ bookworm main");
        assert_eq!(source.source_line(), "deb-src http://c.invalid/ bookworm main");
        source.keyring = Some("/k.gpg");
        assert_eq!(
            source.line(&["armhf"]),
            "deb [arch=armhf signed-by=/k.gpg] http://c.invalid/ bookworm main"
        );
    }

    #[test]
    fn proxies_and_date_checks_are_carried_over_and_hooks_are_not() {
        assert!(is_access_setting("Acquire::http::Proxy \"http://proxy.invalid:3128\";"));
        assert!(is_access_setting("Acquire::Check-Valid-Until \"false\";"));
        assert!(!is_access_setting("Acquire::http::Proxy \"\";"));
        assert!(!is_access_setting("Acquire::IndexTargets \"\";"));
    }

    #[test]
    fn os_release_values_lose_their_quotes() {
        let text = "ID=debian\nVERSION_CODENAME=bookworm\nNAME=\"Debian GNU/Linux\"\n";
        assert_eq!(os_release(text, "NAME").as_deref(), Some("Debian GNU/Linux"));
        assert_eq!(os_release(text, "ID").as_deref(), Some("debian"));
        assert_eq!(os_release(text, "VERSION_ID"), None);
    }
}
