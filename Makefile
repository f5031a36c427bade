# `make` lists the verbs. All that is brought by pip goes to .venv and .clients, all that is built to build/ and python/mica/core.abi3.so.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check -q
STAMPS := $(VENV)/stamps
BUILD := build/release
EXTENSION := python/mica/core.abi3.so
CMAKE := $(BIN)/cmake
CMAKE_ARGS := -S . -G Ninja -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja -DPython_EXECUTABLE=$(CURDIR)/$(PY)
# A process for each core that may be used; tests that are left go to whoever is idle.
PYTEST := $(PY) -m pytest -n auto --maxprocesses 8 --dist worksteal
CTEST := $(BIN)/ctest --test-dir $(BUILD) --output-on-failure --no-tests=error
# Arguments of the program that `make run` starts, of pytest, and of the benchmarks.
ARGS ?=
# Where `make install` puts the C library.
PREFIX ?= /usr/local

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run build install test check long asan ubsan tsan bench docs lint format tables clean

help:
	@echo "Verbs (ARGS=... is passed on by run, test, check and bench):"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
	    || sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1: \2/p' $(MAKEFILE_LIST)

run: build $(STAMPS)/examples ## train the small language model of examples/train_lm.py
	$(PY) -m mica examples/train_lm.py $(ARGS)

build: $(STAMPS)/path $(BUILD)/build.ninja ## build engine and extension, importable from .venv
	@$(CMAKE) --build $(BUILD) --target mica_core

install: $(BUILD)/build.ninja ## the C library with headers, pkg-config and CMake files, to PREFIX
	@$(CMAKE) --build $(BUILD) --target mica
	@$(CMAKE) --install $(BUILD) --component library --prefix $(PREFIX)

test: build $(STAMPS)/test $(if $(ARGS),,$(STAMPS)/clients) ## C tests and Python tests; with ARGS only pytest with these
	@[ -n "$(ARGS)" ] || $(CMAKE) --build $(BUILD) --target mica_tests
	@c=0; p=0; \
	[ -n "$(ARGS)" ] || $(CTEST) -j 2 || c=$$?; \
	$(PYTEST) $(or $(ARGS),tests) || p=$$?; \
	word() { [ $$1 = 0 ] && echo passed || echo "FAILED (status $$1)"; }; \
	echo; echo "C tests:      $$(word $$c)"; echo "Python tests: $$(word $$p)"; \
	[ $$c = 0 ] && [ $$p = 0 ]

check: test $(STAMPS)/check $(STAMPS)/clients-more ## the long matrix, once for each instruction set of this machine
	@status=0; for isa in portable v3 v4; do \
	    echo "== MICA_ISA=$$isa"; \
	    MICA_ISA=$$isa MICA_TEST_TIER=long $(PYTEST) $(or $(ARGS),tests) || status=$$?; \
	    MICA_ISA=$$isa $(CTEST) -j 2 || status=$$?; \
	done; exit $$status

long: check ## the long tiers, hours: `check`, then all 2^32 floats through every function, then `fuzz`
	SHOW=1 $(BUILD)/test_accuracy 1
	$(MAKE) fuzz

# Each target for SECONDS of processor time. Each file may take its size and 64 MiB, which the targets check
# (tests/fuzz/fuzz.h); the limit here is for all of the process. Large seeds and dictionaries are made here, and are
# not committed.
FUZZ = safetensors npy npz gguf json export
SECONDS = 600
.PHONY: fuzz
fuzz: build ## fuzz all parsers (clang and its runtime: apt install clang libclang-rt-14-dev), SECONDS each
	CC=clang $(CMAKE) $(CMAKE_ARGS) -B build/fuzz -DMICA_FUZZ=ON -DMICA_BUILD_SHARED=OFF \
	    -DMICA_SANITIZE=fuzzer-no-link,address,undefined >/dev/null
	$(CMAKE) --build build/fuzz --target mica_fuzzers
	$(PY) tests/fuzz/large.py build/fuzz/large
	$(PY) tests/fuzz/words.py build/fuzz/words
	@for t in $(FUZZ); do \
	    echo "== $$t"; mkdir -p build/fuzz/corpus/$$t build/fuzz/found; \
	    ASAN_OPTIONS=quarantine_size_mb=4:allocator_may_return_null=1 MICA_THREADS=1 \
	    build/fuzz/fuzz_$$t -max_total_time=$(SECONDS) -timeout=10 -max_len=1048576 -malloc_limit_mb=64 \
	        -rss_limit_mb=256 -dict=build/fuzz/words/$$t.dict -print_final_stats=1 -verbosity=0 \
	        -artifact_prefix=build/fuzz/found/$$t- \
	        build/fuzz/corpus/$$t tests/fuzz/corpus/$$t build/fuzz/large/$$t || exit 1; \
	done

# gcc 13 misplaces AVX-512 vectors on the stack of detect_stack_use_after_return (its bug 110027).
ASAN = allocator_may_return_null=1:detect_stack_use_after_return=0:detect_odr_violation=0
TSAN = suppressions=$(CURDIR)/tests/tsan.supp

