#!/usr/bin/env bash
# Runs every test. It needs Rust and a C compiler; nothing else has to be installed.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
    echo "Rust is missing: see https://rustup.rs" >&2
    exit 1
fi
if ! command -v cc >/dev/null; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        apt-get update -qq && apt-get install -y -qq gcc libc6-dev
    else
        echo "A C compiler is missing; on Debian: apt-get install gcc libc6-dev" >&2
        exit 1
    fi
fi

# Snapshots are compared, never written.
export INSTA_UPDATE=no
cargo test --locked
