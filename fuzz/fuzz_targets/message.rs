//! What is understood of a message is no longer than it, and is the same when it is written and read again.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use protocol::helper::{Call, Reply};
use protocol::message::{decode, encode};
use protocol::{AgentToHost, HostToAgent};
use serde::{Deserialize, Serialize};

fn check<'a, T: Deserialize<'a> + Serialize + Debug>(bytes: &'a [u8], is_same: impl Fn(&T, &[u8]) -> bool) {
    let Ok(message) = decode::<T>(bytes) else { return };
    let mut out = vec![0; bytes.len()];
    let again =
        encode(&message, &mut out).expect("a message is written in as many bytes as it was read from");
    assert!(is_same(&message, again), "{message:?}");
}

fuzz_target!(|bytes: &[u8]| {
    check::<AgentToHost<'_>>(bytes, |message, again| {
        decode::<AgentToHost<'_>>(again).as_ref() == Ok(message)
    });
    check::<HostToAgent<'_>>(bytes, |message, again| {
        decode::<HostToAgent<'_>>(again).as_ref() == Ok(message)
    });
    check::<Call<'_>>(bytes, |message, again| decode::<Call<'_>>(again).as_ref() == Ok(message));
    check::<Reply<'_>>(bytes, |message, again| decode::<Reply<'_>>(again).as_ref() == Ok(message));
});
