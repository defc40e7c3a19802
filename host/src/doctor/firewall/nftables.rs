//! Rules as `nft -j list ruleset` prints them.
//!
//! They are read as JSON of any shape, and not into the types of a library: a statement that a later nftables has and a
//! library does not know must leave its rule in doubt, and not the whole list unread.
//!
//! Source: libnftables-json(5).

use std::net::IpAddr;

use serde_json::Value;

use super::decision::{Action, Chains, Fate, Packet, Rule, Truth, Verdict, decide, is_in};

/// The rules of this PC.
#[derive(Clone, Debug, Default)]
pub(super) struct Ruleset {
    /// Chains, rules and sets, in order.
    objects: Vec<Value>,
}

/// Where a rule is: names of it are of its own table.
#[derive(Clone, Copy, Debug)]
struct Table<'a> {
    family: &'a str,
    name: &'a str,
}

/// What a packet has where a rule looks.
enum Has<'a> {
    Text(&'a str),
    Number(u64),
    Address(IpAddr),
    /// Nothing of the kind: a rule for it is for another packet.
    Nothing,
    /// It is not understood.
    Unknown,
}

impl Ruleset {
    /// `None` if it is no such list.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut value: Value = serde_json::from_str(text).ok()?;
        let Value::Array(objects) = value.get_mut("nftables")?.take() else { return None };
        Some(Self { objects })
    }

    /// Whether there are rules of `iptables` whose conditions are not shown.
    pub(super) fn has_foreign(&self) -> bool {
        self.rules().any(|rule| {
            let statements = rule["expr"].as_array();
            statements
                .is_some_and(|statements| statements.iter().any(|statement| statement.get("xt").is_some()))
        })
    }

    /// What each chain for incoming packets does with `packet`, but for those of IPv4's or IPv6's table `except`.
    pub(super) fn fates(&self, packet: &Packet<'_>, except: Option<&str>) -> Vec<Fate> {
        let own_family = if packet.destination.is_ipv4() { "ip" } else { "ip6" };
        let mut fates = Vec::new();
        for chain in self.all("chain").filter(|chain| chain["hook"] == "input") {
            let text = |key: &str| chain[key].as_str().unwrap_or_default();
            let table = Table { family: text("family"), name: text("table") };
            let is_other = except == Some(table.name) && table.family == own_family;
            if is_other || ![own_family, "inet"].contains(&table.family) {
                continue;
            }
            let policy = if text("policy") == "drop" { Verdict::Drop } else { Verdict::Accept };
            let verdict = decide(&self.chains(table, packet), text("name"), policy);
            let place = format!("chain `{}` of table `{} {}`", text("name"), table.family, table.name);
            fates.push(Fate { verdict, place });
        }
        fates
    }

    fn all(&self, kind: &'static str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter_map(move |object| object.get(kind))
    }

    fn rules(&self) -> impl Iterator<Item = &Value> {
        self.all("rule")
    }

    fn chains(&self, table: Table<'_>, packet: &Packet<'_>) -> Chains {
        let is_own = |object: &&Value| object["family"] == table.family && object["table"] == table.name;
        let mut chains = Chains::new();
        for chain in self.all("chain").filter(is_own) {
            chains.entry(chain["name"].as_str().unwrap_or_default().to_owned()).or_default();
        }
        for rule in self.rules().filter(is_own) {
            let name = rule["chain"].as_str().unwrap_or_default().to_owned();
            chains.entry(name).or_default().push(self.rule(table, &rule["expr"], packet));
        }
        chains
    }

    fn rule(&self, table: Table<'_>, statements: &Value, packet: &Packet<'_>) -> Rule {
        let mut rule = Rule { applies: Truth::Yes, action: Action::Nothing };
        for statement in statements.as_array().into_iter().flatten() {
            let Some((name, content)) = statement.as_object().and_then(|object| object.iter().next()) else {
                // `"accept"` and the like, as old versions print them.
                rule.action = verdict(statement.as_str().unwrap_or_default(), &Value::Null);
                continue;
            };
            match name.as_str() {
                "match" => rule.applies = rule.applies.and(self.holds(table, content, packet)),
                "vmap" => rule.action = self.mapped(table, content, packet),
                "counter" | "log" | "comment" | "mangle" | "notrack" => {}
                "xt" if content["type"] == "match" => rule.applies = rule.applies.and(Truth::Maybe),
                "xt" => rule.action = Action::Unknown,
                // Limits and the like: sometimes yes, sometimes no.
                other => match verdict(other, content) {
                    Action::Nothing => rule.applies = rule.applies.and(Truth::Maybe),
                    action => rule.action = action,
                },
            }
        }
        rule
    }

    /// What a map of verdicts has for the packet.
    fn mapped(&self, table: Table<'_>, map: &Value, packet: &Packet<'_>) -> Action {
        let Some(entries) = map["data"]["set"].as_array() else { return Action::Unknown };
        for entry in entries {
            let found = match has(&map["key"], packet) {
                Has::Nothing => Truth::No,
                known => self.contains(table, &known, &entry[0]),
            };
            let action = entry[1].as_object().and_then(|object| object.iter().next());
            match found {
                Truth::Yes => {
                    return action.map_or(Action::Unknown, |(name, content)| verdict(name, content));
                }
                Truth::Maybe => return Action::Unknown,
                Truth::No => {}
            }
        }
        Action::Nothing
    }

    fn holds(&self, table: Table<'_>, condition: &Value, packet: &Packet<'_>) -> Truth {
        let known = match has(&condition["left"], packet) {
            Has::Nothing => return Truth::No,
            Has::Unknown => return Truth::Maybe,
            known => known,
        };
        let right = &condition["right"];
        match condition["op"].as_str() {
            Some("==" | "in") => self.contains(table, &known, right),
            Some("!=") => self.contains(table, &known, right).negated(),
            Some(operator) => match (known, right.as_u64()) {
                (Has::Number(number), Some(right)) => compare(number, operator, right),
                _ => Truth::Maybe,
            },
            None => Truth::Maybe,
        }
    }

    /// Whether `right`, a value or a collection of such, has what the packet has.
    fn contains(&self, table: Table<'_>, known: &Has<'_>, right: &Value) -> Truth {
        let any =
            |values: &[Value]| Truth::any(values.iter().map(|value| self.contains(table, known, value)));
        match right {
            Value::Array(values) => any(values),
            Value::String(text) => match text.strip_prefix('@') {
                Some(set) => match self.elements(table, set) {
                    Some(values) => any(values),
                    None => Truth::Maybe,
                },
                None => is_text(known, text),
            },
            Value::Number(number) => match (known, number.as_u64()) {
                (Has::Number(known), Some(number)) => Truth::of(*known == number),
                _ => Truth::Maybe,
            },
            Value::Object(object) => {
                match object.iter().next().map(|(kind, content)| (kind.as_str(), content)) {
                    Some(("set", Value::Array(values))) => any(values),
                    Some(("elem", element)) => self.contains(table, known, &element["val"]),
                    Some(("range", Value::Array(ends))) => in_range(known, ends),
                    Some(("prefix", prefix)) => in_prefix(known, prefix),
                    _ => Truth::Maybe,
                }
            }
            _ => Truth::Maybe,
        }
    }

    /// What is in a named set; `None` if there is no such set.
    fn elements(&self, table: Table<'_>, name: &str) -> Option<&[Value]> {
        let is_it =
            |set: &&Value| set["family"] == table.family && set["table"] == table.name && set["name"] == name;
        let set = self.all("set").find(is_it)?;
        Some(set["elem"].as_array().map(Vec::as_slice).unwrap_or_default())
    }
}