asan: SANITIZE = address,undefined
asan: sanitize package $(STAMPS)/test ## C tests and Python tests with the address and undefined-behaviour sanitizers
	ASAN_OPTIONS=$(ASAN):detect_leaks=0 PYTHONMALLOC=malloc PYTHONPATH=$(CURDIR)/build/$(SANITIZE)/package \
	    LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so.6)" \
	    $(PYTEST) $(or $(ARGS),tests/python tests/ops)
ubsan: SANITIZE = undefined
ubsan: sanitize ## C tests with the undefined-behaviour sanitizer
tsan: SANITIZE = thread
tsan: sanitize package ## C tests, and Python threads, with the thread sanitizer
	TSAN_OPTIONS="$(TSAN) exitcode=66" PYTHONPATH=$(CURDIR)/build/thread/package \
	    LD_PRELOAD=$$($(CC) -print-file-name=libtsan.so) $(PY) tests/python/threads_storm.py 60
# The package with a sanitized extension, beside the build of its tests.
.PHONY: package
package: sanitize
	mkdir -p build/$(SANITIZE)/package/mica
	for part in python/mica/*; do case $$part in *.so|*__pycache__) ;; \
	    *) ln -sfn $(CURDIR)/$$part build/$(SANITIZE)/package/mica/ ;; esac; done
	$(CMAKE) -B build/$(SANITIZE) -DMICA_BUILD_PYTHON=ON \
	    -DMICA_PYTHON_OUTPUT=$(CURDIR)/build/$(SANITIZE)/package/mica >/dev/null
	$(CMAKE) --build build/$(SANITIZE) --target mica_core
.PHONY: sanitize
sanitize: $(STAMPS)/build
	$(CMAKE) $(CMAKE_ARGS) -B build/$(SANITIZE) -DMICA_SANITIZE=$(SANITIZE) -DMICA_BUILD_SHARED=OFF \
	    -DMICA_TEST_TIMEOUT=600 >/dev/null
	$(CMAKE) --build build/$(SANITIZE) --target mica_tests
	ASAN_OPTIONS=$(ASAN):detect_leaks=1 TSAN_OPTIONS="$(TSAN) halt_on_error=1" \
	    $(BIN)/ctest --test-dir build/$(SANITIZE) --output-on-failure --no-tests=error

bench: build $(STAMPS)/test ## the measured table; peers that are installed run beside
	$(PY) bench $(ARGS)

docs: build $(STAMPS)/test ## the reference of all functions (docs/reference) from tables, oracle, docs/examples
	$(PY) tools/docs.py
	$(PY) tools/doctor_pages.py

lint: $(STAMPS)/lint ## stale tables, layer order, comments of the C API, file sizes, ruff
	$(PY) tools/gen.py --check
	$(PY) tools/check_layers.py
	$(PY) tools/check_comments.py
	$(PY) tools/sizes.py
	$(PY) tools/doctor_pages.py --check
	$(BIN)/ruff check .

format: $(STAMPS)/lint ## clang-format and ruff format, in place
	git ls-files 'engine/*.[ch]' 'include/*.h' 'python/*.[ch]' 'tests/*.[ch]' 'examples/*.c' | \
	    xargs $(BIN)/clang-format -i
	$(PY) tools/gen.py
	$(BIN)/ruff check --fix --select I . && $(BIN)/ruff format .

tables: $(STAMPS)/venv ## derive ops.h, functions.c and core.pyi from the tables
	$(PY) tools/gen.py

clean: ## remove what was built (.venv stays)
	rm -rf build dist $(EXTENSION)

# ---- parts ----

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed (make PYTHON=/path/to/python3)" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	    echo "python3 -m venv failed; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

# Parts by the lists in pyproject.toml.
$(STAMPS)/build $(STAMPS)/test $(STAMPS)/examples $(STAMPS)/lint $(STAMPS)/check: $(STAMPS)/%: pyproject.toml | $(STAMPS)/venv
	@echo "installing the parts for $*"
	@$(PY) tools/parts.py $* > $@.txt
	@$(PIP) install -r $@.txt && touch $@

# Programs that were written for MLX, in environments of their own (.clients).
$(STAMPS)/clients $(STAMPS)/clients-more: $(STAMPS)/%: pyproject.toml tests/clients/setup.sh | $(STAMPS)/venv
	@echo "installing the parts for $*"
	@tests/clients/setup.sh $(PY) $* && touch $@
$(STAMPS)/clients-more: | $(STAMPS)/clients

# mica is imported from the source tree.
$(STAMPS)/path: | $(STAMPS)/venv
	@$(PY) -c 'import sysconfig, pathlib; \
	    pathlib.Path(sysconfig.get_path("purelib"), "mica.pth").write_text("$(CURDIR)/python\n")'
	@printf '#!/bin/sh\nexec "$(CURDIR)/$(PY)" -m mica "$$@"\n' > $(BIN)/mica && chmod +x $(BIN)/mica
	@touch $@

$(BUILD)/build.ninja: $(STAMPS)/build
	@$(CMAKE) $(CMAKE_ARGS) -B $(BUILD) -DMICA_BUILD_PYTHON=ON -DMICA_PYTHON_OUTPUT=$(CURDIR)/python/mica
	@touch $@
