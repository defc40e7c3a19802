say() { echo "${0##*/}: $*" >&2; }
managers='apt-get dnf yum zypper pacman apk opkg slackpkg'
for manager in $managers none; do
command -v $manager >/dev/null && break
done
update=
case $manager in
apt-get)
export DEBIAN_FRONTEND=noninteractive
update='update -oAPT::Update::Error-Mode=any'
install='install -y -oDPkg::Use-Pty=0 -oDPkg::Lock::Timeout=600 -oAcquire::Retries=4 -oDPkg::Options::=--force-confdef -oDPkg::Options::=--force-confold' ;;
dnf | yum) install='install -y' ;;
zypper) install='--non-interactive install' ;;
pacman) install='-Syu --noconfirm --needed' ;;
apk) update=update install=add ;;
opkg) update=update install=install ;;
slackpkg)
yes="-batch=on -default_answer=y"
update="$yes update" install="$yes install" ;;
*) say "no package manager found ($managers)"; exit 1 ;;
esac
list() {
missing=
for package; do
case $manager$(dpkg-query -Wf '${db:Status-Status}\n' "$package" 2>/dev/null) in
apt-getinstalled*) ;;
*) missing="$missing $package" ;;
esac
done
}
mode=$1
shift
list "$@"
case $mode in
check) [ ! "$missing" ]; exit ;;
install) ;;
*) echo "$manager ended with exit code $mode; not installed:$missing"; exit ;;
esac
pause=${LAVA_PACKAGES_PAUSE:-60}
for try in 1 2 3 4 last; do
[ "$missing" ] || exit 0
fresh=1
[ ! "$update" ] || $manager $update || { say "$manager could not update its lists (exit code $?)"; fresh=; }
$manager $install $missing && exit
code=$?
[ $fresh ] || [ $try = last ] && exit $code
say "trying again in $pause s"
sleep $pause
list "$@"
done
