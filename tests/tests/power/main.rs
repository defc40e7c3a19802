//! The drivers of `[boards.NAME.power]`: each switches a real peer, or a fake that speaks as its maker documents.

mod ask;
mod gpio;
mod http;
mod snmp;
mod uhubctl;

use testbench::harness::{BOARD, Finished, Testbench};

/// A bench whose board is switched by what `power` says; `tokens` are whole lines.
fn bench_with(tokens: &str, power: &str) -> Testbench {
    let bench = Testbench::new();
    let console = bench.path().join("console");
    let console = console.display();
    let text = format!(
        "[tokens]\n{tokens}\n[boards.{BOARD}]\ntype = \"beaglebone-black\"\nconsole = \"{console}\"\n\
         [boards.{BOARD}.power]\n{power}\n"
    );
    let bench = bench.bench_text(&text);
    bench.write("bench.toml", bench.to_toml());
    bench
}

fn bench(power: &str) -> Testbench {
    bench_with("", power)
}

/// `host-runner power fake1 ACTION`.
fn power(bench: &Testbench, action: &str) -> Finished {
    bench.start_with(&["power", BOARD, action]).finish()
}

/// Does `action`, which must do what it says.
fn done(bench: &Testbench, action: &str) -> String {
    let done = power(bench, action);
    assert_eq!(done.code, Some(0), "{done}");
    done.stdout
}

/// Does `action`, which must fail with `code` and `words`.
fn refused(bench: &Testbench, action: &str, code: i32, words: &[&str]) -> Finished {
    let refused = power(bench, action);
    assert_eq!(refused.code, Some(code), "{refused}");
    // Long lines are broken where the terminal ends.
    let told = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    for word in words {
        assert!(told.contains(word), "no {word:?} in {refused}");
    }
    refused
}
