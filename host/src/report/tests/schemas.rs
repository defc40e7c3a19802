//! That what is written keeps the schemas in `docs/schemas/`.

use serde_json::Value;

use super::{hostile, read, run, written};
use crate::schema::FileKind;

#[test]
fn every_event_keeps_the_schema() {
    let validator = jsonschema::validator_for(FileKind::Event.schema().as_value()).unwrap();
    for events in [run(), hostile::run()] {
        for line in read(&written(events), "run.jsonl").lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            validator.validate(&event).unwrap_or_else(|error| panic!("{error}\n{line}"));
        }
    }
    assert!(!validator.is_valid(&serde_json::json!({"seq": 0, "event": "console"})));
}

#[test]
fn results_keep_the_schema() {
    let validator = jsonschema::validator_for(FileKind::Results.schema().as_value()).unwrap();
    for events in [run(), hostile::run(), run().into_iter().take(9).collect()] {
        let results: Value = serde_json::from_str(&read(&written(events), "results.json")).unwrap();
        validator.validate(&results).unwrap_or_else(|error| panic!("{error}\n{results}"));
    }
    assert!(!validator.is_valid(&serde_json::json!({"job": 1})));
}
