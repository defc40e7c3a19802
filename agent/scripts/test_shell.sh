export LAVA_RESULT_DIR="$2"
file=$2/return_code
shift 2
if [ $# = 1 ]; then sh -c "$1"; else "$@"; fi
code=$?
rm -f "$file"
set -C
echo $code >"$file"
