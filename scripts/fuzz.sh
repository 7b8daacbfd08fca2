#!/usr/bin/env bash
# Fuzzes each decoder for a number of seconds (default: 20).
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}

# The fuzzer looks at what the code does with its input: the project's own code is built with counters
# in it, and everything else as it is for the tests. No nightly compiler is needed.
export RUSTC_WORKSPACE_WRAPPER="$PWD/scripts/instrument.sh"
cargo build --locked --package distro-tui-fuzz
programs=${CARGO_TARGET_DIR:-target}/debug
kept=${CARGO_TARGET_DIR:-target}/fuzz

for target in ticket wire value; do
    mkdir -p "$kept/$target"
    echo "fuzzing $target for $seconds s"
    if ! "$programs/$target" "$kept/$target" "fuzz/seeds/$target" -max_total_time="$seconds" \
        -max_len=4096 -timeout=10 -rss_limit_mb=1024 -artifact_prefix="$kept/" \
        >"$kept/$target.log" 2>&1; then
        tail -n 40 "$kept/$target.log" >&2
        exit 1
    fi
    grep -o "Done [0-9]* runs.*" "$kept/$target.log" || true
done
