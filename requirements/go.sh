#!/bin/bash
# Builds the Go servers that tests run against (tests/tools/go.mod), once per pin; prints nothing when they are there.
# A `go` on PATH that is new enough is used. Otherwise any older one (Debian's golang-go) fetches the release below as
# the module golang.org/toolchain and checks it against the checksum database, as Go's own GOTOOLCHAIN switch does.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/tests/tools
release=go1.26.8
cache=${CDI_TEST_CACHE:-$HOME/.cache/cdi-tests}

built() { # the program that build.sh would print, without asking it to build
    local pin
    pin=$(cat "$tools/go.mod" "$tools/go.sum" | sha256sum | cut -d' ' -f1)
    [[ -x $cache/$pin/bin/$(basename "$1") ]]
}

go_is_new_enough() {
    local wanted have
    command -v go >/dev/null || return 1
    wanted=$(awk '$1 == "go" {print $2}' "$tools/go.mod")
    have=$(cd / && GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//')
    [[ $(printf '%s\n' "$wanted" "$have" | sort -V | head -1) == "$wanted" ]]
}

fetch_go() { # puts the release's bin directory first in PATH
    local module goroot
    if ! command -v go >/dev/null; then
        [[ $(id -u) == 0 ]] || { echo "setup: missing: go. Install it (any version) and run this again." >&2; exit 1; }
        echo "setup: installing golang-go" >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends golang-go >/dev/null
    fi
    module=golang.org/toolchain@v0.0.1-$release.linux-$(GOTOOLCHAIN=local go env GOARCH)
    echo "setup: fetching $release" >&2
    mkdir -p "$cache"
    # Outside any module: an old go stops at a go.mod that asks for a newer one.
    goroot=$(cd "$cache" && GOFLAGS='' GOTOOLCHAIN=local go mod download -json "$module" |
        sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
    [[ -d $goroot ]] || { echo "setup: $module did not come from the Go module proxy; install $release." >&2; exit 1; }
    # Module caches keep no execute bits.
    find "$goroot/bin" "$goroot/pkg/tool" -type f ! -executable -exec chmod +x {} +
    export PATH=$goroot/bin:$PATH GOROOT=$goroot
}

for package in $(awk '$1 == "tool" {print $2}' "$tools/go.mod"); do
    built "$package" && continue
    go_is_new_enough || fetch_go
    echo "setup: building $(basename "$package") (about 2 minutes)" >&2
    "$tools/build.sh" "$package" >/dev/null
done
