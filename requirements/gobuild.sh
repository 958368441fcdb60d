#!/bin/bash
# Builds one program of a Go module of tests, once per pin: gobuild.sh MODULE PACKAGE prints the program's path.
# MODULE is the directory of a go.mod. Beside it may be sources of ours and `flags`: arguments of go build, one a line.
# The cache is outside the repository: $CDI_TEST_CACHE, else ~/.cache/cdi-tests. `gobuild.sh --find` only looks there.
set -euo pipefail
find_only=
[[ $1 != --find ]] || { find_only=1; shift; }
cd "$1"
package=$2
flags=()
[[ ! -e flags ]] || mapfile -t flags <flags
pin=$(cat go.mod go.sum $(ls -- *.go flags 2>/dev/null) | sha256sum | cut -d' ' -f1)
bin=${CDI_TEST_CACHE:-$HOME/.cache/cdi-tests}/$pin/bin
program=$bin/$(basename "$package")
if [[ $find_only ]]; then
    [[ -x $program ]] && echo "$program"
    exit
fi
mkdir -p "$bin"
# Two test runs that start together must not build twice: this machine would do nothing else.
exec 9>"$program.lock"
flock 9
if [[ ! -x $program ]]; then
    export CGO_ENABLED=0 GOFLAGS="-buildvcs=false -p=${BUILD_JOBS:-1} -mod=readonly"
    nice go build "${flags[@]}" -o "$program.new" "$package" >&2
    mv "$program.new" "$program"
fi
echo "$program"
