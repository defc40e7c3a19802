for file in /etc/os-release /usr/lib/os-release; do
[ -r $file ] && . $file
[ "$PRETTY_NAME" ] && break
done
[ "$PRETTY_NAME" ] || PRETTY_NAME=$(sed 's/ *\\.*//; q' /etc/issue) || exit
echo "$PRETTY_NAME"
