# `make demo` shows the product, `make test` runs every check; each makes what it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find rust python/smartqc -name '*.rs' -o -name '*.toml' -o -name '*.xml' | grep -v demo_data) \
	Cargo.toml Cargo.lock pyproject.toml

.PHONY: demo test test-rust test-python lint guard sanitize bench build clean

demo: $(VENV)/built
	$(BIN)/smartqc demo $(ARGS)

test: lint test-rust guard test-python

build: $(VENV)/built

# One sentence for each thing that only the machine's owner can install.
$(VENV)/tools-found:
	@command -v $(PYTHON) >/dev/null || { echo "smartqc needs Python >= 3.11 (https://www.python.org)." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "smartqc needs Python >= 3.11; $$($(PYTHON) --version) is too old." >&2; exit 1; }
	@command -v cargo >/dev/null || { echo "smartqc needs Rust >= 1.92 (https://rustup.rs)." >&2; exit 1; }
	@command -v cc >/dev/null || { echo "smartqc needs a C compiler as linker (Debian: apt-get install gcc libc6-dev)." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "smartqc needs Python's venv module (Debian: apt-get install python3-venv)." >&2; exit 1; }
	@touch $@

$(VENV)/installed: $(VENV)/tools-found pyproject.toml
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1' 'maturin>=1.16,<2'
	$(BIN)/python -m pip install --quiet 'jinja2>=3.1' 'numpy>=2' 'rich>=14' 'typer>=0.16' 'onnxruntime>=1.21'
	@touch $@

$(VENV)/built: $(VENV)/installed $(SOURCES)
	$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable '.[cpu]'
	@touch $@

$(VENV)/test-installed: $(VENV)/installed pyproject.toml
	$(BIN)/python -m pip install --quiet --group test
	@touch $@

# The GenTL producers of other makers that the consumer is held against.
$(VENV)/producers/paths: $(VENV)/test-installed tests/fetch_producers.py
	@mkdir -p $(@D)
	$(BIN)/python tests/fetch_producers.py $(VENV)/producers > $@.part && mv $@.part $@

lint: $(VENV)/built $(VENV)/test-installed
	cargo fmt --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	MYPYPATH=python $(BIN)/python -m mypy.stubtest smartqc._native --ignore-disjoint-bases

test-rust: $(VENV)/built $(VENV)/producers/paths
	$(BIN)/python tests/run_rust.py

test-python: $(VENV)/built $(VENV)/test-installed $(VENV)/producers/paths
	$(BIN)/python -m pytest $(ARGS)

# Instruction counts of the release extension, held against bench/guard/baseline.json.
guard: $(VENV)/built
	$(BIN)/python bench/guard $(if $(filter guard,$(MAKECMDGOALS)),$(ARGS))

# The tests of the unsafe kernels under AddressSanitizer and under valgrind, which knows AVX2 and not AVX-512,
# then the fuzz target. For whoever changes kernels: needs a nightly compiler, valgrind and cargo-fuzz.
HOST = $(shell rustc -vV | sed -n 's/^host: //p')
VALGRIND = valgrind --quiet --error-exitcode=1
FUZZ_S ?= 300
sanitize:
	RUSTFLAGS=-Zsanitizer=address cargo +nightly test --locked --target $(HOST) --target-dir target/sanitize \
		-p smartqc-core --test prepare_kernels
	CARGO_TARGET_$(subst -,_,$(shell echo $(HOST) | tr a-z A-Z))_RUNNER="$(VALGRIND)" \
		cargo test --locked --target $(HOST) -p smartqc-core --test prepare_kernels
	cargo +nightly fuzz run prepare --fuzz-dir rust/fuzz -- -max_total_time=$(FUZZ_S) -max_len=64 -len_control=0

# What the suite calls is built before it begins to measure.
bench: $(VENV)/built $(VENV)/test-installed
	cargo build --locked --release -p smartqc-core --example stream
	cargo bench --locked -p smartqc-core --bench contender --no-run
	$(BIN)/python bench/suite.py $(ARGS)

clean:
	rm -rf $(VENV) target
