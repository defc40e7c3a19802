//! `host-runner agent`: the agent in root filesystems of every kind, made and checked with the programs that users have.
#![expect(clippy::unwrap_used, reason = "a test ends where its set-up fails")]

mod device;
mod directory;
mod ext4;
mod fixture;
mod gpt;
mod hang;
mod ramdisk;
mod run;
mod ssh;
mod sudo;
mod tar;
mod wrong;
