has() { command -v "$1" >/dev/null; }
edit=
if has dpkg-query; then
edit='/^installed /!d; s///'
list=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n')
elif has rpm; then
list=$(rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n')
elif has pacman; then
list=$(pacman -Q)
elif has apk; then
edit='s/-\([^-]*-r[0-9]*\)$/ \1/'
list=$(apk info -v)
elif has opkg; then
edit='s/ - / /'
list=$(opkg list-installed)
elif [ -d /var/log/packages ]; then
edit='s/-\([^-]*-[^-]*-[^-]*\)$/ \1/'
list=$(ls /var/log/packages)
else
echo "${0##*/}: no package manager found (dpkg, rpm, pacman, apk, opkg, slackpkg)" >&2
exit 1
fi || exit
printf '%s\n' "$list" | sed "$edit; s/^\([^ ]*\) \(.*\)/package: \1 : \2/"
