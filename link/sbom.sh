#!/bin/sh
# Writes the bill of materials of the module, target/sbom/protobridge.cdx.json. usage: link/sbom.sh CARGO-CYCLONEDX
#
# The tool doesn't know which crates are there for the tests alone, and adds the features that these ask for. So it is
# given a package that has none of them. It also names the package's folder, which is the builder's own.
set -eu

tool=$(pwd -P)/$1
folder=$(pwd -P)/target/sbom
rm -rf "$folder"
mkdir -p "$folder/protobridge/src"
touch "$folder/protobridge/src/lib.rs"
cp Cargo.lock "$folder/protobridge"
awk '/^\[/ { on = !/^\[(dev-dependencies|profile|lints)/ } on && !/^members/' Cargo.toml >"$folder/protobridge/Cargo.toml"
(cd "$folder/protobridge" && "$tool" cyclonedx --quiet --format json --target wasm32-wasip1 --override-filename bom)
sed "s|file://$folder/|file:///|g" "$folder/protobridge/bom.json" >"$folder/protobridge.cdx.json"
