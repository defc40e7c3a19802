//! Whether rules of this PC drop what boards send to it, where they can be read: mostly by root alone.
//!
//! ```text
//! nft -j list ruleset ─▶ nftables ─┐
//!                                  ├─▶ decision: what becomes of a board's first packet to each port
//! iptables -S ─────────▶ iptables ─┘
//! ```
//!
//! Rules that `iptables` has made are among those of `nft`, but some of what they match is not: those are read from
//! `iptables`. What neither tells is unknown, and never taken for good.

mod decision;
mod iptables;
mod nftables;

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use self::decision::{Fate, Packet, Verdict};
use super::finding::{BENCH, Check, Finding, Findings};
use crate::fault::Class;
use crate::nfs::PORT_MAPPER_PORT;
use crate::run::{NFS_PORT, NTP_PORT, TFTP_PORT};

/// How long listing the rules may take.
const LIMIT: Duration = Duration::from_secs(5);
/// Most bytes of rules that are looked at.
const MOST: u64 = 4 << 20;
/// Tables of the kernel's older packet filter, which `nft` does not show.
const LEGACY_TABLES: [&str; 2] = ["/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"];

/// How packets of the boards come.
pub(super) struct Way<'a> {
    /// The network card that they come through.
    pub(super) interface: &'a str,
    /// Where they are sent.
    pub(super) server: IpAddr,
    /// Where they are from, as far as the bench file says so.
    pub(super) boards: Vec<IpAddr>,
}

/// A port that boards ask at.
struct Service {
    name: &'static str,
    is_udp: bool,
    port: u16,
    /// Whether jobs fail without it.
    is_needed: bool,
}

const SERVICES: [Service; 5] = [
    Service { name: "TFTP", is_udp: true, port: TFTP_PORT, is_needed: true },
    Service { name: "NFS", is_udp: false, port: NFS_PORT, is_needed: true },
    Service { name: "port mapper", is_udp: true, port: PORT_MAPPER_PORT, is_needed: false },
    Service { name: "port mapper", is_udp: false, port: PORT_MAPPER_PORT, is_needed: false },
    Service { name: "SNTP", is_udp: true, port: NTP_PORT, is_needed: false },
];

impl Service {
    fn shown(&self) -> String {
        format!("{} {} ({})", if self.is_udp { "UDP" } else { "TCP" }, self.port, self.name)
    }
}

/// Looks for rules that drop what boards send to our ports.
pub(super) async fn check(way: &Way<'_>, findings: &mut Findings<'_>) {
    match Rules::read(way.server).await {
        Some(rules) => tell(way, &rules, findings),
        None => findings.add(Finding::unknown(
            Check::Firewall,
            BENCH,
            "its rules cannot be read by this user, or neither `nft` nor `iptables` is there; `sudo nft list ruleset` \
             shows them",
        )),
    }
}

/// The rules of this PC.
struct Rules {
    nftables: Option<nftables::Ruleset>,
    iptables: Option<iptables::Ruleset>,
    has_legacy: bool,
}

impl Rules {
    /// `None` if there are none that can be read.
    async fn read(server: IpAddr) -> Option<Self> {
        let nftables = list(&["nft", "-j", "list", "ruleset"]).await;
        let nftables = nftables.and_then(|text| nftables::Ruleset::parse(&text));
        let iptables = match &nftables {
            Some(rules) if !rules.has_foreign() => None,
            _ => list(&[if server.is_ipv4() { "iptables" } else { "ip6tables" }, "-S"]).await,
        };
        let has_legacy = LEGACY_TABLES.iter().any(|path| {
            fs::read_to_string(path).is_ok_and(|names| names.lines().any(|name| name == "filter"))
        });
        let iptables = iptables.map(|text| iptables::Ruleset::parse(&text));
        (nftables.is_some() || iptables.is_some()).then_some(Self { nftables, iptables, has_legacy })
    }

    /// What becomes of a packet.
    fn fate(&self, packet: &Packet<'_>) -> Fate {
        let known = self.iptables.as_ref().map(|rules| rules.fate(packet));
        let mut fates: Vec<Fate> = known.into_iter().collect();
        // `iptables` has told more of its own table than `nft` can.
        let except = self.iptables.as_ref().map(|_| "filter");
        fates.extend(self.nftables.iter().flat_map(|rules| rules.fates(packet, except)));
        if self.has_legacy && self.nftables.is_some() && self.iptables.is_none() {
            let place = "the rules of `iptables-legacy`".to_owned();
            fates.push(Fate { verdict: Verdict::Unknown, place });
        }
        let first = |verdict| fates.iter().find(|fate| fate.verdict == verdict).cloned();
        first(Verdict::Drop)
            .or_else(|| first(Verdict::Unknown))
            .unwrap_or(Fate { verdict: Verdict::Accept, place: String::new() })
    }
}

fn tell(way: &Way<'_>, rules: &Rules, findings: &mut Findings<'_>) {
    let sources: Vec<_> = match way.boards.as_slice() {
        [] => vec![None],
        boards => boards.iter().copied().map(Some).collect(),
    };
    // By where it is decided, and how.
    let mut decided: BTreeMap<(Verdict, String), Vec<&Service>> = BTreeMap::new();
    for service in &SERVICES {
        let fates = sources.iter().map(|&source| {
            let Service { is_udp, port, .. } = *service;
            rules.fate(&Packet { interface: way.interface, source, destination: way.server, is_udp, port })
        });
        if let Some(worst) = fates.max_by_key(|fate| fate.verdict) {
            decided.entry((worst.verdict, worst.place)).or_default().push(service);
        }
    }
    for ((verdict, place), services) in decided {
        findings.add(finding(way, verdict, &place, &services));
    }
}

fn finding(way: &Way<'_>, verdict: Verdict, place: &str, services: &[&Service]) -> Finding {
    let interface = way.interface;
    let shown: Vec<_> = services.iter().map(|service| service.shown()).collect();
    let shown = shown.join(", ");
    let text = match verdict {
        Verdict::Accept => {
            return Finding::ok(Check::Firewall, BENCH, format!("{shown}: let in on {interface}"));
        }
        Verdict::Unknown => {
            let text = format!("{shown}: {place} decide on {interface}, by what is not understood here");
            return Finding::unknown(Check::Firewall, BENCH, text)
                .with_help("`sudo nft list ruleset` shows them");
        }
        Verdict::Drop => format!("{shown}: dropped on {interface} by {place}"),
    };
    let finding = match services.iter().any(|service| service.is_needed) {
        true => Finding::fault(Check::Firewall, BENCH, Class::Infrastructure, text),
        false => Finding::warning(Check::Firewall, BENCH, text),
    };
    finding.with_help(format!(
        "let in what comes from the boards' network: `sudo ufw allow in on {interface}` with ufw, `sudo firewall-cmd \
         --zone=trusted --add-interface={interface}` with firewalld; else a rule before the one that drops, such as \
         `iifname \"{interface}\" accept`"
    ))
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
