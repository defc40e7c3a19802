say() { echo "${0##*/}: $*"; }
list=$1/lava-test-runner.conf
[ -r "$list" ] || { say "cannot read $list" >&2; exit 1; }
case $0 in */*) PATH=$(cd "${0%/*}" && pwd):$PATH ;; esac
export PATH LAVA_TEST_RUNNER=1
code=
while read -r dir; do
[ "$dir" ] || continue
case $dir in /*) ;; *) dir=$1/$dir ;; esac
name=${dir##*/}
code=${code:-0}
if [ -e "$dir/install.sh" ]; then
say "$name: install.sh"
sh "$dir/install.sh" </dev/null || { say "$name: install.sh ended with exit code $?"; code=1; continue; }
fi
say "$name: run.sh"
sh -e "$dir/run.sh" </dev/null || { say "$name: run.sh ended with exit code $?"; code=1; }
done <"$list"
[ "$code" ] || say "$list names no definition" >&2
exit "${code:-1}"
