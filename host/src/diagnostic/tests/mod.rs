//! What users are shown: a bad file, the whole message and a page for every code.

mod fixture;
mod messages;
mod mutations;
mod pages;
