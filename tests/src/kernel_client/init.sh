#!/bin/sh
# The first process of user-mode Linux. The kernel gives it what stood on its command line: `client` is the address.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run LC_ALL=C.UTF-8
directory=$(dirname "$0")
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mkdir /run/tmp
export TMPDIR=/run/tmp
cd /run
# The harness writes to this terminal, which is to pass everything on as it is.
stty raw -echo
while read -r module; do
    insmod "$directory/modules/$module" || exit
done <"$directory/modules/order"
ip link set lo up
ip address add "$client" dev vec0
ip link set vec0 up
echo 'READY'
# One step a line, by its number.
while read -r step; do
    printf '\036begin %s\n' "$step"
    sh "$directory/step-$step" </dev/null 2>&1
    printf '\036end %s %s\n' "$step" "$?"
done
