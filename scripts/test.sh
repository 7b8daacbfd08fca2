#!/usr/bin/env bash
# Runs every test. It needs Rust and a C compiler; nothing else has to be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
    echo "Rust is missing: see https://rustup.rs" >&2
    exit 1
fi

# What is missing is installed where that may be done. Without the compilers nothing can be tested;
# without the others the tests that need them say that they are skipped.
missing=()
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v c++ >/dev/null || missing+=(g++)
command -v ip >/dev/null || missing+=(iproute2)
command -v nft >/dev/null || missing+=(nftables)
command -v mandoc >/dev/null || missing+=(mandoc)
if [ "${#missing[@]}" -gt 0 ]; then
    if ! { command -v apt-get >/dev/null && [ "$(id -u)" = 0 ] &&
        apt-get update -qq && apt-get install -y -qq "${missing[@]}"; }; then
        echo "missing; on Debian: apt-get install ${missing[*]}" >&2
    fi
    command -v cc >/dev/null || exit 1
fi

# Snapshots are compared, never written.
export INSTA_UPDATE=no
cargo test --locked

if command -v c++ >/dev/null; then
    scripts/fuzz.sh 10
fi
