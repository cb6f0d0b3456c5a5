# Sourced by the other scripts, which run from the root of the tree.

# The checkers that are no dependency of the code, pinned here alone.
staticcheck=honnef.co/go/tools/cmd/staticcheck@v0.8.2
govulncheck=golang.org/x/vuln/cmd/govulncheck@v1.9.0

die() { echo "$(basename "$0"): $*" >&2; exit 1; }

# need COMMAND PACKAGE...: installs the Debian packages when the command is missing and we may, else says how.
need() {
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $*" >&2
    export DEBIAN_FRONTEND=noninteractive
    { apt-get install -y "$@" || { apt-get update && apt-get install -y "$@"; }; } >/dev/null 2>&1 </dev/null || true
  fi
  command -v "$command" >/dev/null || die "$command is missing: install $*"
}

# functions PREFIX: a line "./folder Function" for every test function whose name begins with PREFIX.
functions() {
  grep -rHoE --include='*_test.go' --exclude-dir=testdata --exclude-dir=node_modules "^func $1[A-Za-z0-9_]*\(" . |
    sed -E 's|/[^/]*:func (.*)\($| \1|' | sort
}

# tags: the build tags of this tree's own, which no default build sets. Systems, architectures and the toolchain's
# own words are none.
tags() {
  local systems
  systems=$(go tool dist list | tr '/\n' '|')
  grep -rhE --include='*.go' --exclude-dir=testdata --exclude-dir=node_modules '^//go:build ' . |
    grep -oE '[A-Za-z_][A-Za-z0-9_.]*' | sort -u |
    grep -vxE "${systems}go|build|unix|cgo|race|msan|asan|gc|gccgo|ignore|go1\.[0-9]+" || true
}
