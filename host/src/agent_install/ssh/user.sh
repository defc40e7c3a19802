r=$3
if [ "$(id -u)" != 0 ] && ! [ -w "$r/usr/lib" ] && sudo -n true 2>/dev/null; then exec sudo -n sh -c "$@"; fi
exec sh -c "$@"
