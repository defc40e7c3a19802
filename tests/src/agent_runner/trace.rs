//! What a process asks of the kernel.

use std::process::{Command, Stdio};

/// The system calls of a process and of the children that it forks.
///
/// Told by qemu's `-strace`, which works where a debugger is not permitted: on each line the process, the name of the
/// call, and its arguments. Processes do not wait for each other's lines to end, so of calls that are made at the same time
/// some may not be recognised; not so a fork, which is told before there is another process, and an exec, whose name is
/// enough. What a child does once it has executed another program is not among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// All calls.
    pub system_calls: usize,
    /// Calls that make a process.
    pub forks: usize,
    /// Calls that execute a program, but for the one that started the process itself.
    pub execs: usize,
}

impl Trace {
    /// Runs `command`, an emulator's with `-strace`, to its end.
    ///
    /// # Panics
    /// When it cannot be run or fails.
    pub fn of(command: &mut Command) -> Self {
        let output = command.stdin(Stdio::null()).output().expect("the emulator starts");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{:?} {}: {text}", command.get_args(), output.status);
        Self::read(&text)
    }

    /// Reads a trace.
    pub fn read(text: &str) -> Self {
        let mut trace = Self::default();
        for (before, name) in text.match_indices('(').filter_map(|(at, _)| text.get(..at)).map(split_name) {
            let is_told_whole =
                before.ends_with(' ') && before.trim_end().ends_with(|c: char| c.is_ascii_digit());
            match name {
                "clone" | "clone3" | "fork" | "vfork" => trace.forks += 1,
                "execve" | "execveat" => trace.execs += 1,
                "" => continue,
                _ if !is_told_whole => continue,
                _ => {}
            }
            trace.system_calls += 1;
        }
        trace
    }
}

/// Splits off the name that a text ends with; it is empty if there is none.
fn split_name(text: &str) -> (&str, &str) {
    let name = text.trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
    text.split_at(name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_from_what_the_program_prints() {
        let text = "12404 socket(PF_UNIX,0x5 /* SOCK_SEQPACKET */,IPPROTO_IP) = 3\n\
            12404 clone(0x11,child_stack=0)12405  = 12405\n\
            12404 execve(\"/bin/true\",{\"true\"})wait4(12405,0,0,0) = 0\n\
            12404 write(2,0x7f82a8,29)lava-agent: the line hung up\n = 29\n\
            7 apples (green)\n";
        assert_eq!(Trace::read(text), Trace { system_calls: 4, forks: 1, execs: 1 });
    }
}
