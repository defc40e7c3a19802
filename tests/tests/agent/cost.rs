//! What a helper asks of the kernel: a board of 2012 forks and executes slowly.

use std::fs::{self, File};

use testbench::agent_runner::{Build, CALLS, Home, MeasuredCall, Runner, Served, Trace};

use crate::done;

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
    // A case with a command is told before it and after it.
    let times = |call: &MeasuredCall| 1 + usize::from(call.arguments.contains(&"--shell"));
    let answered: usize = CALLS.iter().filter(|call| call.asks_the_runner).map(times).sum();
    assert_eq!(served.end(), answered, "every helper has asked what it is measured for");
}

#[test]
fn a_script_that_has_closed_its_output_costs_the_agent_nothing() {
    let home = Home::new(Build::Board("armv7"));
    // Long enough to show an agent that asks again and again; 170 calls are its whole life otherwise.
    home.script("run.sh", "exec >&- 2>&-; sleep 0.2\n");
    let trace = home.path().join("trace");
    let mut runner = Runner::traced(&home, File::create(&trace).expect("writable"));
    runner.run("run.sh", 30, done);
    assert!(runner.quit().success());
    let trace = Trace::read(&fs::read_to_string(&trace).expect("written"));
    assert!((50..400).contains(&trace.system_calls), "{trace:?}");
}
