# Tells what there is of an agent below the root $1, on lines of their own that begin with "lava:".
d=$1/usr/lib/lava-agent
echo "lava:machine $(uname -m)"
if [ -d "$d" ]; then
    echo lava:directory
    if [ -f "$d/manifest.toml" ]; then
        while IFS= read -r line; do echo "lava:manifest $line"; done < "$d/manifest.toml"
    fi
    if [ -x "$d/bin/lava-agent" ]; then
        if sum=$(sha256sum < "$d/bin/lava-agent" 2>/dev/null); then
            echo "lava:sha256 ${sum%% *}"
        else
            echo "lava:unsummed"
        fi
    fi
    for link in "$d"/bin/*; do
        if [ "$(readlink "$link")" = lava-agent ]; then echo "lava:link ${link##*/}"; fi
    done
fi
if [ -e "$1/usr/bin/lava-agent" ] || [ -h "$1/usr/bin/lava-agent" ]; then
    echo "lava:program $(readlink "$1/usr/bin/lava-agent")"
fi
echo lava:end
