//! Binding jobs to benches.

use std::path::Path;
use std::sync::Arc;

use super::{Action, NodeKind, Plan};
use crate::board::{Bench, Board};
use crate::diagnostic::Source;
use crate::fault::Class;
use crate::job::{BootImage, Job};

const VIRTUAL: &str = r#"
[boards.vb1]
type = "qemu-virt-arm"
device_types = ["beaglebone-black", "qemu-virt-arm"]
console = "qemu"
address = "10.77.0.2"
"#;

fn bench(text: &str) -> Bench {
    Bench::parse(&Source::new("bench.toml", text), Path::new("/bench")).unwrap()
}

fn fixture(name: &str) -> String {
    let directory = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/jobs"));
    Source::read(&directory.join(name)).unwrap().text.to_string()
}

fn job(text: &str) -> Job {
    Job::parse(&Source::new("job.yaml", text)).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Classes, places, messages and helps of all faults, one a line.
fn faults(text: &str, bench: &Bench) -> String {
    let faults = Plan::bind(&job(text), bench).unwrap_err();
    let line = |fault: &crate::fault::Fault| {
        let help = fault.help.as_deref().unwrap_or("-");
        format!("{} {}: {} ({help})", fault.class, fault.place, fault.message)
    };
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_seed_becomes_one_board_and_three_connections_to_it() {
    let plan = Plan::bind(&job(&fixture("seed.yaml")), &bench(VIRTUAL)).unwrap();
    let nodes: Vec<_> = plan.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(nodes, ["host", "guest-1", "guest-2", "guest-3"]);
    assert!(matches!(&plan.nodes[0].kind, NodeKind::Board { board } if board.name == "vb1"));
    for guest in &plan.nodes[1..] {
        assert!(matches!(&guest.kind, NodeKind::Secondary { host } if host == "host"));
        assert_eq!(guest.delayed_start.as_ref().unwrap().expect_role.value, "host");
    }
    let phases =
        |index: usize| -> Vec<_> { plan.nodes[index].steps.iter().map(|s| s.phase.as_str()).collect() };
    assert_eq!(phases(0), ["deploy-tftp", "boot-u-boot", "test-0"]);
    assert_eq!(phases(3), ["deploy-ssh", "boot-ssh", "test-0"]);
    assert_eq!(plan.nodes[0].steps[0].place, "job.yaml:44:5");
}

#[test]
fn the_boots_commands_and_messages_come_from_the_board_type() {
    let plan = Plan::bind(&job(&fixture("seed.yaml")), &bench(VIRTUAL)).unwrap();
    let Action::BootUboot(boot) = &plan.nodes[0].steps[1].action else { panic!("{plan:?}") };
    assert_eq!(boot.loader.image, BootImage::Zimage);
    assert_eq!(boot.loader.commands.last().unwrap(), "{BOOTX}");
    assert_eq!(boot.reset.shutdown_message, "reboot: Restarting system");
    assert_eq!(boot.shell.kernel_start_message.as_deref(), Some("Linux version [0-9]"));
    let Action::Test(test) = &plan.nodes[0].steps[2].action else { panic!("{plan:?}") };
    assert_eq!((test.stage, test.os.as_deref()), (0, Some("debian")));
}

#[test]
fn a_boards_own_variables_and_restart_commands_are_for_jobs_that_have_none() {
    let bench = bench(&format!(
        "{VIRTUAL}environment = {{ RACK = '3', DEBUG = 'board' }}\nlinux = {{ soft_reboot = ['reboot'] }}\n"
    ));
    let text = fixture("single-node.yaml");
    let restarts = |plan: &Plan| match &plan.nodes[0].steps[1].action {
        Action::BootUboot(boot) => boot.reset.soft_reboot.clone(),
        other => panic!("{other:?}"),
    };
    let plan = Plan::bind(&job(&text), &bench).unwrap();
    let value = |name: &str| {
        let of_name = plan.nodes[0].environment.iter().filter(|(key, _)| key == name);
        of_name.map(|(_, value)| value.as_str()).next_back()
    };
    assert_eq!((value("RACK"), value("DEBUG")), (Some("3"), Some("0")));
    assert_eq!(restarts(&plan), ["reboot"]);
    let own = text.replace("commands: nfs", "commands: nfs\n    soft_reboot: [init 6]");
    assert_eq!(restarts(&Plan::bind(&job(&own), &bench).unwrap()), ["init 6"]);
}

#[test]
fn the_example_of_our_own_binds_to_the_example_bench() {
    let examples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples"));
    let job = Job::parse(&Source::read(&examples.join("bbb-ssh-guest.yaml")).unwrap()).unwrap();
    let bench = Bench::load(&examples.join("bench-beaglebone.toml")).unwrap();
    let plan = Plan::bind(&job, &bench).unwrap();
    assert_eq!((plan.nodes.len(), plan.warnings.len()), (4, 0));
}

#[test]
fn a_device_type_that_no_board_serves_is_a_fault_of_the_bench() {
    let text = fixture("single-node.yaml").replace("beaglebone-black", "beaglebone-blak");
    insta::assert_snapshot!(faults(&text, &bench(VIRTUAL)), @"
    bench job.yaml:2:14: no board of bench.toml serves device type `beaglebone-blak` (did you mean `beaglebone-black`?)
    ");
    let text = text.replace("beaglebone-blak", "panda");
    insta::assert_snapshot!(faults(&text, &bench(VIRTUAL)), @"
    bench job.yaml:2:14: no board of bench.toml serves device type `panda` (the bench has boards for: beaglebone-black, qemu-virt-arm; see `device_types` of a board)
    ");
}

#[test]
fn every_node_needs_a_board_of_its_own() {
    let text = fixture("seed.yaml")
        .replace("count: 1", "count: 2")
        .replace("host_role: host", "device_type: beaglebone-black");
    let text = ["        connection: ssh\n", "        request: lava-start\n", "        expect_role: host\n"]
        .iter()
        .fold(text.replace("count: 3", "count: 1"), |text, line| text.replace(line, ""));
    let text = text.split("actions:").next().unwrap().to_owned()
        + "actions:\n- deploy: {to: tftp, role: [host, guest], kernel: {url: \"https://a.example.org/zImage\"}}\n";
    insta::assert_snapshot!(faults(&text, &bench(VIRTUAL)), @"
    bench job.yaml:24:22: no board is left for node `host-2`, a `beaglebone-black` (add another such board to bench.toml)
    bench job.yaml:36:22: no board is left for node `guest`, a `beaglebone-black` (add another such board to bench.toml)
    ");
}

#[test]
fn commands_must_exist() {
    let text = fixture("single-node.yaml");
    insta::assert_snapshot!(faults(&text.replace("commands: nfs", "commands: nsf"), &bench(VIRTUAL)), @"
    job job.yaml:21:15: board type `qemu-virt-arm` has no commands `nsf` (did you mean `nfs`?)
    ");
}

#[test]
fn kernels_that_the_board_cannot_start_get_a_header_of_u_boots() {
    let text = fixture("single-node.yaml").replace("type: zimage", "type: image");
    let plan = Plan::bind(&job(&text), &bench(VIRTUAL)).unwrap();
    let [deploy, boot, ..] = plan.nodes[0].steps.as_slice() else { panic!("{plan:?}") };
    let Action::DeployTftp(deploy) = &deploy.action else { panic!("{deploy:?}") };
    assert_eq!(deploy.kernel_header.as_deref(), Some("0x40400000"));
    let Action::BootUboot(boot) = &boot.action else { panic!("{boot:?}") };
    assert_eq!(boot.loader.image, BootImage::Uimage);
}

#[test]
fn a_kind_of_image_is_loaded_where_the_board_says() {
    let addresses = "kernel_addr = '0x1', ramdisk_addr = '0x2', dtb_addr = '0x3'";
    let bench = bench(&format!("{VIRTUAL}[boards.vb1.uboot.addresses]\nuimage = {{ {addresses} }}\n"));
    let kernel = |kind: &str| {
        let text = fixture("single-node.yaml").replace("type: zimage", &format!("type: {kind}"));
        let plan = Plan::bind(&job(&text), &bench).unwrap();
        match &plan.nodes[0].steps[1].action {
            Action::BootUboot(boot) => boot.loader.settings.kernel_addr.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((kernel("zimage").as_str(), kernel("uimage").as_str()), ("0x40400000", "0x1"));
}

#[test]
fn kernels_that_the_board_cannot_start_at_all_are_refused() {
    let text = fixture("single-node.yaml").replace("type: zimage", "type: image");
    let bench = bench(&format!("{VIRTUAL}[boards.vb1.uboot]\nimages = [\"zimage\"]\n"));
    insta::assert_snapshot!(faults(&text, &bench), @"
    job job.yaml:19:3: board type `qemu-virt-arm` cannot start a kernel of type Image (-)
    ");
}

#[test]
fn a_real_board_needs_to_know_where_its_files_are() {
    let real = bench("[boards.bbb1]\ntype = \"beaglebone-black\"\nconsole = \"/dev/ttyUSB0\"\n");
    insta::assert_snapshot!(faults(&fixture("single-node.yaml"), &real), @r#"
    bench job.yaml:14:3: board `bbb1` cannot fetch files: the bench file does not say from where (add `[network]` with `address`, this PC's address on the board's network)
    bench job.yaml:14:3: the bench file does not give the address of board `bbb1` (add `address = "…"` to `[boards.bbb1]`: TFTP and NFS answer only boards they know)
    "#);
    let Err(faults) = Plan::bind(&job(&fixture("single-node.yaml")), &real) else { panic!("bound") };
    assert_eq!(faults[0].class, Class::Bench);
}

#[test]
fn phases_of_a_node_have_distinct_names() {
    let text = fixture("single-node.yaml");
    let blocks = text.rsplit_once("\nactions:\n").unwrap().1;
    let plan = Plan::bind(&job(&format!("{text}{blocks}")), &bench(VIRTUAL)).unwrap();
    let phases: Vec<_> = plan.nodes[0].steps.iter().map(|step| step.phase.as_str()).collect();
    assert_eq!(phases, ["deploy-tftp", "boot-u-boot", "test-0", "deploy-tftp-2", "boot-u-boot-2", "test-1"]);
}

#[test]
fn a_persistent_root_filesystem_is_wanted_by_one_deployment_alone() {
    let text = fixture("single-node.yaml").replace("compression: gz}", "compression: gz, persistent: build}");
    let plan = Plan::bind(&job(&text), &bench(VIRTUAL)).unwrap();
    let names: Vec<_> = plan.nodes[0].persistent_rootfs().map(|name| name.value.as_str()).collect();
    assert_eq!(names, ["build"]);
    let (_, actions) = text.split_once("actions:\n- deploy").unwrap();
    let twice = format!("{text}- deploy{actions}");
    let told = faults(&twice, &bench(VIRTUAL));
    assert!(told.contains("both want the persistent root filesystem `build`"), "{told}");
}

#[test]
fn lists_of_commands_that_load_files_need_a_deployment() {
    let text = fixture("single-node.yaml");
    let (before, deploy) = text.split_once("- deploy:").unwrap();
    let (_, boot) = deploy.split_once("- boot:").unwrap();
    let text = format!("{before}- boot:{boot}").replace("commands: nfs", "commands: disk");
    let with_disk = |commands: &str| {
        let mut bench = bench(VIRTUAL);
        let mut board = Board::clone(&bench.boards[0]);
        board.uboot.as_mut().unwrap().commands.insert("disk".to_owned(), vec![commands.to_owned()]);
        bench.boards[0] = Arc::new(board);
        bench
    };
    insta::assert_snapshot!(faults(&text, &with_disk("tftp {KERNEL_ADDR} {KERNEL}")), @"
    job job.yaml:16:15: the commands `disk` need `{KERNEL}`, and nothing was deployed before (put the `deploy` with the files before it)
    ");
    assert!(Plan::bind(&job(&text), &with_disk("run bootcmd_mmc0")).is_ok());
}
