//! What a helper asks of the kernel: a board of 2012 forks and executes slowly.

use testbench::agent_runner::{Build, CALLS, Home, Runner, Served, Trace};

/// System calls that a helper may make.
const MAX_SYSTEM_CALLS: usize = 60;

#[test]
fn a_helper_forks_nothing_but_the_command_that_it_is_given_and_makes_few_system_calls() {
    let helpers = Home::new(Build::Board("armv7"));
    let served = Served::start(Home::new(Build::X86), Runner::over_pipes);
    for call in &CALLS {
        let mut helper = helpers.traced_helper(call.helper);
        let trace = Trace::of(served.prepare(&mut helper).args(call.arguments));
        let commands = usize::from(call.arguments.contains(&"--shell"));
        assert_eq!(trace.forks, commands, "{} {:?}: {trace:?}", call.helper, call.arguments);
        assert!(
            (1..=MAX_SYSTEM_CALLS).contains(&trace.system_calls),
            "{} {:?}: {trace:?}",
            call.helper,
            call.arguments
        );
    }
    let answered = CALLS.iter().filter(|call| call.asks_the_runner).count();
    assert_eq!(served.end(), answered, "every helper has asked what it is measured for");
}
