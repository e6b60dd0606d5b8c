# The two commands are `make demo` and `make test`. `make help` tells the others.
SHELL := /bin/bash
BUILD := $(CURDIR)/build
# `make PROFILE=dev …` builds faster and runs slower; what is shipped and tested is release.
PROFILE ?= release
OUT := target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
# Other flags make everything anew: a quick build has cargo's own.
CARGO := $(if $(filter dev,$(PROFILE)),cargo,tools/release_cargo.sh)
PYTHON := .venv/bin/python
PREFIX ?= /usr/local
export MPR_BUILD := $(BUILD)

.PHONY: help demo test build deps venv otelcol otel-cpp check cargo-test interleavings tsan python-test spool-torture header picture install size bench bench-delivery bench-mask bench-otel-cpp bench-scale fuzz clean
.PHONY: test-deps page-vendor bench-local dist deb abi-check wheel bench-python

help:
	@echo "make demo      build, record a real C server with the local recorder, show the session"
	@echo "make test      everything that CI checks"
	@echo "make build     library and local recorder into build/"
	@echo "make install   header, library, pkg-config and CMake files into PREFIX (default /usr/local), DESTDIR honoured"
	@echo "make dist      the release as a tarball, in build/dist"
	@echo "make deb       Debian packages, in build/deb"
	@echo "make wheel     the Python wheel, with the library in it, and the source distribution, into build/wheel"
	@echo "make header    write include/mpr.h anew from src/abi"
	@echo "make abi-check what the library promises to programs that were compiled against earlier ones (docs/abi.md)"
	@echo "make size      what the shared library weighs, and what it costs a process to have it"
	@echo "make bench     figures of the hot path, through the C ABI"
	@echo "make bench-delivery  spans and their delivery beside OpenTelemetry C++ and Rust (ROUNDS=5), with what they need"
	@echo "make bench-otel-cpp  libmpr inside OpenTelemetry C++ beside that one's own generator, sampler and exporter"
	@echo "make bench-scale  what a span costs in a process, an agent and a gateway (docs/scale.md)"
	@echo "make bench-local  how many spans a second the local recorder takes without loss"
	@echo "make bench-python  the Python package beside the published one: what becomes of programs, CPU per request, import"
	@echo "make bench-mask  masking beside its peers, with what they need from PyPI and npm"
	@echo "make spool-torture  kill processes with a spool 1,000 times (KILLS=1000)"
	@echo "make otelcol   a real OpenTelemetry Collector for the tests, from Debian's packages (3 minutes, once)"
	@echo "make otel-cpp  OpenTelemetry C++ for the tests and benches, in a small Debian trixie (2 minutes, once)"
	@echo "make interleavings  the real queue, spool, delivery, fork gate, handles and exit in orders of shuttle's choice (ITERATIONS=20000)"
	@echo "make tsan      the tests of threads, forks, exits, sessions, delivery and spool under ThreadSanitizer (TESTS=…)"
	@echo "make fuzz      fuzz the masking and what reads the spool, SECONDS=60 for each of TARGETS, with cargo-fuzz"
	@echo "make picture   docs/session.png, the README's picture, with Chromium; a test says when the page has changed since"
	@echo "make page-vendor  the two libraries of the local recorder's page anew from npm (tools/page_vendor.py)"
	@echo "make clean     remove build/, target/ and .venv/"

demo: deps build $(BUILD)/examples/c-http-server
	@python3 examples/demo.py

test: test-deps venv otelcol otel-cpp check cargo-test build $(BUILD)/examples/c-http-server $(BUILD)/examples/node-koffi/.installed $(BUILD)/tests/node-recorder/.installed python-test

# What a fresh Debian lacks; says what is missing where it cannot be installed.
deps:
	@tools/deps.sh

# And what some tests need alone.
test-deps:
	@tools/deps.sh tests

# From npm: koffi for examples/node-koffi, and the published recorder for Node. Where they cannot be had, their tests are skipped
# and say why.
$(BUILD)/examples/node-koffi/.installed: examples/node-koffi/package.json
$(BUILD)/tests/node-recorder/.installed: tests/local/clients/package.json
$(BUILD)/examples/node-koffi/.installed $(BUILD)/tests/node-recorder/.installed:
	@mkdir -p $(@D)
	@cp $< $(@D)/
	@cd $(@D) && npm install --silent --no-audit --no-fund --ignore-scripts >/dev/null 2>&1 && touch $@ || \
	  echo "what $< asks for cannot be installed from npm: without its test"

# A stamp, since .venv/bin/python is a link to the system's Python.
# The second one has the oldest OpenTelemetry that the Python package takes. uWSGI comes as source; without it its test is
# skipped and says so.
venv: .venv/.installed .venv/oldest/.installed
.venv/.installed: tests/requirements.txt
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check uwsgi==2.0.31 >/dev/null 2>&1 || echo "uWSGI cannot be built here"
	@touch $@
.venv/oldest/.installed: tests/requirements-oldest.txt .venv/.installed
	python3 -m venv .venv/oldest
	.venv/oldest/bin/python -m pip install --quiet --disable-pip-version-check -r tests/requirements-oldest.txt
	@touch $@

