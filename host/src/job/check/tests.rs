//! Whole job files that are accepted.

use std::path::PathBuf;
use std::time::Duration;

use crate::diagnostic::{Code, Severity, Source};
use crate::job::{
    BlockKind, BootCommands, BootImage, DefinitionSource, GroupRequest, Job, Part, RoleKind, SshAddress,
};

const MINUTE: Duration = Duration::from_secs(60);

fn path(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/jobs")).join(name)
}

fn source(name: &str) -> Source {
    let read = Source::read(&path(name)).unwrap();
    Source::new(name, read.text)
}

fn good(name: &str) -> Job {
    let source = source(name);
    Job::parse(&source).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_seed_has_one_board_and_three_guests_that_wait_for_it() {
    let job = good("seed.yaml");
    assert_eq!((job.name.as_str(), job.timeout.time), ("bbb-guest-ssh", 30 * MINUTE));
    let [host, guest] = job.roles.as_slice() else { panic!("{:?}", job.roles) };
    assert!(
        matches!(&host.kind, RoleKind::Device { device_type } if device_type.value == "beaglebone-black")
    );
    assert!(matches!(&guest.kind, RoleKind::Connection { host_role } if host_role.value == "host"));
    assert_eq!((host.count, guest.count), (1, 3));
    let delayed = guest.delayed_start.as_ref().unwrap();
    assert_eq!((delayed.expect_role.value.as_str(), delayed.timeout.time), ("host", 15 * MINUTE));
    assert_eq!((host.group_timeout.time, guest.group_timeout.time), (10 * MINUTE, 15 * MINUTE));
    assert_eq!(job.warnings, []);
}

#[test]
fn the_seeds_old_forms_are_understood() {
    let job = good("seed.yaml");
    let kinds: Vec<_> = job.blocks.iter().map(|block| &block.kind).collect();
    let [
        BlockKind::DeployTftp(tftp),
        BlockKind::DeploySsh(_),
        BlockKind::BootUboot(uboot),
        BlockKind::BootSsh(login),
        BlockKind::Test(host),
        BlockKind::Test(guest),
    ] = kinds.as_slice()
    else {
        panic!("{kinds:?}")
    };
    assert!(tftp.authorize_ssh && tftp.kernel_type.is_none());
    assert_eq!(uboot.image, Some(BootImage::Zimage));
    assert_eq!(uboot.commands.value, BootCommands::Named("nfs".to_owned()));
    assert_eq!(uboot.reset.shutdown_message.as_deref(), Some("reboot: Restarting system"));
    let [call] = job.blocks[1].calls.as_slice() else { panic!("{:?}", job.blocks[1]) };
    assert_eq!((call.request, call.message_id.as_str()), (GroupRequest::Wait, "ipv4"));
    assert_eq!(call.message, [("ipaddr".to_owned(), "$ipaddr".to_owned())]);
    assert_eq!(call.timeout.time, 5 * MINUTE);
    assert!(
        call.timeout.origin.starts_with("`timeout` of the request, seed.yaml:"),
        "{}",
        call.timeout.origin
    );
    let SshAddress::Message { host_id, host_key } = &login.address else { panic!("{login:?}") };
    assert_eq!((host_id.value.as_str(), host_key.value.as_str()), ("ipv4", "ipaddr"));
    assert_eq!(host.name.as_deref(), Some("install-ssh-server"));
    let dirs: Vec<_> = host.definitions.iter().chain(&guest.definitions).map(|spec| &spec.dir).collect();
    assert_eq!(dirs, ["0_ssh-inline", "1_smoke-tests", "0_smoke-tests", "1_ssh-client"]);
    let DefinitionSource::Inline(definition) = &host.definitions[0].source else { panic!("{host:?}") };
    assert_eq!(definition.install.deps, ["openssh-server", "ntpdate"]);
    assert_eq!(definition.steps[2].command, "lava-send ipv4 ipaddr=$(lava-echo-ipv4 eth0)");
    let DefinitionSource::Git { url, path, .. } = &guest.definitions[0].source else { panic!("{guest:?}") };
    assert_eq!(url, "git://git.linaro.org/qa/test-definitions.git");
    assert_eq!(path, "ubuntu/smoke-tests-basic.yaml");
}

#[test]
fn a_timeout_beside_the_protocol_is_accepted_with_a_warning() {
    let text = source("seed.yaml").text.replace(
        "          timeout:  # delay_start timeout\n            minutes: 5\n",
        "        timeout:\n          minutes: 5\n",
    );
    let job = Job::parse(&Source::new("seed.yaml", text)).unwrap();
    let codes: Vec<_> = job.warnings.iter().map(|warning| (warning.code, warning.severity)).collect();
    assert_eq!(codes, [(Code::MisplacedTimeout, Severity::Warning)]);
}

#[test]
fn timeouts_have_lavas_precedence_and_say_where_they_come_from() {
    let job = good("single-node.yaml");
    let [deploy, boot, test] = job.blocks.as_slice() else { panic!("{:?}", job.blocks) };
    let part = |part| boot.timeouts.part(part).map(ToString::to_string);
    assert_eq!(deploy.timeouts.total.to_string(), "300 s: `timeouts.action`, single-node.yaml:6:3");
    assert_eq!(boot.timeouts.total.to_string(), "240 s: `timeout` of `boot`, single-node.yaml:23:5");
    let named = "180 s: `timeouts.actions.lava-test-shell`, single-node.yaml:9:5";
    assert_eq!(test.timeouts.total.to_string(), named);
    let named = "120 s: `timeouts.actions.auto-login-action`, single-node.yaml:8:5";
    assert_eq!(part(Part::Login).unwrap(), named);
    let named = "60 s: `boot: timeouts.bootloader-commands`, single-node.yaml:25:7";
    assert_eq!(part(Part::Commands).unwrap(), named);
    assert_eq!(part(Part::Interrupt), None, "nothing named: the whole block's");
    assert_eq!(boot.timeouts.connection.to_string(), "40 s: `timeouts.connection`, single-node.yaml:10:3");
    assert_eq!(job.power_off, None);
}

#[test]
fn times_longer_than_the_jobs_are_cut_with_a_warning() {
    let text = source("single-node.yaml").text.replace("timeout: {minutes: 4}", "timeout: {hours: 1}");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.blocks[1].timeouts.total.time, 20 * MINUTE);
    assert_eq!(
        job.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(),
        [Code::TimeoutExceedsJob]
    );
}

