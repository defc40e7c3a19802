//! Rules of the table `filter` as `iptables -S` prints them.
//!
//! Source: iptables(8), iptables-extensions(8).

use std::net::IpAddr;

use super::decision::{Action, Chains, Fate, Packet, Rule, Truth, Verdict, decide, is_in};

/// The chain for incoming packets.
const INPUT: &str = "INPUT";

/// The rules of the table, as words.
#[derive(Clone, Debug, Default)]
pub(super) struct Ruleset {
    lines: Vec<Vec<String>>,
}

impl Ruleset {
    pub(super) fn parse(text: &str) -> Self {
        // A line that is no list of words is a rule that is not understood.
        let words =
            |line: &str| shlex::split(line).unwrap_or_else(|| vec!["-A".to_owned(), INPUT.to_owned()]);
        Self { lines: text.lines().map(words).collect() }
    }

    /// What the chain for incoming packets does with `packet`.
    pub(super) fn fate(&self, packet: &Packet<'_>) -> Fate {
        let mut chains = Chains::new();
        let mut policy = Verdict::Accept;
        for line in &self.lines {
            let words: Vec<_> = line.iter().map(String::as_str).collect();
            match words.as_slice() {
                ["-P", INPUT, "DROP"] => policy = Verdict::Drop,
                ["-N", chain, ..] => {
                    chains.entry((*chain).to_owned()).or_default();
                }
                ["-A", chain, rest @ ..] => {
                    chains.entry((*chain).to_owned()).or_default().push(self.rule(rest, packet));
                }
                _ => {}
            }
        }
        chains.entry(INPUT.to_owned()).or_default();
        let place = format!("chain `{INPUT}` of iptables' table `filter`");
        Fate { verdict: decide(&chains, INPUT, policy), place }
    }

    fn rule(&self, words: &[&str], packet: &Packet<'_>) -> Rule {
        let mut rule = Rule { applies: Truth::Yes, action: Action::Nothing };
        let mut words = words.iter().copied().peekable();
        let mut is_negated = false;
        while let Some(word) = words.next() {
            if word == "!" {
                is_negated = true;
                continue;
            }
            let mut value =
                || words.next_if(|word| *word != "!" && !word.starts_with('-')).unwrap_or_default();
            let holds = match word {
                "-j" | "-g" => {
                    rule.action = self.target(word, value());
                    // What follows is about the target.
                    break;
                }
                "-m" | "--comment" => {
                    value();
                    continue;
                }
                _ => condition(word, value(), packet),
            };
            rule.applies = rule.applies.and(if is_negated { holds.negated() } else { holds });
            is_negated = false;
        }
        rule
    }

    fn target(&self, option: &str, name: &str) -> Action {
        let is_chain = |line: &Vec<String>| {
            line.first().is_some_and(|word| word == "-N") && line.get(1).is_some_and(|word| word == name)
        };
        match name {
            "ACCEPT" => Action::Accept,
            "DROP" | "REJECT" => Action::Drop,
            "RETURN" => Action::Return,
            "LOG" | "NFLOG" | "MARK" | "CONNMARK" | "AUDIT" => Action::Nothing,
            chain if self.lines.iter().any(is_chain) => match option {
                "-g" => Action::Goto(chain.to_owned()),
                _ => Action::Jump(chain.to_owned()),
            },
            _ => Action::Unknown,
        }
    }
}

fn condition(option: &str, value: &str, packet: &Packet<'_>) -> Truth {
    match option {
        "-p" => match value {
            "all" => Truth::Yes,
            protocol => Truth::of(protocol == packet.protocol()),
        },
        "-i" => match value.strip_suffix('+') {
            Some(begin) => Truth::of(packet.interface.starts_with(begin)),
            None => Truth::of(packet.interface == value),
        },
        "-s" => packet.source.map_or(Truth::Maybe, |source| in_network(source, value)),
        "-d" => in_network(packet.destination, value),
        "--dport" | "--dports" => Truth::any(value.split(',').map(|ports| in_ports(packet.port, ports))),
        "--ctstate" | "--state" => Truth::of(value.split(',').any(|state| state == "NEW")),
        "--dst-type" => Truth::of(value.split(',').any(|kind| kind == "LOCAL")),
        _ => Truth::Maybe,
    }
}

fn in_network(address: IpAddr, text: &str) -> Truth {
    let (network, length) = text.split_once('/').unwrap_or((text, "128"));
    match (network.parse(), length.parse::<u32>()) {
        // A whole address has the bits that its family has.
        (Ok(network), Ok(length)) => {
            Truth::of(is_in(address, network, length.min(if address.is_ipv4() { 32 } else { 128 })))
        }
        _ => Truth::Maybe,
    }
}

/// `69` or `69:123`.
fn in_ports(port: u16, text: &str) -> Truth {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) => Truth::of((first..=last).contains(&port)),
        _ => Truth::Maybe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rules: &str, port: u16) -> Verdict {
        let packet = Packet {
            interface: "eth1",
            source: Some("10.0.0.2".parse().unwrap()),
            destination: "10.0.0.1".parse().unwrap(),
            is_udp: true,
            port,
        };
        Ruleset::parse(rules).fate(&packet).verdict
    }

    #[test]
    fn the_first_rule_that_is_for_the_packet_decides() {
        let dropping = "-P INPUT DROP\n-P FORWARD ACCEPT\n-N own\n-A INPUT -i lo -j ACCEPT\n\
                        -A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n";
        let cases = [
            ("", Verdict::Drop),
            ("-A FORWARD -i eth1 -j ACCEPT", Verdict::Drop),
            ("-A INPUT -p tcp -m tcp --dport 69 -j ACCEPT", Verdict::Drop),
            ("-A INPUT -p udp -m udp --dport 69 -j ACCEPT", Verdict::Accept),
            (
                "-A INPUT -p udp -m multiport --dports 53,60:70 -m comment --comment \"two words\" -j ACCEPT",
                Verdict::Accept,
            ),
            ("-A INPUT ! -i eth1 -j ACCEPT", Verdict::Drop),
            ("-A INPUT -i eth+ -j ACCEPT", Verdict::Accept),
            ("-A INPUT -s 10.0.0.0/8 -j own\n-A own -d 10.0.0.1/32 -j ACCEPT", Verdict::Accept),
            ("-A INPUT -s 10.0.0.3/32 -j ACCEPT", Verdict::Drop),
            ("-A INPUT -m recent --rcheck --name boards --rsource -j ACCEPT", Verdict::Unknown),
            ("-A INPUT -m recent --rcheck --name boards --rsource -j DROP", Verdict::Drop),
            ("-A INPUT -j LOG --log-prefix \"in \"", Verdict::Drop),
            ("-A INPUT -j SOMETHING", Verdict::Unknown),
        ];
        for (rule, expected) in cases {
            assert_eq!(verdict(&format!("{dropping}{rule}\n"), 69), expected, "{rule}");
        }
        assert_eq!(
            verdict("-P INPUT ACCEPT\n-A INPUT -j REJECT --reject-with icmp-port-unreachable\n", 69),
            Verdict::Drop
        );
        assert_eq!(verdict("-P INPUT ACCEPT\n", 69), Verdict::Accept);
    }
}
