r=$3
if [ "$(id -u)" != 0 ] && ! { [ -w "$r/usr/lib" ] && [ -w "$r/usr/bin" ]; } && command -v sudo > /dev/null; then
    if why=$(sudo -n sh -c : 2>&1); then exec sudo -n sh -c "$@"; fi
    # Told beside what then is not permitted.
    echo "$why" >&2
fi
exec sh -c "$@"
