//! `/api/openapi.json`: the API as an OpenAPI 3.1 document, its schemas derived from the types of the answers.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::event::Event;

use super::api::{Boards, ErrorAnswer, KeysAnswer, RunAnswer, RunList, Started, StartedAnswer};
use super::control::{PowerAnswer, PowerOrder};

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
            "description": "The boards of a bench and the runs on them. GET needs no token; POST needs that of the server, and one that was started with one.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn paths(generator: &mut SchemaGenerator) -> Value {
    let mut paths = read(generator);
    for (path, post) in changes(generator) {
        paths[path]["post"] = post;
    }
    paths
}

/// An answer of that type.
fn answer<T: JsonSchema>(generator: &mut SchemaGenerator, about: &str) -> Value {
    json!({ "description": about, "content": { "application/json": { "schema": generator.subschema_for::<T>() } } })
}

/// A part of the path.
fn part(name: &str, about: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" }, "description": about })
}

/// What may be asked by everybody.
fn read(generator: &mut SchemaGenerator) -> Value {
    let error = answer::<ErrorAnswer<'_>>(generator, "why there is no answer");
    let id = part("id", "name of the run's directory");
    let number = |name: &str, place: &str, about: &str| {
        json!({
            "name": name, "in": place, "required": false, "description": about,
            "schema": { "type": "integer", "minimum": 0 },
        })
    };
    json!({
        "/api/boards": { "get": {
            "summary": "The boards of the bench file, who has them, who waits, and whether they are on",
            "responses": { "200": answer::<Boards>(generator, "the boards") },
        } },
        "/api/runs": { "get": {
            "summary": "The runs: those that go on, then the newest first",
            "parameters": [number("page", "query", "which page, from 1; behind the last one there are no runs")],
            "responses": { "200": answer::<RunList>(generator, "a page of runs"), "400": error.clone() },
        } },
        "/api/runs/{id}": { "get": {
            "summary": "What a run has come to",
            "parameters": [id.clone()],
            "responses": { "200": answer::<RunAnswer>(generator, "the run"), "404": error.clone() },
        } },
        "/api/started": { "get": {
            "summary": "The runs that were started here, waiting ones among them",
            "responses": { "200": answer::<Started>(generator, "the runs") },
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

/// What may be changed by those who have the token.
fn changes(generator: &mut SchemaGenerator) -> [(&'static str, Value); 4] {
    let error = answer::<ErrorAnswer<'_>>(generator, "why it is not done");
    let switched = answer::<PowerAnswer>(generator, "it is done");
    let typed = answer::<KeysAnswer>(generator, "they are typed; whether the board gets them is said");
    let order = generator.subschema_for::<PowerOrder>();
    let started = answer::<StartedAnswer>(generator, "it waits for its boards, or has them");
    let done = json!({ "description": "it is done" });
    let operation = |summary: &str, parameters: Value, body: Value, status: &str, answer: &Value| {
        let mut operation = json!({
            "summary": summary, "security": [{ "token": [] }], "parameters": parameters,
            "responses": { status: answer, "default": error },
        });
        if !body.is_null() {
            operation["requestBody"] = json!({ "required": true, "content": body });
        }
        operation
    };
    let board = part("name", "name of the board in the bench file");
    [
        (
            "/api/boards/{name}/power",
            operation(
                "Switches the power of a board that nobody has; answered when it is done",
                json!([board.clone()]),
                json!({ "application/json": { "schema": order } }),
                "200",
                &switched,
            ),
        ),
        (
            "/api/boards/{name}/keys",
            operation(
                "Types bytes on the console of a board whose console a run or command has open",
                json!([board]),
                json!({ "application/octet-stream": {} }),
                "202",
                &typed,
            ),
        ),
        (
            "/api/runs",
            operation(
                "Starts a run of a job file, behind those who wait for its boards; 422 says what is wrong with the file, all of it in `problems`",
                json!([]),
                json!({ "application/yaml": {} }),
                "202",
                &started,
            ),
        ),
        (
            "/api/runs/{id}/cancel",
            operation(
                "Ends a run that was started here, as Ctrl-C does",
                json!([part("id", "name of the run's directory")]),
                Value::Null,
                "202",
                &done,
            ),
        ),
    ]
}