# A real OpenTelemetry Collector for the tests. Where it cannot be had, they are skipped and say why.
otelcol:
	@[ -n "$$MPR_OTELCOL" ] || tools/otelcol/build.sh $(BUILD)/otelcol || true

# The same for OpenTelemetry C++.
otel-cpp:
	@[ -n "$$MPR_OTEL_CPP" ] || tools/otel-cpp/compile.sh $(BUILD)/otel-cpp || true

check:
	cargo fmt --all --check
	cargo fmt --manifest-path interleavings/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked --quiet -- -D warnings
	python3 tools/licences.py

cargo-test:
	cargo test --workspace --locked --quiet
	@$(MAKE) --no-print-directory interleavings ITERATIONS=2000

python-test:
	$(PYTHON) -m pytest -q -rs -p no:cacheprovider tests

# Two cargo runs: what only the recorder's dependencies switch on must not end up in the library, and only the library
# is worth the slow whole-program optimisation. The crate types are named since cargo leaves that optimisation out, without
# a word, for a package that is built as an rlib too (which tests and benches need): 760 KB more.
build:
	$(CARGO) rustc --locked --profile $(PROFILE) -p mpr --lib --crate-type cdylib,staticlib
	CARGO_PROFILE_RELEASE_LTO=off $(CARGO) build --locked --profile $(PROFILE) -p mpr-local
	@mkdir -p $(BUILD)/lib $(BUILD)/bin
	@install $(OUT)/libmpr.so $(BUILD)/lib/
	@tools/localise.sh $(OUT)/libmpr.a $(BUILD)/lib/libmpr.a mpr_
	@ln -sf libmpr.so $(BUILD)/lib/libmpr.so.0
	@install $(OUT)/mpr-local $(BUILD)/bin/

$(BUILD)/examples/c-http-server: build examples/c-http-server/server.c
	@mkdir -p $(@D)
	$(MAKE) -s -C examples/c-http-server CPPFLAGS="-I$(CURDIR)/include" LDFLAGS="-L$(BUILD)/lib -Wl,-rpath,$(BUILD)/lib" OUT=$@

header:
	MPR_BLESS=1 cargo test --quiet --test header
	@git diff --stat include/mpr.h

install: build
	bindings/c/install.sh "$(PREFIX)"

dist: build
	@packaging/dist.sh $(BUILD)/dist

