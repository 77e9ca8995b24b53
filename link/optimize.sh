#!/bin/sh
# Optimises the module by Binaryen's wasm-opt, which comes from npm: the module becomes an eighth smaller, and cheaper for each
# request. Where there is no npm the module stays as it is, and does the same. usage: link/optimize.sh MODULE
#
# It takes most of a minute, so the last result is kept for the next build of the same module.
set -eu

version=132.0.0
module=$1
folder=${CARGO_TARGET_DIR:-target}/wasm-opt
package=$folder/node_modules/binaryen

if ! command -v npm >/dev/null; then
    echo 'no npm: the module is left as it is, without wasm-opt'
    exit
fi
mkdir -p "$folder"
if ! grep -qs "\"version\": *\"$version\"" "$package/package.json"; then
    npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix "$folder" "binaryen@$version"
fi
optimised=$folder/$(cksum <"$module" | tr ' ' -).wasm
if ! [ -e "$optimised" ]; then
    rm -f "$folder"/*.wasm
    # What rustc itself writes for the target, and no more.
    node "$package/bin/wasm-opt" -O3 --enable-bulk-memory --enable-multivalue --enable-mutable-globals \
        --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext --enable-simd \
        "$module" --output "$optimised.part"
    mv "$optimised.part" "$optimised"
fi
# Replaced, not written to: cargo keeps the file under a second name.
cp "$optimised" "$module.optimised"
mv "$module.optimised" "$module"