fn verdict(name: &str, content: &Value) -> Action {
    let target = || content["target"].as_str().unwrap_or_default().to_owned();
    match name {
        "accept" => Action::Accept,
        "drop" | "reject" => Action::Drop,
        "jump" => Action::Jump(target()),
        "goto" => Action::Goto(target()),
        "return" => Action::Return,
        "queue" => Action::Unknown,
        _ => Action::Nothing,
    }
}

/// What the packet has at `left`.
fn has<'a>(left: &'a Value, packet: &Packet<'a>) -> Has<'a> {
    let is_v4 = packet.destination.is_ipv4();
    let Some((kind, content)) = left.as_object().and_then(|object| object.iter().next()) else {
        return Has::Unknown;
    };
    let key = |key: &str| content[key].as_str().unwrap_or_default();
    match (kind.as_str(), key("key")) {
        ("meta", "iifname" | "iif") => Has::Text(packet.interface),
        ("meta", "l4proto") => Has::Text(packet.protocol()),
        ("meta", "nfproto") => Has::Text(if is_v4 { "ipv4" } else { "ipv6" }),
        ("meta", "protocol") => Has::Text(if is_v4 { "ip" } else { "ip6" }),
        ("ct", "state") => Has::Text("new"),
        ("fib", _) if key("result") == "type" && content["flags"] == serde_json::json!(["daddr"]) => {
            Has::Text("local")
        }
        ("payload", _) => payload(key("protocol"), key("field"), packet),
        _ => Has::Unknown,
    }
}

