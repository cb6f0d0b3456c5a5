# Sourced by the other scripts.

die() { echo "$(basename "$0"): $*" >&2; exit 1; }

# need COMMAND PACKAGE: installs the Debian package when the command is missing and we may, else says how.
need() {
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $2" >&2
    { apt-get install -y "$2" || { apt-get update && apt-get install -y "$2"; }; } >/dev/null 2>&1 || true
  fi
  command -v "$1" >/dev/null || die "$1 is missing: install the package $2"
}
