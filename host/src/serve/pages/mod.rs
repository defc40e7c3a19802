//! The pages. Each is whole without JavaScript; with it, the parts that change are taken from the page as it is then.

mod bench;
mod board;
mod board_table;
mod layout;
mod run;

use hyper::{Response, StatusCode};
use maud::html;

use super::answer::Body;

pub(super) use bench::page as bench;
pub(super) use board::page as board;
pub(super) use run::page as run;

/// The page of what is not there.
pub(super) fn nothing(what: &str, name: &str) -> Response<Body> {
    let page = layout::Page {
        title: &format!("There is no such {what}"),
        script: None,
        styles: &[],
        has_control: false,
    };
    let main = html! {
        p { "There is no " (what) " " code { (name) } " here." }
        p { a href="/" { "To the boards and runs" } }
    };
    page.answer(StatusCode::NOT_FOUND, html! { h1 { "There is no such " (what) } }, main)
}
