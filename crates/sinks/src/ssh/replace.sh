# Reads or replaces a file on the machine on which it runs: get|names|put PATH BYTES-AT-MOST.
#
# get prints "keywright-file", a line feed and the content, or "keywright-none"; names prints
# "keywright-names" and the names of files beside it, a line each. put reads the SHA-256
# of what is to be replaced, or "none", a line with the length of the new content, or "none", and that
# content. Exit codes: 0 done, 75 try again later, 66 a person must look. No word of a file is printed
# to standard error. There is no quotation mark of the single kind in it: it travels between two.
set -eu
umask 077
LC_ALL=C
export LC_ALL
path=$2
folder=$(dirname -- "$path")
fail() {
  echo "$2" >&2
  exit "$1"
}
look() {
  ls -ldn -- "$1"
}
digest() {
  if command -v sha256sum >/dev/null 2>&1; then sum=$(sha256sum); else sum=$(shasum -a 256); fi
  echo "${sum%% *}"
}
flush() {
  sync -- "$1" 2>/dev/null || sync
}
check() {
  [ -d "$folder" ] || fail 66 "there is no folder $folder"
  [ -w "$folder" ] || fail 66 "its folder $folder is not writable"
  [ ! -L "$path" ] || fail 66 "it is a symbolic link; name the file itself"
  if [ -e "$path" ]; then
    [ -f "$path" ] || fail 66 "it is not a file"
    [ -r "$path" ] && [ -w "$path" ] || fail 66 "it is not both readable and writable"
    case $(look "$path") in ??-*) fail 66 "it is read-only" ;; esac
    set -- $(look "$path")
    [ "$2" -eq 1 ] || fail 66 "it has $2 hard links; the others would keep the old key"
    me=$(id -u)
    if [ "$me" -ne 0 ]; then
      [ "$3" -eq "$me" ] || fail 66 "it is owned by another user (uid $3) and would be owned by uid $me"
      case " $(id -G) " in *" $4 "*) ;; *) fail 66 "its group ($4) cannot be preserved" ;; esac
    fi
    [ "$(wc -c <"$path")" -le "$most" ] || fail 66 "it is longer than $most bytes"
  fi
}
most=$3
if [ "$1" = get ]; then
  check
  if [ -e "$path" ]; then
    echo keywright-file
    cat -- "$path"
  else
    echo keywright-none
  fi
  exit 0
fi
if [ "$1" = names ]; then
  echo keywright-names
  ls -1A -- "$folder" | head -n 1000
  exit 0
fi
IFS= read -r was
IFS= read -r length
alone=
if [ -d "$folder" ] && command -v flock >/dev/null 2>&1; then
  exec 9<"$folder"
  flock -w 10 9 2>/dev/null || flock -n 9 || fail 75 "another program has locked its folder"
  alone=yes
fi
check
if [ -n "$alone" ]; then
  # What connections that were cut off have left.
  for left in "$folder"/.keywright-??????; do
    if [ -d "$left" ] && [ ! -L "$left" ]; then rm -rf -- "$left"; fi
  done
fi
now=none
if [ -e "$path" ]; then now=$(digest <"$path"); fi
[ "$now" = "$was" ] || fail 75 "another program has changed it"
if [ "$length" = none ]; then
  rm -f -- "$path"
  flush "$folder"
  exit 0
fi
work=$(mktemp -d "$folder/.keywright-XXXXXX") || fail 66 "cannot create a file next to it"
trap "rm -rf -- \"\$work\"" EXIT
trap "exit 75" HUP INT TERM
new=$work/new
if [ -e "$path" ]; then
  cp --preserve=all -- "$path" "$new" 2>/dev/null || cp -p -- "$path" "$new"
fi
cat >"$new"
[ "$(wc -c <"$new")" -eq "$length" ] || fail 75 "the connection was cut off"
if [ -e "$path" ]; then
  set -- $(look "$path")
  before="$1 $3 $4"
  set -- $(look "$new")
  [ "$before" = "$1 $3 $4" ] || fail 66 "its mode or owner cannot be preserved"
fi
flush "$new"
mv -f -- "$new" "$path"
flush "$folder"
