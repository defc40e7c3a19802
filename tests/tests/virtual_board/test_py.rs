//! U-Boot's own test suite, test/py, out of the source of Debian's package, on the virtual board through the hooks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use testbench::harness::host_runner;

use crate::lab::{Artifacts, Home, lab};

/// Tests of the suite that need no U-Boot but Debian's. All others are left out: some want more Python than that, only to
/// be looked at.
const TESTS: [&str; 6] = [
    "test_000_version.py",
    "test_env.py",
    "test_help.py",
    "test_md.py",
    "test_shell_basics.py",
    "test_unknown_cmd.py",
];

/// Debian's Python, which has Debian's modules.
const PYTHON: &str = "/usr/bin/python3";

/// What our own tests and the build directory are made from.
const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/u_boot");

/// The suite in a home, with a build directory and the hooks.
struct Suite<'h> {
    home: &'h Home,
    test_py: PathBuf,
    build: PathBuf,
    hooks: PathBuf,
}

impl<'h> Suite<'h> {
    fn new(home: &'h Home) -> Self {
        let source = lab().join("u-boot");
        let missing = "is missing: run `cargo xtask lab`";
        assert!(source.join("test/py/test.py").exists(), "{} {missing}", source.display());
        let path = home.path();
        let (here, build, hooks) = (path.join("u-boot"), path.join("build"), path.join("hooks"));
        let copied = Command::new("cp").arg("--recursive").arg(source).arg(&here).status().unwrap();
        assert!(copied.success(), "{copied}");
        let test_py = here.join("test/py");
        for entry in fs::read_dir(test_py.join("tests")).unwrap().map(Result::unwrap) {
            let is_wanted = TESTS.iter().any(|name| entry.file_name() == *name);
            if !is_wanted && entry.path().is_file() {
                fs::remove_file(entry.path()).unwrap();
            } else if !is_wanted {
                fs::remove_dir_all(entry.path()).unwrap();
            }
        }
        fs::create_dir_all(build.join("include")).unwrap();
        let fixture = |name: &str, to: &Path| fs::copy(Path::new(FIXTURES).join(name), to).unwrap();
        fixture("test_host_runner.py", &test_py.join("tests/test_host_runner.py"));
        fixture("dot_config", &build.join(".config"));
        fs::write(build.join("include/autoconf.mk"), "").unwrap();
        fs::copy("/usr/lib/u-boot/qemu_arm/u-boot.bin", build.join("u-boot.bin")).unwrap();
        let mut install = home.command(&host_runner().display().to_string());
        let installed = install.args(["u-boot-test", "install"]).arg(&hooks).output().unwrap();
        assert!(installed.status.success(), "{installed:?}");
        Self { home, test_py, build, hooks }
    }

    /// Runs the tests; what is printed, and the results by name, of which there are none if no test was begun.
    fn run(&self) -> (String, Vec<(String, bool)>) {
        let (junit, path) = (self.home.path().join("junit.xml"), std::env::var("PATH").unwrap());
        let mut suite = self.home.command(PYTHON);
        suite.arg(self.test_py.join("test.py")).args(["--bd", "qemu_arm", "--id", "vb1", "--build-dir"]);
        suite.arg(&self.build).arg(format!("--junitxml={}", junit.display()));
        suite.env("PATH", format!("{}:{path}", self.hooks.display()));
        suite.env("HOST_RUNNER_BENCH", self.home.path().join("bench.toml"));
        let ended = suite.output().unwrap();
        let printed = [ended.stdout, ended.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        let printed = printed.join("\n");
        // Written at the end of a session that has begun.
        let results = fs::read_to_string(junit).unwrap_or_default();
        (printed, cases(&results))
    }
}

/// Names of the cases of a JUnit file that were not skipped, and whether they passed.
fn cases(junit: &str) -> Vec<(String, bool)> {
    let cases = junit.split("<testcase ").skip(1).filter(|case| !case.contains("<skipped"));
    let name = |case: &str| case.split(" name=\"").nth(1)?.split('"').next().map(str::to_owned);
    cases
        .map(|case| {
            let failed = case.contains("<failure") || case.contains("<error");
            (name(case).unwrap_or_else(|| panic!("no name in {case}")), !failed)
        })
        .collect()
}

#[test]
fn u_boots_own_tests_pass_on_the_virtual_board() {
    let home = Home::new(Artifacts::NoKernel);
    let suite = Suite::new(&home);
    let (printed, results) = suite.run();
    let failed: Vec<_> = results.iter().filter(|(_, passed)| !passed).collect();
    assert!(failed.is_empty(), "{failed:?}\n{printed}");
    for name in [
        "test_version",
        "test_help",
        "test_env_set_existing",
        "test_env_import_whitelist_delete",
        "test_env_text",
        "test_md",
        "test_shell_run",
        "test_unknown_command",
        "test_a_reset_starts_u_boot_from_scratch",
        "test_bytes_pass_as_they_are",
        "test_a_board_that_goes_off_is_switched_on_by_a_reset",
    ] {
        let ran = results.iter().any(|(ran, _)| ran.starts_with(name));
        assert!(ran, "{name} did not run: {results:?}\n{printed}");
    }
    home.assert_nothing_left();
}

#[test]
fn a_build_directory_without_u_boot_is_told_before_any_test() {
    let home = Home::new(Artifacts::NoKernel);
    let suite = Suite::new(&home);
    fs::remove_file(suite.build.join("u-boot.bin")).unwrap();
    let (printed, results) = suite.run();
    assert!(results.is_empty(), "{results:?}\n{printed}");
    assert!(printed.contains("there is no ") && printed.contains("build/u-boot.bin"), "{printed}");
    home.assert_nothing_left();
}
