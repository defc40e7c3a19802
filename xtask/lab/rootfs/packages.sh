#!/bin/sh
# Gives the root file system an archive of real Debian packages that are not installed in it, the only one that its
# apt knows: a job's `install: deps` has something to install, and the board's network needs no way out.
# Usage: packages.sh ROOT, from a customize hook of mmdebstrap, whose apt can still reach the archive of Debian.
set -eu
root=$1
archive=/srv/lab-packages

# mmdebstrap keeps what it has installed until it is done.
rm -f "$root"/var/cache/apt/archives/*.deb

# Small, and most with something to go wrong: shared libraries and ldconfig's trigger (jq, file, i2c-tools), services
# that start (cron, rsync), configuration files (rsync), a question (iperf3), alternatives (less), a user group (cron).
# And what a developer brings: git with Perl, which has hard links, and a C compiler of a few files.
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get --yes --quiet --no-install-recommends --download-only install \
    bc cron ethtool file git i2c-tools iperf3 jq less lsof memtester netcat-openbsd psmisc rsync strace tcc time tree

mkdir "$root$archive"
for deb in "$root"/var/cache/apt/archives/*.deb; do
    # Without the version's epoch, whose escaped colon apt would not find again.
    mv "$deb" "$root$archive/$(basename "$deb" | sed 's/_[0-9]*%3a/_/')"
done

# As apt-ftparchive would write them, which is in a package of its own.
cd "$root$archive"
for deb in *.deb; do
    dpkg-deb --field "$deb"
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' \
        "$deb" "$(stat --format=%s "$deb")" "$(sha256sum "$deb" | cut -d ' ' -f 1)"
done >Packages
printf 'Date: %s\nSHA256:\n %s %s Packages\n' "$(LC_ALL=C date --utc '+%a, %d %b %Y %H:%M:%S UTC')" \
    "$(sha256sum Packages | cut -d ' ' -f 1)" "$(stat --format=%s Packages)" >Release

rm -f "$root"/etc/apt/sources.list.d/*
echo "deb [trusted=yes] file:$archive ./" >"$root/etc/apt/sources.list"
# Drops the lists of Debian's archive, and leaves those of the one that is here.
chroot "$root" apt-get --quiet update
