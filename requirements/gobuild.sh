#!/bin/bash
# Builds one program of a Go module of tests, once per pin: gobuild.sh MODULE PACKAGE prints the program's path.
# MODULE is the directory of a go.mod. Beside it may be sources of ours and `flags`: arguments of go build, one a line.
# gobuild.sh MODULE files: prints a directory with the files that MODULE/files names, a line each: module path.
# gobuild.sh --find ...: only looks in the cache, and fails when it is not there.
# The cache is outside the repository: $CDI_TEST_CACHE, else ~/.cache/cdi-tests.
set -euo pipefail
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)} # unset in some containers
find_only=
[[ $1 != --find ]] || { find_only=1; shift; }
cd "$1"
package=$2

pinned=(go.mod go.sum)
if [[ $package == files ]]; then
    pinned+=(files)
else
    for own in *.go flags; do [[ ! -e $own ]] || pinned+=("$own"); done
fi
pin=$(cat "${pinned[@]}" | sha256sum | cut -d' ' -f1)
cache=${CDI_TEST_CACHE:-$HOME/.cache/cdi-tests}/$pin
if [[ $package == files ]]; then result=$cache/files; else result=$cache/bin/$(basename "$package"); fi
if [[ $find_only ]]; then
    [[ -e $result ]] && echo "$result"
    exit
fi

build_program() { # FILE
    local flags=()
    [[ ! -e flags ]] || mapfile -t flags <flags
    CGO_ENABLED=0 GOFLAGS="-buildvcs=false -p=${BUILD_JOBS:-1} -mod=readonly" \
        nice go build "${flags[@]}" -o "$1" "$package" >&2
}

copy_files() { # DIRECTORY
    local module path source
    mkdir "$1"
    while read -r module path; do
        source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
        install -m 644 "$source"/$path "$1/" # unquoted: path may be a pattern
    done <files
}

mkdir -p "$(dirname "$result")"
# Two test runs that start together must not build twice: this machine would do nothing else.
exec 9>"$result.lock"
flock 9
if [[ ! -e $result ]]; then
    rm -rf "$result.new"
    if [[ $package == files ]]; then copy_files "$result.new"; else build_program "$result.new"; fi
    mv "$result.new" "$result"
fi
echo "$result"
