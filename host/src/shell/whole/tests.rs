use std::process::{Command, Stdio};

use super::is_whole;

#[test]
fn whole_commands_are_known() {
    for text in [
        "",
        "# if only",
        "make && ./run.sh a b; echo 'it''s' \"$HOME\" `id -u` $((1 + 2)) ${X:-\"}\"}",
        "for i in 1 2; do\n  echo $i\ndone",
        "if test -e /dev/mmcblk0; then echo card; elif true; then :; else exit 1; fi > log 2>&1",
        "case $1 in\n  a|b) echo if;;\n  (c) ;;\n  *) echo x\nesac",
        "case x in esac",
        "say() { echo \"$(cat <<EOF\nit's $1\nEOF\n)\"; }",
        "cat > f <<'EOF' && echo done\nif while (\nEOF",
        "cat <<EOF\n$(date) ${HOME} `id` \\$ 100$\nEOF",
        "cat <<-A - <<\\B\n\ta\n\tA\nb\nB\necho",
        "( cd /tmp; ls ) | { read x; echo $x; } &",
        "while ! ping -c1 $H; do sleep 1; done",
        "echo a \\\n  b",
        "echo fi done esac } if then",
        "echo $# ${#x} a#b '#' ; test $? = 0",
        "f () (\necho\n)",
        "make || \\\n  { echo bad; }\ndmesg | \\\n while read l; do echo $l; done",
        "a=$(echo `echo \\`id\\``) && b=\"`echo \"x\"`\"",
    ] {
        assert!(is_whole(text), "{text}");
    }
}

#[test]
fn what_is_open_or_not_certain_is_not_whole() {
    for text in [
        "for i in 1 2; do",
        "done",
        "if true; then",
        "if true; then echo fi",
        "fi",
        "case $x in",
        "case $x in a) echo;;",
        "echo 'open",
        "echo \"open $(echo ) still",
        "echo $(echo",
        "echo `echo",
        "echo ${x",
        "make |",
        "make &&",
        "make ||\n# and then",
        "!",
        "echo a \\",
        "cat <<EOF\ntext",
        "cat <<EOF",
        "cat <<EOF\n$(date\nEOF",
        "cat <<EOF\na\\\nEOF",
        "cat <<EOF\n EOF\n",
        "say() {",
        "say()",
        "( cd /tmp",
        "echo >",
        "[[ a < b ]]",
        "a=(1 2)",
        "diff <(ls) <(ls)",
        "echo $'it\\'s'",
        "; ;; )",
        "test -f x && \\\n{",
        "{\\\n echo a",
        "( echo \\\n# )",
        "make && \\\n ",
        "if true; then >log fi",
        "( case x in a|esac) echo hi",
        "echo \"${x:-'}\" '}\"",
        "time {",
    ] {
        assert!(!is_whole(text), "{text}");
    }
}

/// A shell takes the text, and takes a line behind it for a command: a sole `)` there is an error. Or it does not take
/// it, and no line behind it makes it better.
fn a_shell_agrees(text: &str) -> bool {
    let parses = |text: String| {
        let mut shell = Command::new("/bin/sh");
        let shell = shell.args(["-n", "-c", &text]).stderr(Stdio::null()).status();
        shell.expect("every system has a shell").success()
    };
    let ends = [")", "fi", "done", "}", "esac", "EOF", "\"", ":", "then :\nfi"];
    let mut lengthened = ends.iter().map(|end| parses(format!("{text}\n{end}")));
    if parses(text.to_owned()) { lengthened.next() == Some(false) } else { !lengthened.any(|parsed| parsed) }
}

#[test]
fn nothing_is_taken_for_whole_that_a_shell_takes_for_open() {
    const PARTS: [&str; 30] = [
        "echo a",
        "make && \\",
        ">log fi",
        "{\\",
        "a|esac)",
        "if true; then",
        "else",
        "fi",
        "while read x; do",
        "done",
        "case x in",
        "a) echo;;",
        "b)",
        "esac",
        "(",
        ")",
        "{",
        "}",
        "f()",
        "cat <<EOF",
        "cat <<EOF\n$(date\nEOF",
        "cat <<EOF\na\\\nEOF",
        "EOF",
        "a |",
        "b && ",
        "# it's",
        "echo \"x",
        "y\"",
        "z=$(",
        "! :",
    ];
    let mut whole = 0;
    for (first, second) in PARTS.iter().flat_map(|first| PARTS.map(|second| (first, second))) {
        for third in ["", "fi", "}", ")", "esac", "EOF", "done", ":"] {
            let text = format!("{first}\n{second}\n{third}");
            if is_whole(&text) {
                whole += 1;
                assert!(a_shell_agrees(&text), "{text}");
            }
        }
    }
    assert!(whole > 50, "{whole} of the texts");
}

#[test]
fn deep_nesting_is_given_up_on() {
    assert!(!is_whole(&format!("{}{}", "echo $(".repeat(10_000), ")".repeat(10_000))));
    assert!(!is_whole(&format!("{}{}", "\"${x:-".repeat(10_000), "}\"".repeat(10_000))));
}
