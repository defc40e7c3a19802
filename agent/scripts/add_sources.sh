fail() { echo "${0##*/}: $1" >&2; exit 1; }
command -v apt-config >/dev/null || fail 'only for systems with apt'
case "$*" in
deb\ * | deb-src\ *)
eval "$(apt-config shell parts Dir::Etc::sourceparts/d)"
list=$parts/host-runner.list
grep -qxF -e "$*" "$list" 2>/dev/null || printf '%s\n' "$*" >>"$list" ;;
*)
command -v add-apt-repository >/dev/null || lava-install-packages software-properties-common || exit
DEBIAN_FRONTEND=noninteractive exec add-apt-repository -y "$@" ;;
esac
