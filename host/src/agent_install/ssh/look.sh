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
    for file in "$d"/* "$d"/.[!.]* "$d"/bin/* "$d"/bin/.[!.]*; do
        [ -e "$file" ] || [ -h "$file" ] || continue
        name=${file#"$d"/}
        case $name in
            bin | manifest.toml | bin/lava-agent) ;;
            .lava-agent-new-* | bin/.lava-agent-new-*) echo "lava:leftover usr/lib/lava-agent/$name" ;;
            *)
                if [ "${name%/*}" = bin ] && [ "$(readlink "$file")" = lava-agent ]; then
                    echo "lava:link ${name#bin/}"
                else
                    echo lava:foreign
                fi
                ;;
        esac
    done
fi
for file in lib/.lava-agent-new lib/.lava-agent-old bin/.lava-agent-new bin/.lava-agent-new-lava-agent; do
    if [ -e "$1/usr/$file" ] || [ -h "$1/usr/$file" ]; then echo "lava:leftover usr/$file"; fi
done
if [ -e "$1/usr/bin/lava-agent" ] || [ -h "$1/usr/bin/lava-agent" ]; then
    echo "lava:program $(readlink "$1/usr/bin/lava-agent")"
fi
echo lava:end
