//! The calls of helpers that are measured.

/// A call of a helper.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredCall {
    /// The helper's name.
    pub helper: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// Whether it needs the runner's answer.
    pub asks_the_runner: bool,
}

impl MeasuredCall {
    const fn new(helper: &'static str, arguments: &'static [&'static str]) -> Self {
        Self { helper, arguments, asks_the_runner: true }
    }
}

/// The calls that LAVA's helpers were measured with.
pub const CALLS: [MeasuredCall; 11] = [
    MeasuredCall::new("lava-test-case", &["boot", "--result", "pass"]),
    MeasuredCall::new("lava-test-case", &["boot", "--shell", "true"]),
    MeasuredCall::new("lava-test-set", &["start", "net"]),
    MeasuredCall::new("lava-send", &["ready"]),
    MeasuredCall::new("lava-send", &["ready", "ipaddr=10.0.0.2"]),
    MeasuredCall::new("lava-sync", &["clients"]),
    MeasuredCall::new("lava-wait", &["ready"]),
    MeasuredCall { asks_the_runner: false, ..MeasuredCall::new("lava-echo-ipv4", &["lo"]) },
    MeasuredCall::new("lava-role", &[]),
    MeasuredCall::new("lava-group", &[]),
    MeasuredCall::new("lava-group", &["guest"]),
];
