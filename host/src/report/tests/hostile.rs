//! A run whose names and texts mean something to every format that they are written in.

use super::{link_fault, node};
use crate::event::{Bytes, Direction, EventKind, Outcome, TestCase, TestResult};
use crate::fault::{Class, Fault};

/// Markup of HTML and XML, comments and escapes of TAP, YAML and Markdown, commands of CI services.
pub(super) const NAME: &str = "<script>alert(1)</script> # SKIP \\ a|b `c` *d* %0A";

/// The same in several lines, with control characters and such that end a line for some.
pub(super) const TEXT: &str =
    "</pre><script>alert(2)</script>\n::error::no error\n]]>& \u{85}\u{2028} \u{1b}[31mred é😀";

/// What happened.
pub(super) fn run() -> Vec<(Option<&'static str>, EventKind)> {
    let nodes = vec![node("host", "<script>alert(3)</script>", "bbb|1")];
    let host = Some("host");
    let seconds = std::time::Duration::from_secs;
    let place = Some("jobs/a,b:c.yaml:3:5".to_owned());
    vec![
        (None, EventKind::RunStarted { job: NAME.to_owned(), version: "0.0.0".to_owned(), nodes }),
        (None, EventKind::Warning { text: TEXT.to_owned() }),
        (
            host,
            EventKind::PhaseStarted {
                phase: "boot-u-boot".to_owned(),
                timeout: seconds(900),
                limit: None,
                place,
            },
        ),
        (host, EventKind::Group { text: format!("lava-send {NAME}") }),
        (host, EventKind::Group { text: format!("lava-wait {NAME}: refused: {TEXT}") }),
        (
            host,
            EventKind::Console {
                direction: Direction::Rx,
                data: Bytes(
                    format!("{TEXT}\nnot UTF-8: ").into_bytes().into_iter().chain(*b"\xff\n").collect(),
                ),
            },
        ),
        (host, EventKind::DefinitionStarted { definition: NAME.to_owned(), place: None }),
        (host, case(NAME, TestResult::Fail)),
        (host, case("plain", TestResult::Skip)),
        (host, case("no verdict", TestResult::Unknown)),
        (
            host,
            EventKind::DefinitionFinished {
                definition: NAME.to_owned(),
                outcome: Outcome::Fail,
                took: seconds(1),
                reason: Some(TEXT.to_owned()),
            },
        ),
        (
            host,
            EventKind::NodeFinished {
                outcome: Outcome::Error,
                fault: Some(Fault::new(Class::Infrastructure, NAME, TEXT).with_help(TEXT)),
            },
        ),
        (None, EventKind::RunFinished { outcome: Outcome::Error, fault: Some(link_fault()) }),
    ]
}

fn case(name: &str, result: TestResult) -> EventKind {
    EventKind::TestCase(TestCase {
        definition: NAME.to_owned(),
        case: name.to_owned(),
        result,
        set: None,
        measurement: (result == TestResult::Fail).then_some(1e300),
        units: Some(NAME.to_owned()),
        reference: Some("javascript:alert(4)".to_owned()),
        comment: Some(TEXT.to_owned()),
    })
}
