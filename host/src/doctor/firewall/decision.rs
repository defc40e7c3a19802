//! What chains of rules decide about one packet, where not every rule is understood.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Deepest jump that is followed; the kernel allows 16 (Linux, `NFT_JUMP_STACK_SIZE`).
const DEEPEST: usize = 16;

/// The first packet of a board to one of our ports.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// The network card that it comes through.
    pub(super) interface: &'a str,
    /// `None` if the bench file does not say it.
    pub(super) source: Option<IpAddr>,
    pub(super) destination: IpAddr,
    /// TCP otherwise.
    pub(super) is_udp: bool,
    pub(super) port: u16,
}

impl Packet<'_> {
    pub(super) const fn protocol(&self) -> &'static str {
        if self.is_udp { "udp" } else { "tcp" }
    }
}

/// What becomes of a packet, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Verdict {
    Accept,
    Unknown,
    Drop,
}

/// What becomes of a packet, and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    pub(super) verdict: Verdict,
    /// Such as ``chain `input` of table `inet filter` ``.
    pub(super) place: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truth {
    Yes,
    No,
    /// It is not understood.
    Maybe,
}

impl Truth {
    pub(super) const fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }

    pub(super) const fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
        }
    }

    pub(super) const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Maybe,
        }
    }

    /// Whether any of `all` holds.
    pub(super) fn any(all: impl IntoIterator<Item = Self>) -> Self {
        all.into_iter().fold(Self::No, |one, other| one.negated().and(other.negated()).negated())
    }
}

/// What a rule does with a packet that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Accept,
    Drop,
    /// On to a chain, and back.
    Jump(String),
    /// On to a chain, and not back.
    Goto(String),
    Return,
    /// It counts or logs.
    Nothing,
    /// What it does is not understood.
    Unknown,
}

/// A rule, for one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) applies: Truth,
    pub(super) action: Action,
}

/// The rules of a table by the names of their chains, for one packet.
pub(super) type Chains = BTreeMap<String, Vec<Rule>>;

/// How a chain was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Decided(Verdict),
    AtEnd,
}

/// What the chain `base` decides; `policy` is for what it leaves to its end.
pub(super) fn decide(chains: &Chains, base: &str, policy: Verdict) -> Verdict {
    match walk(chains, base, 0) {
        Left::Decided(verdict) => verdict,
        Left::AtEnd => policy,
    }
}

fn walk(chains: &Chains, name: &str, depth: usize) -> Left {
    let Some(rules) = chains.get(name).filter(|_| depth <= DEEPEST) else {
        return Left::Decided(Verdict::Unknown);
    };
    let mut possible = Vec::new();
    let mut certain = Left::AtEnd;
    for Rule { applies, action } in rules {
        if *applies == Truth::No {
            continue;
        }
        let left = match action {
            Action::Accept => Left::Decided(Verdict::Accept),
            Action::Drop => Left::Decided(Verdict::Drop),
            Action::Unknown => Left::Decided(Verdict::Unknown),
            Action::Return => Left::AtEnd,
            Action::Goto(chain) => walk(chains, chain, depth + 1),
            Action::Jump(chain) => match walk(chains, chain, depth + 1) {
                Left::AtEnd => continue,
                decided @ Left::Decided(_) => decided,
            },
            Action::Nothing => continue,
        };
        if *applies == Truth::Yes {
            certain = left;
            break;
        }
        possible.push(left);
    }
    // A rule that may be for the packet does not matter where it does what happens without it.
    if possible.iter().all(|left| *left == certain) { certain } else { Left::Decided(Verdict::Unknown) }
}

/// Whether `address` is in the network of the first `length` bits of `network`.
pub(super) fn is_in(address: IpAddr, network: IpAddr, length: u32) -> bool {
    let differing = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => (address.to_bits() ^ network.to_bits()).leading_zeros(),
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits() ^ network.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing >= length
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(applies: Truth, action: Action) -> Rule {
        Rule { applies, action }
    }

    #[test]
    fn a_rule_that_may_apply_leaves_in_doubt_only_what_it_would_change() {
        let decided = |rules: Vec<Rule>| {
            let own = vec![rule(Truth::Yes, Action::Return), rule(Truth::Yes, Action::Accept)];
            decide(&BTreeMap::from([("in".to_owned(), rules), ("own".to_owned(), own)]), "in", Verdict::Drop)
        };
        assert_eq!(decided(vec![]), Verdict::Drop);
        assert_eq!(decided(vec![rule(Truth::Maybe, Action::Drop)]), Verdict::Drop);
        assert_eq!(decided(vec![rule(Truth::Maybe, Action::Accept)]), Verdict::Unknown);
        let accepted = vec![rule(Truth::Maybe, Action::Accept), rule(Truth::Yes, Action::Accept)];
        assert_eq!(decided(accepted), Verdict::Accept);
        assert_eq!(decided(vec![rule(Truth::No, Action::Accept)]), Verdict::Drop);
        assert_eq!(decided(vec![rule(Truth::Yes, Action::Jump("own".to_owned()))]), Verdict::Drop);
        let forever = vec![rule(Truth::Yes, Action::Jump("in".to_owned()))];
        assert_eq!(decided(forever), Verdict::Unknown);
    }

    #[test]
    fn networks_are_compared_by_their_first_bits() {
        let address = |text: &str| text.parse().unwrap();
        assert!(is_in(address("10.1.2.3"), address("10.0.0.0"), 8));
        assert!(!is_in(address("11.1.2.3"), address("10.0.0.0"), 8));
        assert!(is_in(address("11.1.2.3"), address("10.0.0.0"), 0));
        assert!(!is_in(address("fe80::1"), address("0.0.0.0"), 0));
        assert!(is_in(address("fe80::1"), address("fe80::"), 64));
    }
}
