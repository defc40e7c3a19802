//! Rules of a real packet filter, in a network of the test's own.

use std::process::Command;

use testbench::harness::{Testbench, host_runner};

use super::Found;

/// What the doctor says in a network whose packet filter `commands` set up; an ordinary user is root there.
fn with_rules(bench: &Testbench, commands: &str) -> Found {
    bench.write("bench.toml", bench.to_toml());
    let script = format!("PATH=$PATH:/usr/sbin:/sbin\nip link set dev lo up\n{commands}\nexec \"$@\"");
    let mut unshared = Command::new("unshare");
    unshared
        .args(["--user", "--map-root-user", "--net", "--", "sh", "-ec", &script, "sh"])
        .arg(host_runner());
    Found::of_command(&mut unshared, bench)
}

/// A chain for incoming packets that drops what `rules` do not let in, as `nft` is given it.
fn dropping(rules: &str) -> String {
    format!(
        "nft -f - <<'END'\ntable inet filter {{\nchain input {{\ntype filter hook input priority filter; policy drop;\n\
         ct state established,related accept\n{rules}\n}}\nchain forward {{\ntype filter hook forward priority filter;\n\
         iifname \"lo\" accept\nudp dport 69 accept\n}}\n}}\nEND"
    )
}

const CHAIN: &str = "chain `input` of table `inet filter`";

#[test]
fn a_firewall_that_drops_what_boards_send_is_found_whatever_it_forwards() {
    let bench = Testbench::new();
    // This PC's own packets must pass for the other checks.
    let board = bench.addresses().board;
    let own = "ip saddr 127.0.0.1 accept";
    let found = with_rules(&bench, &dropping(own));
    let dropped = ["UDP 69 (TFTP)", "TCP 2049 (NFS)", "UDP 111", "TCP 111", "UDP 123", CHAIN, "on lo"];
    found.assert_fault("firewall", "infrastructure", &dropped);

    let half = format!("{own}\nip saddr {board} udp dport {{ 69, 111, 123 }} accept");
    let found = with_rules(&bench, &dropping(&half));
    found.assert_fault(
        "firewall",
        "infrastructure",
        &["TCP 2049 (NFS), TCP 111 (port mapper): dropped on lo"],
    );
    assert!(found.ok("firewall").starts_with("UDP 69 (TFTP), UDP 111 (port mapper), UDP 123 (SNTP): let in"));

    let whole = format!("{half}\ntcp dport 2049 accept");
    let found = with_rules(&bench, &dropping(&whole));
    found.assert_warning("firewall", &["TCP 111 (port mapper): dropped on lo"]);

    let found = with_rules(&bench, &dropping("iifname \"lo\" accept"));
    assert_eq!(found.bad(), [], "{}", found.all);
    assert!(found.ok("firewall").contains("UDP 69 (TFTP), TCP 2049 (NFS)"), "{}", found.all);
}

#[test]
fn a_rule_that_is_not_understood_is_no_ok() {
    let bench = Testbench::new();
    let found = with_rules(&bench, &dropping("meta mark 0 accept"));
    assert_eq!(found.bad(), [], "{}", found.all);
    found.assert_says("firewall", &["UDP 69 (TFTP), TCP 2049 (NFS)", CHAIN, "what is not understood"]);
    let ok = found.findings.iter().any(|finding| finding["check"] == "firewall" && finding["status"] == "ok");
    assert!(!ok, "{}", found.all);
}

#[test]
fn rules_of_iptables_are_read_from_iptables() {
    let bench = Testbench::new();
    let rules = |more: &str| {
        format!(
            "iptables -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\niptables -A INPUT -s 127.0.0.1 -j ACCEPT\n\
             {more}\niptables -P INPUT DROP"
        )
    };
    let found = with_rules(&bench, &rules("iptables -A INPUT -p udp --dport 69 -j ACCEPT"));
    found.assert_fault(
        "firewall",
        "infrastructure",
        &["TCP 2049 (NFS)", "by chain `INPUT` of iptables' table `filter`"],
    );
    assert_eq!(found.ok("firewall"), "UDP 69 (TFTP): let in on lo");
    let ports = "iptables -A INPUT -p tcp -m multiport --dports 111,2049 -j ACCEPT\n\
                 iptables -A INPUT -p udp -m multiport --dports 69,111,123 -j ACCEPT";
    assert_eq!(with_rules(&bench, &rules(ports)).bad(), []);
}
