#!/bin/sh
# Prints the setting by which cargo leaves the builder's folders out of the module: panics name source files, and the
# same commit has to become the same bytes wherever it is built. usage: cargo build --config "$(link/paths.sh)"
set -eu

# rustc takes the last that fits.
map="'--remap-path-prefix=$(pwd -P)=/protobridge'"
# The folders of registries have names of their own, which differ where there is a mirror.
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do
    map="$map, '--remap-path-prefix=$sources=/crates'"
done
# Where the source of the standard library is installed, rustc finds it there rather than under its own name for it.
commit=$(rustc --version --verbose | sed -n 's/^commit-hash: //p')
map="$map, '--remap-path-prefix=$(rustc --print sysroot)/lib/rustlib/src/rust=/rustc/$commit'"
echo "target.wasm32-wasip1.rustflags = [$map]"
