//! JSON Schemas of the files that are read and written: for completion and help in an editor, and for programs.
//!
//! Those of written files are derived from their types. Those of read files say what the checks of these files say, as
//! far as a schema can: tests hold the two against each other, key by key.

mod bench;
mod board_type;
mod job;
mod reference;
mod shape;
#[cfg(test)]
mod tests;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use crate::event::Event;
use crate::report::Results;

/// A kind of file that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FileKind {
    /// A LAVA job file
    Job,
    /// A bench file (TOML)
    Bench,
    /// A board type (TOML)
    BoardType,
    /// results.json of a run
    Results,
    /// A line of run.jsonl of a run
    Event,
}

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Job, Self::Bench, Self::BoardType, Self::Results, Self::Event];

    /// Name of the schema's file in `docs/schemas/`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Job => "job.schema.json",
            Self::Bench => "bench.schema.json",
            Self::BoardType => "board-type.schema.json",
            Self::Results => "results.schema.json",
            Self::Event => "event.schema.json",
        }
    }

    /// The schema's text.
    ///
    /// # Errors
    /// None is known: a schema is made of what JSON can hold.
    pub fn text(self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(&self.schema())? + "\n")
    }

    /// Name in `docs/` of the page that tells people of it, if it is a file that people write and LAVA does not know.
    pub const fn reference_name(self) -> Option<&'static str> {
        match self {
            Self::Bench => Some("bench.md"),
            Self::BoardType => Some("board-types.md"),
            Self::Job | Self::Results | Self::Event => None,
        }
    }

    /// That page; `None` for kinds that have none.
    ///
    /// # Errors
    /// None is known: tests read the example that is in it.
    pub fn reference(self) -> Result<Option<String>, toml::de::Error> {
        let reference = match self {
            Self::Bench => bench::REFERENCE,
            Self::BoardType => board_type::REFERENCE,
            Self::Job | Self::Results | Self::Event => return Ok(None),
        };
        reference.page(self.schema().as_value()).map(Some)
    }

    /// The schema: draft 7 for files that people write, which editors know best; 2020-12 for the others.
    pub fn schema(self) -> Schema {
        match self {
            Self::Job => job::schema(),
            Self::Bench => bench::schema(),
            Self::BoardType => board_type::schema(),
            Self::Results => written::<Results>("results.json"),
            Self::Event => written::<Event>("A line of run.jsonl"),
        }
    }
}

/// The schema of what is written of a type.
fn written<T: JsonSchema>(title: &str) -> Schema {
    let mut schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema
}
