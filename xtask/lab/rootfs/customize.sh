#!/bin/sh
# Customize hook of mmdebstrap: turns a minimal Debian into the root file system of a virtual board.
# Usage: customize.sh ROOT (mmdebstrap passes it); packages.sh and the files to lay over it, in overlay/, are beside
# this script.
set -eu
root=$1
here=$(dirname "$(readlink -f "$0")")

"$here/packages.sh" "$root"

# What mmdebstrap took from this machine must not end up on the board.
rm -f "$root/etc/resolv.conf" "$root/etc/apt/apt.conf.d/99mmdebstrap" "$root/etc/dpkg/dpkg.cfg.d/99mmdebstrap"
(cd "$here/overlay" && find . -type d) | while read -r dir; do install -d -m 755 "$root/$dir"; done
(cd "$here/overlay" && find . -type f) | while read -r file; do install -m 644 "$here/overlay/$file" "$root/$file"; done

# A test board: root logs in on the console without a password, and over SSH with a key.
chroot "$root" passwd --delete root

# /etc and /var are as new as /usr: nothing has to be brought up to date at the first boot, which is every boot.
touch "$root/etc/.updated" "$root/var/.updated"

ln -sf /lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"

# Each of these costs the emulated board up to a second and does nothing for it.
for unit in \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer man-db.timer motd-news.timer systemd-tmpfiles-clean.timer \
    getty@tty1.service systemd-logind.service systemd-timesyncd.service networking.service \
    systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-network-generator.service \
    systemd-hwdb-update.service systemd-journal-catalog-update.service systemd-journal-flush.service \
    systemd-update-done.service systemd-sysusers.service systemd-firstboot.service systemd-machine-id-commit.service \
    systemd-pstore.service systemd-binfmt.service systemd-pcrphase.service systemd-pcrphase-sysinit.service \
    systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-modules-load.service \
    systemd-remount-fs.service systemd-random-seed.service systemd-sysctl.service \
    systemd-ask-password-wall.path systemd-ask-password-console.path ldconfig.service modprobe@.service \
    dev-hugepages.mount dev-mqueue.mount sys-fs-fuse-connections.mount sys-kernel-config.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
install -d "$root/etc/systemd/system-generators"
for generator in bless-boot cryptsetup debug gpt-auto hibernate-resume integritysetup rc-local run system-update sysv veritysetup; do
    ln -sf /dev/null "$root/etc/systemd/system-generators/systemd-$generator-generator"
done
