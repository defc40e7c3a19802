# Installs the agent on standard input below the root $1: $2 bytes of it with the SHA-256 $3; $4 is the manifest, the rest
# are the names of the links. All is made beside and takes its place as a whole.
set -eu
umask 022
root=$1 size=$2 sum=$3 manifest=$4
shift 4
mkdir -p "$root/usr/lib" "$root/usr/bin"
real=$(cd -P "$root/" && pwd -P)
for place in lib bin; do
    there=$(cd -P "$root/usr/$place" && pwd -P)
    case $there in
        "${real%/}"/*) ;;
        *) echo "/usr/$place leads out of $root, to $there" >&2; exit 1 ;;
    esac
done
lib=$(cd -P "$root/usr/lib" && pwd -P)
bin=$(cd -P "$root/usr/bin" && pwd -P)
new=$lib/.lava-agent-new old=$lib/.lava-agent-old
rm -rf "$new" "$old"
trap 'rm -rf "$new"' EXIT
mkdir "$new" "$new/bin"
cat > "$new/bin/lava-agent"
[ "$(wc -c < "$new/bin/lava-agent")" -eq "$size" ] || { echo "the agent did not arrive whole" >&2; exit 1; }
if got=$(sha256sum < "$new/bin/lava-agent" 2>/dev/null); then
    [ "${got%% *}" = "$sum" ] || { echo "the agent did not arrive whole" >&2; exit 1; }
fi
chmod 755 "$new/bin/lava-agent"
"$new/bin/lava-agent" --version > /dev/null || { echo "the agent does not run there" >&2; exit 1; }
for name; do ln -s lava-agent "$new/bin/$name"; done
printf %s "$manifest" > "$new/manifest.toml"
if [ "$(id -u)" = 0 ]; then chown -R 0:0 "$new"; fi
rm -f "$bin/.lava-agent-new" "$bin/.lava-agent-new-lava-agent"
ln -s /usr/lib/lava-agent/bin/lava-agent "$bin/.lava-agent-new"
if [ -d "$lib/lava-agent" ]; then mv "$lib/lava-agent" "$old"; fi
mv "$new" "$lib/lava-agent"
mv -f "$bin/.lava-agent-new" "$bin/lava-agent"
rm -rf "$old"
sync
echo lava:end
