has() { command -v "$1" >/dev/null; }
edit=
if has dpkg-query; then
list=$(dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n')
edit='/^installed /!d; s///'
elif has rpm; then
list=$(rpm -qa --qf '%{NAME} %{VERSION}-%{RELEASE}\n')
elif has pacman; then
list=$(pacman -Q)
elif has apk; then
list=$(apk info -v)
edit='s/-\([^-]*-r[0-9]*\)$/ \1/'
elif has opkg; then
list=$(opkg list-installed)
edit='s/ - / /'
elif [ -d /var/log/packages ]; then
list=$(ls /var/log/packages)
edit='s/-\([^-]*-[^-]*-[^-]*\)$/ \1/'
else
echo "${0##*/}: no package manager found (dpkg, rpm, pacman, apk, opkg, slackpkg)" >&2
exit 1
fi || exit
printf '%s\n' "$list" | sed "$edit; s/^\([^ ]*\) \(.*\)/package: \1 : \2/"
