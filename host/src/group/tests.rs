use std::collections::BTreeSet;

use proptest::prelude::{Just, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{Effect, Group, Member, Refusal, Released, Request};
use crate::event::Outcome;

const HOST: usize = 0;

/// The group of the seed's kind: one host, three guests.
fn group() -> Group {
    let guest = |n| Member { name: format!("guest-{n}"), role: "guest".to_owned() };
    Group::new(vec![
        Member { name: "host".to_owned(), role: "host".to_owned() },
        guest(0),
        guest(1),
        guest(2),
    ])
}

fn send(id: &str, value: &str) -> Request {
    Request::Send { id: id.to_owned(), data: vec![("k".to_owned(), value.to_owned())] }
}

fn wait(id: &str) -> Request {
    Request::Wait { id: id.to_owned() }
}

fn wait_all(id: &str, role: Option<&str>) -> Request {
    Request::WaitAll { id: id.to_owned(), role: role.map(str::to_owned) }
}

fn sync(id: &str) -> Request {
    Request::Sync { id: id.to_owned() }
}

fn answered(effects: &[Effect]) -> Vec<(usize, u64, bool)> {
    effects
        .iter()
        .map(|Effect::Reply { member, call_id, result }| (*member, *call_id, result.is_ok()))
        .collect()
}

fn refusal(effects: &[Effect]) -> String {
    match effects {
        [.., Effect::Reply { result: Err(refusal), .. }] => refusal.to_string(),
        other => panic!("{other:?}"),
    }
}

fn messages(effects: &[Effect]) -> Vec<(String, String)> {
    match effects {
        [.., Effect::Reply { result: Ok(Released { messages }), .. }] => {
            messages.iter().map(|(sender, _, value)| (sender.clone(), value.clone())).collect()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wait_is_released_by_the_first_message_and_later_waits_at_once() {
    let mut group = group();
    assert_eq!(group.call(1, 1, wait("ipv4")), []);
    let effects = group.call(HOST, 1, send("ipv4", "10.0.0.2\n> x"));
    assert_eq!(answered(&effects), [(HOST, 1, true), (1, 1, true)]);
    assert_eq!(messages(&effects), [("host".to_owned(), "10.0.0.2\n> x".to_owned())]);
    assert_eq!(answered(&group.call(2, 1, wait("ipv4"))), [(2, 1, true)]);
}

#[test]
fn sending_again_replaces_the_senders_data() {
    let mut group = group();
    group.call(HOST, 1, send("a", "old"));
    group.call(1, 1, send("a", "guest's"));
    group.call(HOST, 2, send("a", "new"));
    let effects = group.call(2, 1, wait("a"));
    assert_eq!(
        messages(&effects),
        [("host".to_owned(), "new".to_owned()), ("guest-0".to_owned(), "guest's".to_owned())]
    );
}

#[test]
fn wait_all_of_a_role_waits_for_every_member_of_it() {
    let mut group = group();
    assert_eq!(group.call(HOST, 9, wait_all("up", Some("guest"))), []);
    assert_eq!(answered(&group.call(1, 1, send("up", ""))), [(1, 1, true)]);
    assert_eq!(answered(&group.call(2, 1, send("up", ""))), [(2, 1, true)]);
    assert_eq!(answered(&group.call(3, 1, send("up", ""))), [(3, 1, true), (HOST, 9, true)]);
}

#[test]
fn lava_start_waits_for_the_host_alone() {
    let mut group = group();
    for guest in 1..4 {
        assert_eq!(group.call(guest, 1, wait_all("lava_start", Some("host"))), []);
    }
    let effects = group.call(HOST, 1, send("lava_start", ""));
    assert_eq!(answered(&effects), [(HOST, 1, true), (1, 1, true), (2, 1, true), (3, 1, true)]);
}

#[test]
fn an_unknown_role_is_refused_to_the_caller_only() {
    let mut group = group();
    group.call(1, 1, wait("x"));
    let effects = group.call(HOST, 1, wait_all("x", Some("gest")));
    assert_eq!(refusal(&effects), "no member of the group has role `gest`; there are `guest`, `host`");
    assert_eq!(group.waiters().len(), 1);
}

#[test]
fn a_barrier_is_released_by_its_last_arrival_and_can_be_used_again() {
    let mut group = group();
    for round in 0..3 {
        for member in 0..3 {
            assert_eq!(group.call(member, round, sync("clients")), []);
        }
        assert_eq!(group.call(3, round, sync("clients")).len(), 4);
    }
}

#[test]
fn the_end_of_a_member_is_told_to_all_who_wait_for_it() {
    let mut group = group();
    group.call(1, 1, sync("clients"));
    group.call(2, 1, wait_all("lava_start", Some("host")));
    group.call(3, 1, wait("x"));
    let effects = group.member_ended(HOST, Outcome::Fail);
    assert_eq!(answered(&effects), [(1, 1, false), (2, 1, false)]);
    assert_eq!(
        refusal(&effects),
        "`guest-1` waits for `lava_start` of role `host`, but `host` ended (fail) without sending it"
    );
    assert_eq!(
        refusal(&effects[..1]),
        "`guest-0` waits for every member at `clients`, but `host` ended (fail) before it got there"
    );
    assert_eq!(answered(&group.call(1, 2, sync("clients"))), [(1, 2, false)], "and to those who come later");
}

#[test]
fn what_a_member_sent_before_it_ended_stays() {
    let mut group = group();
    group.call(HOST, 1, send("lava_start", ""));
    assert_eq!(group.member_ended(HOST, Outcome::Pass), []);
    assert_eq!(answered(&group.call(1, 1, wait_all("lava_start", Some("host")))), [(1, 1, true)]);
}

#[test]
fn a_member_that_ended_is_answered_and_heard_no_more() {
    let mut group = group();
    group.call(1, 1, wait("x"));
    assert_eq!(answered(&group.member_ended(1, Outcome::Error)), [(1, 1, false)]);
    assert_eq!(group.member_ended(1, Outcome::Pass), []);
    assert_eq!(refusal(&group.call(1, 2, send("x", ""))), "the member has ended");
}

#[test]
fn a_deadlock_is_refused_to_all_and_names_them() {
    let mut group = group();
    group.member_ended(3, Outcome::Pass);
    group.call(HOST, 1, wait("a"));
    group.call(1, 1, wait_all("b", Some("host")));
    let effects = group.call(2, 1, wait("c"));
    assert_eq!(answered(&effects), [(HOST, 1, false), (1, 1, false), (2, 1, false)]);
    assert_eq!(
        refusal(&effects),
        "deadlock: `host` waits for `a`, `guest-0` waits for `b` of role `host`, `guest-1` waits for `c`; \
         `guest-2` has ended (pass)"
    );
    assert_eq!(answered(&group.call(HOST, 2, send("a", ""))), [(HOST, 2, true)], "the group lives on");
}

#[test]
fn the_end_of_the_last_member_that_could_send_is_a_deadlock() {
    let mut group = group();
    for guest in 1..4 {
        group.call(guest, 1, wait("ipv4"));
    }
    let effects = group.member_ended(HOST, Outcome::Cancelled);
    assert_eq!(effects.len(), 3);
    let Some(Effect::Reply { result: Err(refusal), .. }) = effects.first() else { panic!("{effects:?}") };
    assert!(refusal.to_string().ends_with("; `host` has ended (cancelled)"), "{refusal}");
}

#[test]
fn a_wait_in_the_background_does_not_block_its_member() {
    let mut group = group();
    group.call(HOST, 1, wait("a"));
    group.call(HOST, 2, send("b", ""));
    for guest in 1..4 {
        assert_eq!(group.call(guest, 1, wait("c")), []);
    }
    assert_eq!(group.call(HOST, 3, send("c", "")).len(), 4);
    for guest in 1..4 {
        group.call(guest, 2, wait("d"));
    }
    assert_eq!(group.call(HOST, 4, wait("e")).len(), 5, "with a wait in the foreground it is blocked again");
}

#[test]
fn a_cancelled_call_is_not_answered_and_does_not_count_at_a_barrier() {
    let mut group = group();
    group.call(HOST, 1, sync("s"));
    group.cancel(HOST, 1);
    for guest in 1..4 {
        assert_eq!(group.call(guest, 1, sync("s")), []);
    }
    assert_eq!(group.call(HOST, 2, sync("s")).len(), 4);
}

#[test]
fn what_is_too_much_is_refused() {
    let mut group = group();
    assert_eq!(refusal(&group.call(HOST, 1, wait(""))), "the message id is empty");
    let long = "x".repeat(70_000);
    assert_eq!(
        refusal(&group.call(HOST, 1, send("a", &long))),
        "a message of 70001 bytes is too long (limit 65536)"
    );
    assert_eq!(refusal(&group.call(9, 1, wait("a"))), "the group has no member number 9");
    for call in 0..64 {
        assert_eq!(group.call(HOST, call, wait("a")), []);
    }
    assert_eq!(refusal(&group.call(HOST, 64, wait("a"))), "more than 64 calls at a time");
    assert_eq!(group.waiters().len(), 64);
}

#[test]
fn a_call_number_in_use_is_refused() {
    let mut group = group();
    group.call(HOST, 1, wait("a"));
    assert_eq!(
        group.call(HOST, 1, wait("b")),
        [Effect::Reply { member: HOST, call_id: 1, result: Err(Refusal::DuplicateCall(1)) }]
    );
}

#[derive(Clone, Debug)]
enum Step {
    Call(usize, Request),
    CancelOldest(usize),
    End(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = prop_oneof![Just("a"), Just("b")];
    let role = prop_oneof![Just(None), Just(Some("host")), Just(Some("guest")), Just(Some("nobody"))];
    let request = prop_oneof![
        id.clone().prop_map(|id| send(id, "v")),
        id.clone().prop_map(wait),
        (id.clone(), role).prop_map(|(id, role)| wait_all(id, role)),
        id.prop_map(sync),
    ];
    let step = prop_oneof![
        12 => (0..4_usize, request).prop_map(|(member, request)| Step::Call(member, request)),
        2 => (0..4_usize).prop_map(Step::CancelOldest),
        1 => (0..4_usize).prop_map(Step::End),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn every_call_is_answered_once_or_still_waits_with_reason(steps in steps()) {
        let mut group = group();
        let mut open: BTreeSet<(usize, u64)> = BTreeSet::new();
        let mut sent: BTreeSet<(String, usize)> = BTreeSet::new();
        let mut ended = BTreeSet::new();
        for (number, step) in (0_u64..).zip(steps) {
            let effects = match step {
                Step::Call(member, request) => {
                    prop_assert!(open.insert((member, number)));
                    if let Request::Send { id, .. } = &request && !ended.contains(&member) {
                        sent.insert((id.clone(), member));
                    }
                    group.call(member, number, request)
                }
                Step::CancelOldest(member) => {
                    if let Some(&(member, call)) = open.iter().find(|(caller, _)| *caller == member) {
                        open.remove(&(member, call));
                        group.cancel(member, call);
                    }
                    vec![]
                }
                Step::End(member) => {
                    ended.insert(member);
                    group.member_ended(member, Outcome::Fail)
                }
            };
            for Effect::Reply { member, call_id, .. } in &effects {
                prop_assert!(open.remove(&(*member, *call_id)), "answered twice, or never asked");
            }
            let waiters = group.waiters();
            prop_assert_eq!(waiters.len(), open.len());
            for waiter in waiters {
                let has_sent = |id: &str, member: usize| sent.contains(&(id.to_owned(), member));
                match &waiter.request {
                    Request::Wait { id } => prop_assert!((0..4).all(|member| !has_sent(id, member))),
                    Request::WaitAll { id, role } => {
                        let needed = |member: &usize| role.as_ref().is_none_or(|role| group.members()[*member].role == *role);
                        let mut missing = (0..4).filter(needed).filter(|&member| !has_sent(id, member)).peekable();
                        prop_assert!(missing.peek().is_some(), "all have sent");
                        prop_assert!(missing.all(|member| !ended.contains(&member)), "it can come no more");
                    }
                    Request::Sync { .. } => prop_assert!(ended.is_empty()),
                    Request::Send { .. } => prop_assert!(false, "a send never waits"),
                }
            }
        }
    }
}
