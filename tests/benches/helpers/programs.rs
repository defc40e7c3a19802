//! What helpers are compared with.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use testbench::agent_runner::emulator;
use testbench::harness::median;

use super::cpu_ms;

/// As many bytes as LAVA's `lava-test-case` prints.
const WRITE: &str = "#include <unistd.h>\n\
    int main(void) { return write(1, \"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=passed>\\n\", 52) != 52; }\n";

/// The same without a C library.
const BARE: &str = "\
static long call(long number, long a, long b, long c) {\n\
#ifdef __arm__\n\
  register long r7 __asm__(\"r7\") = number, r0 __asm__(\"r0\") = a, r1 __asm__(\"r1\") = b, r2 __asm__(\"r2\") = c;\n\
  __asm__ volatile(\"svc 0\" : \"+r\"(r0) : \"r\"(r7), \"r\"(r1), \"r\"(r2) : \"memory\");\n\
  return r0;\n\
}\n\
enum { WRITE = 4, EXIT = 1 };\n\
#else\n\
  long result;\n\
  __asm__ volatile(\"syscall\" : \"=a\"(result) : \"a\"(number), \"D\"(a), \"S\"(b), \"d\"(c) : \"rcx\", \"r11\", \"memory\");\n\
  return result;\n\
}\n\
enum { WRITE = 1, EXIT = 60 };\n\
#endif\n\
void _start(void) {\n\
  call(WRITE, 1, (long)\"<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=a RESULT=passed>\\n\", 52);\n\
  call(EXIT, 0, 0, 0);\n\
}\n";

/// Forks and executed programs of LAVA's shell helpers, the shell itself not among them.
const LAVA: [(&str, usize, usize); 4] = [
    ("lava-test-case --result", 1, 1),
    ("lava-send ID k=v", 14, 7),
    ("lava-sync", 24, 14),
    ("lava-wait, 2 pairs", 30, 16),
];

/// Programs that write one line, for this PC and for the board.
pub(crate) struct Programs {
    directory: TempDir,
}

/// A shell script that forks and executes as one of LAVA's helpers does, and nothing else.
pub(crate) struct StandIn {
    /// LAVA's helper.
    pub(crate) helper: &'static str,
    /// Processes that it forks.
    pub(crate) forks: usize,
    /// Programs that these execute.
    pub(crate) execs: usize,
    /// CPU time, median.
    pub(crate) cpu_ms: f64,
}

impl Programs {
    /// Compiles them.
    pub(crate) fn build() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let (write, bare) = (directory.path().join("write.c"), directory.path().join("bare.c"));
        fs::write(&write, WRITE)?;
        fs::write(&bare, BARE)?;
        for (compiler, place) in [("cc", "native"), ("arm-linux-gnueabihf-gcc", "arm")] {
            compile(compiler, &[], &write, &directory.path().join(format!("write-{place}")))?;
            let bare_options = ["-nostdlib", "-nostartfiles"];
            compile(compiler, &bare_options, &bare, &directory.path().join(format!("bare-{place}")))?;
        }
        Ok(Self { directory })
    }

    pub(crate) fn write_natively(&self) -> Command {
        Command::new(self.directory.path().join("write-native"))
    }

    pub(crate) fn write_emulated(&self) -> Command {
        self.emulated("write-arm")
    }

    pub(crate) fn bare_natively(&self) -> Command {
        Command::new(self.directory.path().join("bare-native"))
    }

    pub(crate) fn bare_emulated(&self) -> Command {
        self.emulated("bare-arm")
    }

    fn emulated(&self, name: &str) -> Command {
        let mut command = Command::new(emulator("armv7"));
        command.arg(self.directory.path().join(name));
        command
    }

    /// Measures shell scripts in place of LAVA's helpers, on this PC.
    pub(crate) fn measure_stand_ins(&self, calls: usize) -> io::Result<Vec<StandIn>> {
        let measure = |(helper, forks, execs): (&'static str, usize, usize)| {
            let script = "/bin/true; ".repeat(execs) + &"(:); ".repeat(forks - execs);
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &(script + ":")]);
            let cpu = (0..calls).map(|_| cpu_ms(&mut shell)).collect::<io::Result<Vec<_>>>()?;
            Ok(StandIn { helper, forks, execs, cpu_ms: median(cpu).unwrap_or(f64::NAN) })
        };
        LAVA.into_iter().map(measure).collect()
    }
}

fn compile(compiler: &str, options: &[&str], source: &Path, program: &Path) -> io::Result<()> {
    let status = Command::new(compiler)
        .args(["-O2", "-static", "-fno-stack-protector"])
        .args(options)
        .arg("-o")
        .args([program, source])
        .status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("{compiler}: {status}"))) }
}
