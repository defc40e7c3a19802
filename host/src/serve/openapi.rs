//! `/api/openapi.json`: the API as an OpenAPI 3.1 document, its schemas derived from the types of the answers.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::event::Event;

use super::api::{Boards, ErrorAnswer, RunAnswer, RunList};

/// The document.
pub(super) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let settings =
        settings.with(|settings| "/components/schemas".clone_into(settings.definitions_path.to_mut()));
    let mut generator = settings.into_generator();
    let paths = paths(&mut generator);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "host-runner serve",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The boards of a bench and the runs on them. Everything is read only.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": { "schemas": generator.take_definitions(true) },
    })
}

fn paths(generator: &mut SchemaGenerator) -> Value {
    let error = json!({
        "description": "why there is no answer",
        "content": { "application/json": { "schema": generator.subschema_for::<ErrorAnswer<'_>>() } },
    });
    let answer = |schema: schemars::Schema, about: &str| json!({ "description": about, "content": { "application/json": { "schema": schema } } });
    let id = json!({
        "name": "id", "in": "path", "required": true, "schema": { "type": "string" },
        "description": "name of the run's directory",
    });
    let number = |name: &str, place: &str, about: &str| {
        json!({
            "name": name, "in": place, "required": false, "description": about,
            "schema": { "type": "integer", "minimum": 0 },
        })
    };
    json!({
        "/api/boards": { "get": {
            "summary": "The boards of the bench file, and who has them",
            "responses": { "200": answer(generator.subschema_for::<Boards>(), "the boards") },
        } },
        "/api/runs": { "get": {
            "summary": "The runs: those that go on, then the newest first",
            "parameters": [number("page", "query", "which page, from 1")],
            "responses": { "200": answer(generator.subschema_for::<RunList>(), "a page of runs") },
        } },
        "/api/runs/{id}": { "get": {
            "summary": "What a run has come to",
            "parameters": [id.clone()],
            "responses": { "200": answer(generator.subschema_for::<RunAnswer>(), "the run"), "404": error.clone() },
        } },
        "/api/runs/{id}/events": { "get": {
            "summary": "The events of a run as they come",
            "description": "Server-Sent Events. The data of each is a line of run.jsonl, its id the offset behind that line. \
                After the last one of a run comes one of the type `end`.",
            "parameters": [
                id,
                number("from", "query", "offset of run.jsonl to begin at; 0 without it"),
                number("Last-Event-ID", "header", "the same, for who comes back; it counts before `from`"),
            ],
            "responses": {
                "200": {
                    "description": "the events",
                    "content": { "text/event-stream": { "itemSchema": generator.subschema_for::<Event>() } },
                },
                "400": error.clone(), "404": error.clone(), "503": error,
            },
        } },
    })
}
