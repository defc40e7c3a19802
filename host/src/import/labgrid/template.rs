//! `!template` texts: `$BASE`, `${LG_NAME}` and `$$`, as Python's `string.Template` has them.

use std::sync::LazyLock;

use regex::Regex;

use super::Options;
use crate::import::keys::Item;

/// The tag of texts with variables.
const TAG: &str = "!template";

static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\$(?:(?<dollar>\$)|(?<name>[A-Za-z_]\w*)|\{(?<braced>[A-Za-z_]\w*)\})")
        .expect("a constant pattern is valid")
});

/// `text`, the value of `item`, with its variables replaced if it has the tag.
///
/// # Errors
/// It names a variable that is not there.
pub(super) fn expand(item: &Item<'_>, text: &str, options: &Options) -> Result<String, String> {
    if !has_tag(item) {
        return Ok(text.to_owned());
    }
    let mut expanded = String::new();
    let mut end = 0;
    for found in VARIABLE.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        expanded += text.get(end..whole.start()).unwrap_or_default();
        end = whole.end();
        match found.name("name").or(found.name("braced")) {
            None => expanded.push('$'),
            Some(name) => expanded += &value(name.as_str(), options)?,
        }
    }
    expanded += text.get(end..).unwrap_or_default();
    Ok(expanded)
}

fn value(name: &str, options: &Options) -> Result<String, String> {
    if name == "BASE" {
        return Ok(options.base.display().to_string());
    }
    let variable = options.variables.iter().find(|(known, _)| known == name);
    variable.map(|(_, value)| value.clone()).ok_or_else(|| format!("there is no variable `{name}`"))
}

/// Whether the tag is written before the value, or as its begin.
fn has_tag(item: &Item<'_>) -> bool {
    let text = &item.source.text;
    let offset = item.node.span.offset;
    text.get(offset..).is_some_and(|value| value.starts_with(TAG))
        || text.get(..offset).is_some_and(|before| before.trim_end().ends_with(TAG))
}
