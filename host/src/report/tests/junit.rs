//! `junit.xml`.

use super::{feed, hostile, report, run};
use crate::event::{EventKind, Outcome};
use crate::fault::{Class, Fault};
use crate::report::Reporter as _;
use crate::report::junit::Junit;

fn junit(events: Vec<(Option<&'static str>, EventKind)>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("junit.xml");
    let mut junit = Junit::new(path.clone());
    let results = feed(&mut junit, events);
    if results.outcome.is_none() {
        junit.cut_off(&results).unwrap();
    }
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn junit_tells_failures_of_tests_from_errors_of_everything_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("junit.xml");
    report(&mut Junit::new(path.clone()));
    insta::assert_snapshot!(std::fs::read_to_string(path).unwrap());
}

/// Events of a run whose node ends with a fault of `class`, and whose definition was not run.
fn ended_by(class: Class) -> Vec<(Option<&'static str>, EventKind)> {
    let fault = Some(Fault::new(class, "host", "that is why"));
    let outcome = Outcome::of(fault.as_ref());
    let definition = "0_smoke".to_owned();
    let finished = EventKind::DefinitionFinished {
        definition: definition.clone(),
        outcome,
        took: std::time::Duration::ZERO,
        reason: Some("not run: that is why".to_owned()),
    };
    vec![
        run().remove(0),
        (Some("host"), EventKind::DefinitionStarted { definition, place: None }),
        (Some("host"), finished),
        (Some("host"), EventKind::NodeFinished { outcome, fault: fault.clone() }),
        (None, EventKind::RunFinished { outcome, fault }),
    ]
}

#[test]
fn only_a_tests_fault_is_a_failure() {
    use Class::{Bench, Bug, Cancelled, Infrastructure, Job, Test};
    for class in [Test, Job, Infrastructure, Bench, Cancelled, Bug] {
        let xml = junit(ended_by(class));
        let element = if class == Test { "failure" } else { "error" };
        let node = format!(r#"<{element} message="host: that is why" type="{class}"/>"#);
        assert!(xml.contains(&node), "{xml}");
        let definition = format!(r#"<{element} message="not run: that is why""#);
        assert!(xml.contains(&definition), "{xml}");
    }
}

/// The rules of the schemas that Jenkins and GitLab check or count by: attributes that each element must have, counts
/// that add up, and what may stand in a suite.
#[test]
fn the_file_keeps_the_rules_of_the_schema() {
    for events in [run(), hostile::run(), run().into_iter().take(9).collect()] {
        let xml = junit(events);
        let mut suites: Vec<(Vec<u32>, Vec<u32>)> = Vec::new();
        for line in xml.lines().map(str::trim) {
            let attribute = |name: &str| {
                let (_, rest) = line.split_once(&format!(" {name}=\""))?;
                rest.split_once('"').map(|(value, _)| value.to_owned())
            };
            let number =
                |name: &str| attribute(name).unwrap_or_else(|| panic!("no {name}: {line}")).parse().unwrap();
            if line.starts_with("<testsuite ") {
                for name in ["name", "timestamp", "hostname", "time"] {
                    assert!(attribute(name).is_some_and(|value| !value.is_empty()), "{name}: {line}");
                }
                suites.push((["tests", "failures", "errors", "skipped"].map(number).to_vec(), vec![0; 4]));
            }
            let counted = [
                line.starts_with("<testcase "),
                line.starts_with("<failure "),
                line.starts_with("<error "),
                line.starts_with("<skipped"),
            ];
            if let Some((_, counts)) = suites.last_mut() {
                counts.iter_mut().zip(counted).for_each(|(count, is)| *count += u32::from(is));
            }
            if counted[0] {
                assert!(attribute("name").is_some() && attribute("classname").is_some(), "{line}");
            }
        }
        assert!(!suites.is_empty());
        for (told, counted) in suites {
            assert_eq!(told, counted, "{xml}");
        }
        assert!(!xml.contains(|c: char| c.is_control() && c != '\n'), "{xml:?}");
    }
}
