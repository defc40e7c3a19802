# Removes the agent below the root $1.
set -eu
if [ "$(readlink "$1/usr/bin/lava-agent")" = /usr/lib/lava-agent/bin/lava-agent ]; then rm "$1/usr/bin/lava-agent"; fi
rm -rf "$1/usr/lib/lava-agent" "$1/usr/lib/.lava-agent-new" "$1/usr/lib/.lava-agent-old"
rm -f "$1/usr/bin/.lava-agent-new" "$1/usr/bin/.lava-agent-new-lava-agent"
sync
echo lava:end
