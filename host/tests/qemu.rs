//! The virtual board, with real QEMU and U-Boot. Needs what `virtual_network.rs` needs, qemu-system-arm and u-boot-qemu.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use host_runner::board::qemu::{self, QemuBoard, QemuConfig, QemuError};
use host_runner::board::virtual_network::{Seat, VirtualNetwork};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

/// Upper bound of every wait.
const PATIENCE: Duration = Duration::from_secs(60);

async fn network() -> VirtualNetwork {
    let program = Path::new(env!("CARGO_BIN_EXE_host-runner"));
    VirtualNetwork::start(program, Ipv4Addr::new(10, 77, 0, 1), 24, 1).await.expect("a virtual network")
}

fn config(network: &VirtualNetwork) -> QemuConfig {
    QemuConfig {
        binary: qemu::BINARY.into(),
        firmware: "/usr/lib/u-boot/qemu_arm/u-boot.bin".into(),
        memory_mb: 128,
        seat: network.seats().next().expect("the network has a place for a board"),
    }
}

/// Reads until `pattern` was seen; panics with all of it otherwise.
async fn expect(console: &mut UnixStream, pattern: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&seen).contains(pattern) {
            if console.read_buf(&mut seen).await.expect("the console can be read") == 0 {
                break;
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reading).await.is_ok();
    let text = String::from_utf8_lossy(&seen).into_owned();
    assert!(in_time && text.contains(pattern), "waited for `{pattern}`, saw: {text}");
    text
}

#[tokio::test]
async fn u_boot_is_interrupted_answers_a_ping_resets_and_is_switched_off() {
    let network = network().await;
    let (mut console, board) = QemuBoard::power_on(&network, &config(&network)).await.unwrap();
    expect(&mut console, "Hit any key to stop autoboot").await;
    console.write_all(b" ").await.unwrap();
    expect(&mut console, "=> ").await;
    console
        .write_all(b"setenv ipaddr 10.77.0.2; setenv netmask 255.255.255.0; ping 10.77.0.1\n")
        .await
        .unwrap();
    expect(&mut console, "host 10.77.0.1 is alive").await;
    console.write_all(b"reset\n").await.unwrap();
    expect(&mut console, "Hit any key to stop autoboot").await;
    board.power_off().await.unwrap();
    let rest = tokio::time::timeout(PATIENCE, console.read_to_end(&mut Vec::new())).await;
    rest.expect("the console ends with the board").unwrap();

    let (mut console, board) = QemuBoard::power_on(&network, &config(&network)).await.unwrap();
    expect(&mut console, "U-Boot").await;
    board.power_off().await.unwrap();
}

#[tokio::test]
async fn a_board_that_switches_itself_off_is_told() {
    let network = network().await;
    let (mut console, mut board) = QemuBoard::power_on(&network, &config(&network)).await.unwrap();
    expect(&mut console, "Hit any key to stop autoboot").await;
    console.write_all(b" poweroff\n").await.unwrap();
    let ended = tokio::time::timeout(PATIENCE, board.ended()).await.unwrap();
    assert!(ended.to_string().starts_with("QEMU ended with exit status 0"), "{ended}");
    board.power_off().await.unwrap();
}

#[tokio::test]
async fn a_missing_firmware_is_named() {
    let network = network().await;
    let config = QemuConfig { firmware: "/no/such/u-boot.bin".into(), ..config(&network) };
    let error = QemuBoard::power_on(&network, &config).await.unwrap_err();
    assert_eq!(error.to_string(), "firmware /no/such/u-boot.bin");
    assert!(matches!(error, QemuError::Firmware { .. }) && error.help().unwrap().contains("u-boot-qemu"));
}

#[tokio::test]
async fn a_qemu_that_is_not_installed_is_named() {
    let network = network().await;
    let config = QemuConfig { binary: "qemu-system-nothing".into(), ..config(&network) };
    let error = QemuBoard::power_on(&network, &config).await.unwrap_err();
    assert_eq!(error.to_string(), "`qemu-system-nothing` is not installed");
}

#[tokio::test]
async fn a_qemu_that_gives_up_is_told_in_its_own_words() {
    let network = network().await;
    let config = config(&network);
    let seat = Seat { tap: "tap7/..".to_owned(), ..config.seat };
    let config = QemuConfig { memory_mb: 0, seat, ..config };
    let error = QemuBoard::power_on(&network, &config).await.unwrap_err();
    assert!(error.to_string().starts_with("QEMU ended with exit status 1: qemu-system-arm: "), "{error}");
}
