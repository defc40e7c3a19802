//! `host-runner serve`: the bench and its runs, for people and programs.

mod api;
mod browser;
mod control;
mod files;
mod follow;
mod served;
