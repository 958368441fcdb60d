#!/bin/bash
# Builds the Go programs that tests run against, once per pin, and says how long each took; silent when they are there.
# go.sh test: the servers of tests/tools. go.sh cluster: also a Kubernetes, the modules of tests/cluster/bed/tools.
# A `go` on PATH that is new enough is used. Otherwise any older one (Debian's golang-go) fetches the release below as
# the module golang.org/toolchain and checks it against the checksum database, as Go's own GOTOOLCHAIN switch does.
set -euo pipefail
export HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)} # unset in some containers
cd "$(dirname "$0")/.."
modules=("$PWD/tests/tools")
bed=$PWD/tests/cluster/bed/tools
# The longest build first: the others find its libraries in Go's cache.
[[ $1 == test ]] || modules=("$bed/kube" "$bed/csi" "$bed/containerd" "$bed/coredns" "$bed/pause" "$PWD/tests/tools")
export BUILD_JOBS=${BUILD_JOBS:-$(nproc)}
release=go1.26.8
cache=${CDI_TEST_CACHE:-$HOME/.cache/cdi-tests}

programs() { # the packages of MODULE to build: its own program, else the tools that its go.mod names; and its files
    [[ ! -e $1/files ]] || echo files
    if [[ -e $1/main.go ]]; then
        awk '$1 == "module" {print $2}' "$1/go.mod"
    else
        awk '$1 == "tool" && $2 != "(" {print $2} /^\)/ {inside = 0} inside {print $1} $0 == "tool (" {inside = 1}' "$1/go.mod"
    fi
}

go_is_new_enough() {
    local wanted have
    command -v go >/dev/null || return 1
    wanted=$(awk '$1 == "go" {print $2}' "${modules[@]/%//go.mod}" | sort -V | tail -1)
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

for module in "${modules[@]}"; do
    for package in $(programs "$module"); do
        requirements/gobuild.sh --find "$module" "$package" >/dev/null && continue
        go_is_new_enough || fetch_go
        [[ $package == files ]] || echo "setup: building $(basename "$package")" >&2
        SECONDS=0
        requirements/gobuild.sh "$module" "$package" >/dev/null
        [[ $package == files ]] || echo "setup: built $(basename "$package") in $SECONDS s" >&2
    done
done
