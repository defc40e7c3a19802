//! Files that a user writes, YAML or TOML: values with their places, and a reader that collects every problem.
//!
//! Nothing here knows what the values mean; `job` and `board` do.

mod fields;
mod node;
mod python_pattern;
mod reader;
mod toml;
mod yaml;

pub(crate) use fields::Fields;
pub(crate) use node::{Key, Node, Value};
pub(crate) use python_pattern::from_python;
pub(crate) use reader::{Reader, is_name, is_variable_name};
pub(crate) use toml::parse_toml;
pub(crate) use yaml::{Shift, parse_yaml};
