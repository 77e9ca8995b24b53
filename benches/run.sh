#!/bin/sh
# Builds the bench natively and for wasm, and prints its tables. usage: benches/run.sh, at the top of the repository.
set -eu

target=${CARGO_TARGET_DIR:-target}
cargo build --locked --profile bench --package protobridge-bench
cargo build --locked --profile bench --package protobridge-bench --target wasm32-wasip1
bench=$target/release/codec-bench

if command -v node >/dev/null; then
    # Optimised from the first call, as the measured seconds are in Envoy's long run.
    "$bench" run node --no-warnings --no-liftoff benches/wasm.mjs "$target/wasm32-wasip1/release/codec-bench.wasm" serve
else
    echo 'no node: the wasm columns stay empty (they are measured in V8, which is what Envoy has)'
    "$bench" run
fi

if command -v valgrind >/dev/null; then
    counts=$(mktemp -d)
    trap 'rm -r "$counts"' EXIT
    measured=codec_bench::measured_by_callgrind
    valgrind --quiet --tool=callgrind --callgrind-out-file="$counts/callgrind" \
        --dump-instr=yes --dump-line=no --compress-pos=no --toggle-collect=$measured --dump-after=$measured "$bench" count
    "$bench" counts "$counts"
else
    echo 'no valgrind: instruction counts are left out'
fi