LINTIAN := lintian --suppress-tags initial-upload-closes-no-bugs --fail-on warning,error $(if $(filter 0,$(shell id -u)),--allow-root)
deb: build
	@rm -rf $(BUILD)/deb
	@packaging/deb.sh $(BUILD)/deb
	@if command -v lintian >/dev/null; then $(LINTIAN) $(BUILD)/deb/*.deb; else echo "lintian is not installed: not judged"; fi

# Also part of python-test.
abi-check: build
	@python3 tests/abi/policy.py

# Into build/wheel. The wheel's tag is that of the newest symbol of glibc that the library asks for.
wheel: build venv
	@tools/wheel.sh $(BUILD)/lib/libmpr.so

size: build
	@mkdir -p $(BUILD)/benches
	@gcc -O2 -std=gnu11 -Wall -Wextra benches/start.c -o $(BUILD)/benches/start -ldl
	@tools/size.sh $(BUILD)/lib/libmpr.so $(BUILD)/benches/start

bench: build
	@mkdir -p $(BUILD)/benches
	gcc -O2 -std=c11 -Wall -Wextra -Iinclude benches/hot_path.c -o $(BUILD)/benches/hot_path -L$(BUILD)/lib -Wl,-rpath,$(BUILD)/lib -lmpr
	$(BUILD)/benches/hot_path

# The peers, in the versions that the figures are told for. One that cannot be had costs its column, not the run.
bench-delivery: build
	@[ -e /usr/include/zlib.h ] || { echo "missing: zlib (package zlib1g-dev), with which the sink reads gzip" >&2; exit 1; }
	@mkdir -p $(BUILD)/benches
	@rm -f $(BUILD)/benches/otel-cpp $(BUILD)/benches/otel-rust/release/otel-rust
	gcc -O2 -std=gnu11 -Wall -Wextra benches/sink.c -o $(BUILD)/benches/sink -lpthread -lz
	gcc -O2 -std=gnu11 -Wall -Wextra -Iinclude benches/delivery.c -o $(BUILD)/benches/libmpr -L$(BUILD)/lib -Wl,-rpath,$(BUILD)/lib -lmpr -lpthread
	@tools/otel-cpp/compile.sh $(BUILD)/otel-cpp $(BUILD)/benches/otel-cpp benches/peers/otel.cpp -O2 || \
	  echo "OpenTelemetry C++ cannot be had: without its column"
	@cargo build --quiet --locked --release --manifest-path benches/peers/rust/Cargo.toml --target-dir $(BUILD)/benches/otel-rust || \
	  echo "OpenTelemetry Rust cannot be had: without its column"
	@python3 benches/delivery.py $(BUILD)/benches

bench-otel-cpp: build otel-cpp
	@mkdir -p $(BUILD)/benches
	tools/otel-cpp/compile.sh $(BUILD)/otel-cpp $(BUILD)/benches/inside-otel-cpp benches/otel_cpp.cpp -O2 -lmpr
	@$(BUILD)/benches/inside-otel-cpp

bench-local: build
	@python3 benches/local_intake.py $(BUILD)/bin/mpr-local

bench-scale: build venv otelcol
	@mkdir -p $(BUILD)/benches
	gcc -O2 -std=gnu11 -Wall -Wextra -Iinclude benches/scale.c -o $(BUILD)/benches/scale -L$(BUILD)/lib -Wl,-rpath,$(BUILD)/lib -lmpr -lpthread
	@$(PYTHON) benches/scale.py

# Ours from its wheel, the published one from PyPI, each in a venv of its own.
bench-python: wheel
	@for which in peer ours; do [ $(BUILD)/benches/python/$$which/.installed -nt benches/python-$$which.txt ] || { \
	  python3 -m venv $(BUILD)/benches/python/$$which && \
	  $(BUILD)/benches/python/$$which/bin/python -m pip install --quiet --disable-pip-version-check -r benches/python-$$which.txt && \
	  touch $(BUILD)/benches/python/$$which/.installed; } || exit 1; done
	@$(BUILD)/benches/python/ours/bin/python -m pip install --quiet --disable-pip-version-check --force-reinstall --no-deps $(BUILD)/wheel/*.whl
	@python3 benches/python.py $(BUILD)

# The peers, in the versions that the figures are told for. A registry that cannot be reached costs its columns, not the
# run. Without link-time optimisation: it takes minutes and changes nothing here, since masking calls no other crate.
bench-mask:
	@mkdir -p $(BUILD)/benches/node
	@[ -e $(BUILD)/benches/venv/.installed ] || { python3 -m venv $(BUILD)/benches/venv && \
	  $(BUILD)/benches/venv/bin/pip install --quiet --disable-pip-version-check multiplayer-session-recorder==1.0.6 && \
	  touch $(BUILD)/benches/venv/.installed; } || echo "the Python peer cannot be installed: its column stays empty"
	@[ -e $(BUILD)/benches/node/.installed ] || { cd $(BUILD)/benches/node && echo '{"private": true}' > package.json && \
	  npm install --silent --no-audit --no-fund --ignore-scripts --save-exact @multiplayer-app/session-recorder-node@2.0.89 \
	    @multiplayer-app/session-recorder-common@2.0.89 && \
	  touch .installed; } || echo "the Node peer cannot be installed: its column stays empty"
	@python3 benches/corpus.py $(BUILD)/benches/corpus
	CARGO_PROFILE_BENCH_LTO=off $(CARGO) bench --locked --quiet -p mpr --bench masking -- $(BUILD)/benches

# Each case with two schedulers. One that fails prints its seed and its schedule: SEED=…, or CASE="name schedule", is the same again.
ITERATIONS ?= 20000
interleavings:
	@ITERATIONS=$(ITERATIONS) cargo run --quiet --locked --manifest-path interleavings/Cargo.toml -- $(CASE)

# The same tests, over a build of its own: the library, Rust's standard library and the C programs know ThreadSanitizer there.
TESTS ?= $(addprefix tests/,abi/test_misuse.py abi/test_sections.py abi/test_hosts.py abi/test_bad_servers.py process session \
  pipeline/test_budget.py pipeline/test_delivery.py pipeline/test_spool.py)
tsan: deps venv
	@tools/tsan.sh $(BUILD)/tsan
	@MPR_BUILD=$(BUILD)/tsan $(PYTHON) -m pytest -q -rs -o verbosity_assertions=2 -p no:cacheprovider -m "not valgrind" $(TESTS)

# With the stable compiler: cargo-fuzz asks for options that only a nightly one has otherwise.
SECONDS ?= 60
TARGETS ?= $(basename $(notdir $(wildcard fuzz/fuzz_targets/*.rs)))
fuzz:
	@cargo fuzz --version >/dev/null 2>&1 || { echo "missing: cargo-fuzz; install it with: cargo install --locked cargo-fuzz" >&2; exit 1; }
	@command -v c++ >/dev/null || { echo "missing: a C++ compiler (package g++), which builds libFuzzer" >&2; exit 1; }
	@mkdir -p $(addprefix $(BUILD)/fuzz/,$(TARGETS))
	@set -e; for target in $(TARGETS); do echo "== $$target"; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run $$target $(BUILD)/fuzz/$$target fuzz/corpus/$$target -- \
	    -dict=fuzz/dictionary -max_len=600 -timeout=10 -verbosity=0 -max_total_time=$(SECONDS); done

# At random moments, several at once; make test does 200.
KILLS ?= 1000
spool-torture: build venv
	MPR_KILLS=$(KILLS) $(PYTHON) -m pytest -q -s -p no:cacheprovider tests/pipeline/test_spool_kills.py

picture: deps build venv
	$(PYTHON) tools/picture.py docs/session.png

page-vendor:
	python3 tools/page_vendor.py

clean:
	rm -rf $(BUILD) target interleavings/target .venv
