use super::*;

/// What `nft -j list ruleset` of nftables 1.0.6 prints of the rules in the comment below.
///
/// ```text
/// table inet filter {
///   set lan { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.168.1.5-192.168.1.9 } }
///   set nobody { type ipv4_addr; }
///   chain input {
///     type filter hook input priority filter; policy drop;
///     ct state vmap { established : accept, related : accept, invalid : drop }
///     iif "lo" accept
///     icmp type echo-request limit rate 5/second accept
///     ip saddr @nobody accept
///     ip saddr @lan udp dport { 69, 123-125 } accept
///     tcp dport != 22 counter log prefix "in " jump web
///     iifname vmap { "eth1" : jump sub, "wlan0" : drop }
///     ip6 nexthdr icmpv6 accept
///   }
///   chain web {
///     iifname "eth1" tcp dport 2049 ct state { established, new } accept
///     tcp dport > 1024 reject with tcp reset
///     return
///   }
///   chain sub { meta l4proto { tcp, udp } th dport 111 limit rate 10/second accept }
///   chain forward {
///     type filter hook forward priority filter; policy accept;
///     iifname "eth1" accept
///     udp dport 69 accept
///   }
/// }
/// table ip nat { chain postrouting { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; } }
/// ```
const LISTED: &str = include_str!("ruleset.json");

fn packet<'a>(interface: &'a str, source: &str, is_udp: bool, port: u16) -> Packet<'a> {
    Packet {
        interface,
        source: (!source.is_empty()).then(|| source.parse().unwrap()),
        destination: "10.0.0.1".parse().unwrap(),
        is_udp,
        port,
    }
}

#[test]
fn the_chain_for_incoming_packets_decides_and_no_other() {
    let rules = Ruleset::parse(LISTED).unwrap();
    assert!(!rules.has_foreign());
    let cases = [
        (packet("eth1", "10.0.0.2", true, 69), Verdict::Accept),
        (packet("eth1", "10.0.0.2", true, 124), Verdict::Accept),
        (packet("eth1", "192.168.1.9", true, 69), Verdict::Accept),
        // `forward` accepts it, which is of no use here.
        (packet("eth1", "192.168.1.10", true, 69), Verdict::Drop),
        (packet("eth1", "", true, 69), Verdict::Unknown),
        (packet("lo", "192.168.1.10", true, 69), Verdict::Accept),
        (packet("eth1", "10.0.0.2", false, 2049), Verdict::Accept),
        (packet("eth2", "10.0.0.2", false, 2049), Verdict::Drop),
        // A limit: sometimes yes, sometimes no.
        (packet("eth1", "10.0.0.2", false, 111), Verdict::Unknown),
        (packet("wlan0", "10.0.0.2", false, 111), Verdict::Drop),
    ];
    for (packet, expected) in cases {
        let fates = rules.fates(&packet, None);
        let place = "chain `input` of table `inet filter`".to_owned();
        assert_eq!(fates, [Fate { verdict: expected, place }], "{packet:?}");
    }
}

#[test]
fn a_statement_that_is_not_known_leaves_its_rule_in_doubt() {
    let later = LISTED.replace("{\"meta\":{\"key\":\"iif\"}}", "{\"tunnel\":{\"key\":\"id\"}}");
    assert_ne!(later, LISTED);
    let rules = Ruleset::parse(&later).unwrap();
    let verdict = |port| rules.fates(&packet("eth1", "10.0.0.2", true, port), None)[0].verdict;
    assert_eq!((verdict(69), verdict(70)), (Verdict::Accept, Verdict::Unknown));
}

#[test]
fn what_is_no_list_of_rules_is_none() {
    for text in ["", "{}", "{\"nftables\": 1}", "{\"nftables\": [", "[]"] {
        assert!(Ruleset::parse(text).is_none(), "{text}");
    }
    let odd = r#"{"nftables": [1, {"rule": 2}, {"chain": {"hook": "input", "family": "inet"}}, {"rule": {"family": "inet", "expr": [1, {}]}}]}"#;
    let verdict = Ruleset::parse(odd).unwrap().fates(&packet("eth1", "", true, 69), None)[0].verdict;
    assert_eq!(verdict, Verdict::Accept);
}