fn payload<'a>(protocol: &str, field: &str, packet: &Packet<'a>) -> Has<'a> {
    let is_v4 = packet.destination.is_ipv4();
    let address = |address: Option<IpAddr>| address.map_or(Has::Unknown, Has::Address);
    match (protocol, field) {
        ("ip", _) if !is_v4 => Has::Nothing,
        ("ip6", _) if is_v4 => Has::Nothing,
        ("ip" | "ip6", "saddr") => address(packet.source),
        ("ip" | "ip6", "daddr") => Has::Address(packet.destination),
        ("ip", "protocol") | ("ip6", "nexthdr") => Has::Text(packet.protocol()),
        ("udp" | "tcp", _) if protocol != packet.protocol() => Has::Nothing,
        ("udp" | "tcp" | "th", "dport") => Has::Number(packet.port.into()),
        ("icmp" | "icmpv6" | "igmp" | "esp" | "ah" | "comp" | "sctp" | "dccp" | "udplite" | "arp", _) => {
            Has::Nothing
        }
        _ => Has::Unknown,
    }
}

fn is_text(known: &Has<'_>, text: &str) -> Truth {
    match known {
        Has::Text(known) => match text.strip_suffix('*') {
            Some(begin) => Truth::of(known.starts_with(begin)),
            None => Truth::of(*known == text),
        },
        Has::Address(known) => {
            text.parse().map_or(Truth::Maybe, |address: IpAddr| Truth::of(*known == address))
        }
        Has::Number(_) | Has::Nothing | Has::Unknown => Truth::Maybe,
    }
}

fn in_range(known: &Has<'_>, ends: &[Value]) -> Truth {
    let [first, last] = ends else { return Truth::Maybe };
    let address = |end: &Value| end.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    match known {
        Has::Number(number) => match (first.as_u64(), last.as_u64()) {
            (Some(first), Some(last)) => Truth::of((first..=last).contains(number)),
            _ => Truth::Maybe,
        },
        Has::Address(known) => match (address(first), address(last)) {
            (Some(first), Some(last)) => Truth::of((first..=last).contains(known)),
            _ => Truth::Maybe,
        },
        Has::Text(_) | Has::Nothing | Has::Unknown => Truth::Maybe,
    }
}

fn in_prefix(known: &Has<'_>, prefix: &Value) -> Truth {
    let network = prefix["addr"].as_str().and_then(|text| text.parse::<IpAddr>().ok());
    let length = prefix["len"].as_u64().and_then(|length| u32::try_from(length).ok());
    match (known, network, length) {
        (Has::Address(known), Some(network), Some(length)) => Truth::of(is_in(*known, network, length)),
        _ => Truth::Maybe,
    }
}

fn compare(number: u64, operator: &str, right: u64) -> Truth {
    match operator {
        "<" => Truth::of(number < right),
        ">" => Truth::of(number > right),
        "<=" => Truth::of(number <= right),
        ">=" => Truth::of(number >= right),
        _ => Truth::Maybe,
    }
}

#[cfg(test)]
mod tests;
