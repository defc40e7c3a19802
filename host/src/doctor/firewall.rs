//! Whether rules of this PC drop what boards send to TFTP, where that can be read: mostly by root alone.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::finding::{BENCH, Check, Finding, Findings};
use crate::run::TFTP_PORT;

/// How long listing the rules may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Most bytes of rules that are looked at.
const MOST: u64 = 4 << 20;

/// Looks for rules that drop TFTP on `interface`.
pub(super) async fn check(interface: &str, findings: &mut Findings<'_>) {
    // With nftables the rules of `iptables` are among its own.
    let (found, accept) = if let Some(rules) = list(&["nft", "list", "ruleset"]).await {
        (nft_drops(&rules, interface), format!("sudo nft insert rule CHAIN iifname {interface} accept"))
    } else if let Some(rules) = list(&["iptables", "-S"]).await {
        (iptables_drops(&rules, interface), format!("sudo iptables -I INPUT -i {interface} -j ACCEPT"))
    } else {
        let text =
            "its rules cannot be read by this user, or there are none; `sudo nft list ruleset` shows them";
        findings.add(Finding::unknown(Check::Firewall, BENCH, text));
        return;
    };
    findings.add(match found {
        None => Finding::ok(Check::Firewall, BENCH, format!("no rule is seen that drops TFTP on {interface}")),
        Some(chain) => Finding::warning(
            Check::Firewall,
            BENCH,
            format!("{chain} drops what no rule accepts, and none is seen for UDP port {TFTP_PORT} or {interface}"),
        )
        .with_help(format!(
            "let in what comes from the boards' network: `{accept}` (`sudo ufw allow in on {interface}` with ufw, \
             `sudo firewall-cmd --zone=trusted --add-interface={interface}` with firewalld)"
        )),
    });
}

/// What a program prints; `None` if it is not there or fails.
async fn list(argv: &[&str]) -> Option<String> {
    let (program, arguments) = argv.split_first()?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .ok()?;
    let mut output = child.stdout.take()?.take(MOST);
    let read = async {
        let mut rules = Vec::new();
        output.read_to_end(&mut rules).await.ok()?;
        child.wait().await.ok()?.success().then_some(rules)
    };
    let rules = timeout(LIMIT, read).await.ok()??;
    Some(String::from_utf8_lossy(&rules).into_owned())
}

/// The chain for incoming packets that drops TFTP, in what `nft list ruleset` prints.
fn nft_drops(rules: &str, interface: &str) -> Option<String> {
    if rules.lines().any(|line| accepts(line, "iifname", interface)) {
        return None;
    }
    let (mut table, mut chain, mut is_input) = (String::new(), String::new(), false);
    for line in rules.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("table ") {
            table = name.trim_end_matches('{').trim().to_owned();
        } else if let Some(name) = line.strip_prefix("chain ") {
            (chain, is_input) = (name.trim_end_matches('{').trim().to_owned(), false);
        } else if line.contains("hook input") {
            is_input = true;
        }
        let drops_rest = line.ends_with("policy drop;") || is_whole_verdict(line);
        if is_input && drops_rest {
            return Some(format!("chain `{chain}` of table `{table}`"));
        }
    }
    None
}

/// A rule without a condition that lets nothing pass.
fn is_whole_verdict(line: &str) -> bool {
    let words: Vec<_> = line.split_whitespace().collect();
    match words.as_slice() {
        ["drop" | "reject", ..] => true,
        ["counter", rest @ ..] => matches!(rest.last(), Some(&"drop")) && rest.len() <= 5,
        _ => false,
    }
}

/// Whether `iptables -S` shows that incoming packets are dropped, and TFTP with them.
fn iptables_drops(rules: &str, interface: &str) -> Option<String> {
    let drops = rules.lines().map(str::trim).any(|line| {
        matches!(line, "-P INPUT DROP" | "-A INPUT -j DROP") || line.starts_with("-A INPUT -j REJECT")
    });
    let accepted = rules.lines().any(|line| accepts(line, "-i", interface));
    (drops && !accepted).then(|| "chain `INPUT`".to_owned())
}

/// Whether a rule accepts TFTP, or all that comes on `interface`; `keyword` is what stands before an interface's name.
fn accepts(rule: &str, keyword: &str, interface: &str) -> bool {
    if !rule.to_ascii_lowercase().trim_end().contains("accept") {
        return false;
    }
    let words: Vec<_> = rule
        .split(|character: char| character.is_whitespace() || matches!(character, '{' | '}' | ',' | '"'))
        .filter(|word| !word.is_empty())
        .collect();
    let ports = words.iter().skip_while(|word| !matches!(**word, "dport" | "--dport" | "--dports"));
    let port = TFTP_PORT.to_string();
    let has_port = ports.skip(1).any(|word| *word == port || *word == "tftp");
    has_port || words.windows(2).any(|pair| pair == [keyword, interface])
}

#[cfg(test)]
mod tests {
    use super::*;

    const DROPPING: &str = "table inet filter {
\tchain input {
\t\ttype filter hook input priority filter; policy drop;
\t\tct state established,related accept
\t\tiifname \"lo\" accept
RULE
\t}
\tchain output {
\t\ttype filter hook output priority filter; policy accept;
\t}
}";

    #[test]
    fn a_chain_that_drops_the_rest_is_told_unless_a_rule_accepts_tftp() {
        let cases = [
            ("", true),
            ("\t\ttcp dport 22 accept", true),
            ("\t\tudp dport 69 drop", true),
            ("\t\tudp dport 6969 accept", true),
            ("\t\tiifname \"eth0\" accept", true),
            ("\t\tudp dport { 69, 123 } accept", false),
            ("\t\tudp dport tftp counter packets 0 bytes 0 accept", false),
            ("\t\tiifname \"eth1\" accept", false),
        ];
        for (rule, dropped) in cases {
            let found = nft_drops(&DROPPING.replace("RULE", rule), "eth1");
            let expected = dropped.then(|| "chain `input` of table `inet filter`".to_owned());
            assert_eq!(found, expected, "{rule}");
        }
        assert_eq!(nft_drops(&DROPPING.replace("policy drop", "policy accept"), "eth1"), None);
        assert_eq!(nft_drops("", "eth1"), None);
        let last_rule = DROPPING.replace("policy drop", "policy accept").replace("RULE", "\t\treject");
        assert!(nft_drops(&last_rule, "eth1").is_some());
    }

    #[test]
    fn the_same_of_iptables() {
        let dropping = "-P INPUT DROP\n-P FORWARD ACCEPT\n-A INPUT -i lo -j ACCEPT\n";
        assert!(iptables_drops(dropping, "eth1").is_some());
        assert!(
            iptables_drops("-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-port\n", "eth1").is_some()
        );
        for rule in ["-A INPUT -p udp -m udp --dport 69 -j ACCEPT", "-A INPUT -i eth1 -j ACCEPT"] {
            assert_eq!(iptables_drops(&format!("{dropping}{rule}\n"), "eth1"), None, "{rule}");
        }
        assert_eq!(iptables_drops("-P INPUT ACCEPT\n", "eth1"), None);
    }
}
