# What is done to a package under a running systemd. Each step says how it went; the test judges.

export LC_ALL=C DEBIAN_FRONTEND=noninteractive SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 SYSTEMD_PAGER=
here=/files

step() {
    echo "=== $1"
    shift
    "$@" 2>&1 </dev/null
    echo "=== exit $?"
}

# As a user without any capability, of the group that is named.
as_user() {
    setpriv --reuid=4000 --regid=4000 --groups="$(getent group "$1" | cut -d: -f3)" --inh-caps=-all -- \
        env --ignore-environment PATH="$PATH" HOME=/tmp LC_ALL=C sh -c "$2"
}

example=/usr/share/doc/host-runner/examples/bench-beaglebone.toml
doctor='cd /tmp && host-runner doctor --json --bench /tmp/bench.toml'

state() {
    for unit in host-runner-ports.socket host-runner-ports.service host-runner-serve.service; do
        systemctl show --property=Id,ActiveState,UnitFileState --value "$unit" | paste -s -d ' '
    done
}

none_failed() {
    failed=$(systemctl list-units --failed --plain --no-legend 'host-runner*')
    echo "$failed"
    test -z "$failed"
}

# The program answers a moment after it is started.
boards() {
    for _ in $(seq 100); do
        if { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; then
            printf 'GET /api/boards HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" >&3
            cat <&3
            echo
            return
        fi
        sleep 0.1
    done
    systemctl status --no-pager host-runner-serve
    return 1
}

# What makes the system is told not to start anything; this one is on its own.
rm /usr/sbin/policy-rc.d
# Documents are left out of the system, for speed, and are wanted of the package.
rm /etc/dpkg/dpkg.cfg.d/99mmdebstrap

step install dpkg --install $here/old.deb
step state state
step socket stat -c '%U:%G %a' /run/host-runner/ports.socket
step rules sh -c 'udevadm control --ping && ls /usr/lib/udev/rules.d/70-host-runner.rules'

# Loopback is the only network here.
sed 's/192\.168\.7\./127.0.0./' "$example" >/tmp/bench.toml
step stranger as_user nogroup "$doctor"
step member as_user host-runner "$doctor"
step started systemctl is-active host-runner-ports.service
step confined sh -c 'grep -E "^(CapEff|NoNewPrivs|Seccomp):" "/proc/$(systemctl show --property=MainPID --value host-runner-ports)/status"'
step stopped systemctl stop host-runner-ports.service
step member-again as_user host-runner "$doctor"
step journal journalctl --no-pager --output=cat --unit host-runner-ports

step bench cp "$example" /etc/host-runner/bench.toml
step serve systemctl enable --now host-runner-serve.service
step boards boards 8081
pid=$(systemctl show --property=MainPID --value host-runner-serve)
step serve-user stat -c '%U' "/proc/$pid"

step upgrade dpkg --force-confnew --install $here/new.deb
step upgraded-state state
step upgraded-boards boards 8080
step restarted test "$pid" != "$(systemctl show --property=MainPID --value host-runner-serve)"
step member-upgraded as_user host-runner "$doctor"

step remove dpkg --remove host-runner
step removed-socket ls /run/host-runner/ports.socket
step removed-state state
step purge dpkg --purge host-runner
step purged-state state
step left find /etc /run /var/lib -xdev -path /var/lib/dpkg -prune -o -name '*host-runner*' -print
step none-failed none_failed
