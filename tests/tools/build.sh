#!/bin/sh
# Builds the Go test servers pinned in go.mod and go.sum, once per pin: build.sh PACKAGE prints the program's path.
# The cache is outside the repository: $CDI_TEST_CACHE, else ~/.cache/cdi-tests. An empty one takes about 2 minutes.
set -eu
package=$1
cd "$(dirname "$0")"
pin=$(cat go.mod go.sum | sha256sum | cut -d' ' -f1)
bin=${CDI_TEST_CACHE:-$HOME/.cache/cdi-tests}/$pin/bin
program=$bin/$(basename "$package")
mkdir -p "$bin"
# Two test runs that start together must not build twice: this machine would do nothing else.
exec 9>"$program.lock"
flock 9
if [ ! -x "$program" ]; then
    export CGO_ENABLED=0 GOFLAGS="-buildvcs=false -p=1 -mod=readonly"
    nice go build -trimpath -ldflags '-s -w' -o "$program.new" "$package" >&2
    mv "$program.new" "$program"
fi
echo "$program"
