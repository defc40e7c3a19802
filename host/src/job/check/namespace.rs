//! Namespaces: whose files and connections a block works with.

use crate::diagnostic::{Code, Diagnostic, did_you_mean};
use crate::document::Reader;
use crate::job::model::Block;

/// Whether either all blocks have a namespace or none, and connections are those of one that there is; notes what is not.
pub(crate) fn check(reader: &mut Reader<'_>, blocks: &[Block]) -> bool {
    let mut valid = true;
    let names: Vec<&str> =
        blocks.iter().filter_map(|block| block.namespace.as_ref()).map(|name| name.value.as_str()).collect();
    if let Some(first) = blocks.iter().find_map(|block| block.namespace.as_ref()) {
        for block in blocks.iter().filter(|block| block.namespace.is_none()) {
            let message = "this action has no `namespace`, and others have";
            let problem = Diagnostic::error(Code::MissingNamespace, block.span, message);
            valid = false;
            let help = "either all actions of a job have a namespace or none";
            reader.report(problem.with_label(first.span, "such as this one").with_help(help));
        }
    }
    for name in blocks.iter().filter_map(|block| block.connection_namespace.as_ref()) {
        if names.contains(&name.value.as_str()) {
            continue;
        }
        let message = format!("there is no namespace `{}` whose connection could be used", name.value);
        valid = false;
        let help = did_you_mean(&name.value, names.iter().copied());
        reader.report(Diagnostic::error(Code::UnknownNamespace, name.span, message).with_optional_help(help));
    }
    valid
}