/// The single-node job with `lines` below its `timeouts`, each indented by two.
fn with_timeouts(lines: &str) -> Job {
    let text = source("single-node.yaml").text.replace("  connection: {seconds: 40}\n", lines);
    Job::parse(&Source::new("job.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_name_that_bounds_something_reaches_the_blocks_that_it_belongs_to() {
    let text = source("single-node.yaml").text.replace("    auto-login-action: {minutes: 2}\n    lava-test-shell: {minutes: 3}\n", "    finalize: {seconds: 7}\n    power-off: {seconds: 5}\n    lava-overlay: {seconds: 50}\n    git-repo-action: {seconds: 40}\n    http-download: {seconds: 30}\n    uboot-retry: {seconds: 20}\n    uboot-action: {minutes: 9}\n    lava-test-retry: {minutes: 8}\n    lava-test-shell: {minutes: 9}\n");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(job.warnings, []);
    let seconds =
        |block: usize, part| job.blocks[block].timeouts.part(part).map(|limit| limit.time.as_secs());
    assert_eq!(job.power_off.as_ref().unwrap().time.as_secs(), 5, "of two names, the shorter");
    assert_eq!((seconds(0, Part::Overlay), seconds(0, Part::Repository)), (Some(50), Some(40)));
    assert_eq!((seconds(0, Part::HttpDownload), seconds(1, Part::HttpDownload)), (Some(30), None));
    assert_eq!((seconds(1, Part::Attempt), seconds(1, Part::Commands)), (Some(20), Some(60)));
    // What names the whole block stands for the block's own `timeout`.
    assert_eq!(job.blocks[1].timeouts.total.time, 9 * MINUTE);
    assert_eq!(job.blocks[2].timeouts.total.time, 8 * MINUTE);
}

#[test]
fn connection_times_reach_the_answers_that_they_bound() {
    let job = with_timeouts(
        "  connections:\n    bootloader-commands: {seconds: 9}\n    lava-test-shell: {seconds: 8}\n",
    );
    assert_eq!(job.warnings, []);
    let answer = |block: usize, part| job.blocks[block].timeouts.answer(part).map(ToString::to_string);
    let named = "9 s: `timeouts.connections.bootloader-commands`, job.yaml:11:5";
    assert_eq!(answer(1, Part::Commands).unwrap(), named);
    assert_eq!((answer(1, Part::Interrupt), answer(2, Part::Commands)), (None, None));
    assert!(answer(2, Part::TestShell).unwrap().starts_with("8 s: "));
}

#[test]
fn names_without_effect_are_told_with_the_reason() {
    let text = source("single-node.yaml")
        .text
        .replace(
            "  connection: {seconds: 40}\n",
            "  connections:\n    export-device-env: {seconds: 9}\n    http-download: {seconds: 9}\n",
        )
        .replace(
            "    auto-login-action: {minutes: 2}\n",
            "    lava-docker-test-shell: {minutes: 2}\n    warp-drive: {minutes: 2}\n",
        )
        .replace("      bootloader-commands: {minutes: 1}\n", "      http-download: {minutes: 1}\n");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"));
    let told: Vec<_> = job
        .warnings
        .iter()
        .map(|w| {
            format!("{}: {} ({})", job.source.place(w.span()), w.message, w.help.as_deref().unwrap_or("-"))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @"
    job.yaml:8:5: the time of `lava-docker-test-shell` has no effect: tests of that kind are not supported (-)
    job.yaml:9:5: the time of `warp-drive` has no effect: no action of that name is known here (-)
    job.yaml:12:5: the connection time of `export-device-env` has no effect: environment and definitions are part of the root filesystem, or come with the agent: nothing is typed for them (-)
    job.yaml:13:5: the connection time of `http-download` has no effect: no single answer is waited for in it (its whole time can be named in `timeouts: actions`)
    job.yaml:28:7: the time of `http-download` has no effect in `boot: method: u-boot` (it is a part of `deploy: to: tftp`; name it there or in the job's `timeouts: actions`)
    ");
    assert!(job.warnings.iter().all(|warning| warning.code == Code::IgnoredTimeout));
}

#[test]
fn without_any_time_lavas_default_holds() {
    let text = source("single-node.yaml").text.replace("  action: {minutes: 5}\n", "");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.blocks[0].timeouts.total.time, Duration::from_secs(30));
}

#[test]
fn values_keep_the_text_that_was_written() {
    let job = good("single-node.yaml");
    assert_eq!(job.environment, [("DEBUG".to_owned(), "0".to_owned())]);
    let BlockKind::Test(test) = &job.blocks[2].kind else { panic!("{:?}", job.blocks[2]) };
    assert_eq!(test.definitions[0].params, [("LOOPS".to_owned(), "010".to_owned())]);
}

#[test]
fn anchors_merge_keys_and_doubled_keys_are_read_as_pyyaml_reads_them() {
    let text = source("single-node.yaml")
        .text
        .replace("  action: {minutes: 5}\n", "  action: &five {minutes: 5}\n  actions: *five\n");
    // `actions` is written twice: the later one counts.
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.warnings.iter().map(|warning| warning.code).collect::<Vec<_>>(), [Code::DuplicateKey]);
    assert_eq!(job.blocks[2].timeouts.total.time, 3 * MINUTE);
    let text = source("single-node.yaml")
        .text
        .replace("timeout: {minutes: 4}", "timeout:\n      <<: &base {minutes: 1}\n      seconds: 30");
    let job = Job::parse(&Source::new("job.yaml", text)).unwrap();
    assert_eq!(job.blocks[1].timeouts.total.time, Duration::from_secs(90));
}

#[test]
fn ordinary_jobs_of_lavas_own_are_accepted() {
    for name in ["uboot-nfs.yaml", "uboot-ramdisk.yaml"] {
        let job = good(name);
        assert_eq!((job.roles.len(), job.blocks.len()), (1, 3), "{name}");
    }
}

#[test]
fn our_own_example_is_accepted_without_a_warning() {
    let source = Source::read(&path("../../../examples/bbb-ssh-guest.yaml")).unwrap();
    let job = Job::parse(&source).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(job.warnings, []);
    assert_eq!(job.blocks.len(), 6);
}

#[test]
fn deep_and_large_files_are_refused() {
    for text in ["[".repeat(100_000), "a: &a [x, x, x, x, x, x, x, x]\n".to_owned() + &billion_laughs()] {
        let problems = Job::parse(&Source::new("job.yaml", text)).unwrap_err();
        assert_eq!(problems.problems[0].code, Code::YamlSyntax);
    }
}

fn billion_laughs() -> String {
    let letters: Vec<_> = ('a'..='i').collect();
    let line = |pair: &[char]| {
        format!("{}: &{} [{}]\n", pair[1], pair[1], vec![format!("*{}", pair[0]); 9].join(", "))
    };
    letters.windows(2).map(line).collect()
}

#[test]
fn a_root_filesystem_may_have_a_name_under_which_it_is_kept() {
    let with = |name: &str| {
        let text = source("single-node.yaml").text;
        let text = text.replace("compression: gz}", &format!("compression: gz, persistent: {name}}}"));
        Job::parse(&Source::new("job.yaml", text))
    };
    let job = with("build-1").unwrap();
    let BlockKind::DeployTftp(deploy) = &job.blocks[0].kind else { panic!("{:?}", job.blocks[0]) };
    let persistent = deploy.rootfs.as_ref().unwrap().persistent.as_ref();
    assert_eq!(persistent.map(|name| name.value.as_str()), Some("build-1"));
    for name in ["../build", ".build", "a/b", "'a b'"] {
        let problems = with(name).unwrap_err();
        assert!(problems.problems.iter().any(|problem| problem.code == Code::InvalidName), "{problems}");
    }
}

#[test]
fn modules_need_somewhere_to_go() {
    let modules = "modules: {url: 'https://artifacts.example.org/bbb/modules.tar.xz', compression: xz}";
    let text = source("single-node.yaml")
        .text
        .replace("    nfsrootfs: {", &format!("    {modules}\n    nfsrootfs: {{"));
    let job = Job::parse(&Source::new("job.yaml", text.as_str())).unwrap();
    let BlockKind::DeployTftp(deploy) = &job.blocks[0].kind else { panic!("{:?}", job.blocks[0]) };
    assert!(deploy.modules.is_some() && deploy.rootfs.as_ref().unwrap().takes_modules);
    let nowhere =
        Job::parse(&Source::new("job.yaml", text.replace("    nfsrootfs:", "    dtb:"))).unwrap_err();
    assert!(nowhere.to_string().contains("`modules` have nowhere to go"), "{nowhere}");
}
