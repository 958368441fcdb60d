#!/bin/sh
# Writes requirements/*.lock from pyproject.toml: exact versions with hashes. `make lock` keeps pins that still fit;
# UPGRADE=1 make lock takes the newest. dev.lock is solved first and constrains the others, so they install together.
set -eu
cd "$(dirname "$0")/.."
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
"${PYTHON:-python3}" -m venv "$tools"
"$tools/bin/pip" install -q pip-tools==7.6.2

compile() { # NAME, then options of pip-compile
    name=$1
    shift
    # The last options keep where packages came from out of the files: it is no property of the project.
    "$tools/bin/pip-compile" -q ${UPGRADE:+--upgrade} --allow-unsafe --generate-hashes --strip-extras \
        --annotation-style=line --no-header --no-emit-options \
        --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
        --output-file "requirements/$name.lock" "$@" pyproject.toml
}

compile dev --extra worker --extra control --extra dev
compile worker --extra worker --constraint requirements/dev.lock
compile control --extra control --constraint requirements/dev.lock
compile build --only-build-deps --build-deps-for wheel
