//! README.md and the pages of docs/: the commands that they show are run, on a bench with a fake board, and print what their page
//! shows; their links lead somewhere. What cannot be run here is listed with its reason, and its options are parsed all the same.

mod commands;
mod desk;
mod links;
mod pages;
