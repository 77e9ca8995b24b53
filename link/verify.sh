#!/bin/sh
# Builds module and image of the last commit once more, in another folder and with another home for cargo, and compares them
# with what `make image` has left here.
set -eu

if [ "$(git status --porcelain)" ]; then
    echo 'there is something that is not committed: what is here is not what others build' >&2
    exit 1
fi
here=$(pwd -P)
home=${CARGO_HOME:-$HOME/.cargo}
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
clone=$there/some/where/else
git clone --quiet --no-checkout . "$clone"
git -C "$clone" checkout --quiet --detach "$(git rev-parse HEAD)"
# What has been downloaded is not downloaded again, but unpacked again.
mkdir -p "$there/home/registry"
for part in registry/index registry/cache config.toml; do
    if [ -e "$home/$part" ]; then ln -s "$home/$part" "$there/home/$part"; fi
done
CARGO_HOME="$there/home" make --no-print-directory -C "$clone" TOOLS="$here/target/tools" image

for file in wasm32-wasip1/release/protobridge.wasm image/protobridge.oci.tar; do
    cmp "target/$file" "$clone/target/$file"
    echo "the same: $file"
done
folders=$(printf '%s\n' "$here" "$clone" "$home" "$there" "$HOME/" | sort -u)
if grep -a -F "$folders" target/wasm32-wasip1/release/protobridge.wasm >/dev/null; then
    echo 'the module names a folder of this machine' >&2
    exit 1
fi
echo 'the module names no folder of this machine'
