# What is done to a package in a clean Debian. Each step says how it went; the test judges.

export LC_ALL=C DEBIAN_FRONTEND=noninteractive
here=/files

step() {
    echo "=== $1"
    shift
    "$@" 2>&1 </dev/null
    echo "=== exit $?"
}

everything() {
    # Without what dpkg writes down for itself, and the files with users and groups, since the user stays.
    find / -xdev \( -path /files -o -path /proc -o -path /sys -o -path /tmp -o -path /var/lib/dpkg -o -path /var/log \
        -o -path /var/cache -o -path '/etc/passwd*' -o -path '/etc/group*' -o -path '/etc/*shadow*' \
        -o -path /etc/.pwd.lock \) -prune -o -print | sort
}

modes() {
    dpkg --listfiles host-runner | while read -r file; do stat -c '%U:%G %a %F %n' "$file"; done
}

doctor() {
    host-runner doctor --json --bench /usr/share/doc/host-runner/examples/bench-beaglebone.toml
}

pages() {
    host-runner man /tmp/man1 || return
    for page in /tmp/man1/*.1; do
        zcat "/usr/share/man/man1/${page##*/}.gz" | cmp - "$page" || return
    done
    ls /tmp/man1
}

# Manuals and documents are left out of the system, for speed, and are wanted of the package.
echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/99mmdebstrap
everything >/tmp/before

step install dpkg --install $here/old.deb
step version host-runner --version
step validate host-runner validate /usr/share/doc/host-runner/examples/bbb-ssh-guest.yaml
step doctor doctor
step pages pages
step modes modes
step checksums dpkg --verify host-runner
step user getent passwd host-runner
step group getent group host-runner
step state stat -c '%U:%G %a %n' /var/lib/host-runner /var/lib/host-runner/runs /etc/host-runner
step enabled find /etc/systemd/system -name 'host-runner*'

echo 'SERVE_OPTIONS="--listen 127.0.0.1:9090"' >/etc/default/host-runner-serve
echo '# mine' >/etc/host-runner/bench.toml
mkdir /var/lib/host-runner/runs/one

step upgrade dpkg --force-confold --install $here/new.deb
step upgraded dpkg-query --show host-runner
step upgraded-options cat /etc/default/host-runner-serve /etc/default/host-runner-serve.dpkg-dist
step upgraded-kept ls -d /etc/host-runner/bench.toml /var/lib/host-runner/runs/one

step remove dpkg --remove host-runner
step removed-program sh -c 'command -v host-runner'
step removed-kept ls -d /etc/default/host-runner-serve /etc/host-runner/bench.toml /var/lib/host-runner/runs/one

step again dpkg --install $here/new.deb
step again-options cat /etc/default/host-runner-serve

step purge dpkg --purge host-runner
everything >/tmp/after
step left diff /tmp/before /tmp/after
step user-stays getent passwd host-runner
