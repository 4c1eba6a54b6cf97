# What a person types. Each target says what it does in `make help`; the longer ones live in .ci/.
#
# Finished steps leave a stamp named after the hash of what they were made from, so that a second run starts at once
# and a changed lock is noticed.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# ONNX Runtime calls home unless told otherwise; the code says so too (core/no_telemetry.py).
export ORT_DISABLE_TELEMETRY := 1

VENV := .venv
PYTHON := $(VENV)/bin/python
DONE := $(VENV)/.done
VENDOR := core/webshell/static/vendor
PROTOS := $(wildcard protos/postern/v1/*.proto)

hash = $(shell cat $(1) 2>/dev/null | sha256sum | cut -c1-16)
RUNTIME_DONE := $(DONE)/runtime-$(call hash,requirements/runtime.txt pyproject.toml)
DEV_DONE := $(DONE)/dev-$(call hash,requirements/dev.txt pyproject.toml)
PAGES_DONE := $(VENDOR)/.done-$(call hash,package-lock.json .ci/assets)
RAY_DONE := build/ray-venv/.done-$(call hash,requirements/ray.txt pyproject.toml)
MODELS_DONE := build/.done/models-$(call hash,models/placement.py models/tune.py $(sort $(shell find models/catalog models/recipes -type f -name '*.toml' -o -type f -name '*.py' -path 'models/recipes/*' 2>/dev/null)))

.PHONY: help
help: ## This list
	@echo "make run        a whole demo on this machine: control plane, node, kiosk page (Ctrl-C stops it)"
	@echo "make test       everything that must hold before a change goes in"
	@echo
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | LC_ALL=C sort | sed -E 's/:.*## /\t/' | while IFS=$$'\t' read -r name text; do printf '  %-16s %s\n' "$$name" "$$text"; done

.PHONY: run
run: setup ## Set up what is missing, then start the demo; more options: make run ARGS="--http 9000"
	@exec $(VENV)/bin/postern demo $(ARGS)

.PHONY: setup
setup: $(RUNTIME_DONE) $(PAGES_DONE) $(MODELS_DONE) ## Virtual environment, libraries, pages' assets, models

$(PYTHON):
	@.ci/prerequisites
	@echo "[setup] virtual environment in $(VENV)"
	@"$$(.ci/prerequisites --python)" -m venv $(VENV)

$(RUNTIME_DONE): | $(PYTHON)
	@.ci/prerequisites
	@.ci/install requirements/runtime.txt
	@mkdir -p $(DONE) && rm -f $(DONE)/runtime-* && touch $@

$(DEV_DONE): $(RUNTIME_DONE)
	@.ci/install requirements/dev.txt
	@mkdir -p $(DONE) && rm -f $(DONE)/dev-* && touch $@

$(PAGES_DONE):
	@.ci/prerequisites
	@.ci/assets $(VENDOR)
	@rm -f $(VENDOR)/.done-* && touch $@

$(MODELS_DONE): $(RUNTIME_DONE)
	@echo "[setup] models (built on this machine; the first time takes a few minutes)"
	@mkdir -p $(@D)
	@$(PYTHON) -m models build >build/models-built.json
	@rm -f $(@D)/models-* && touch $@

.PHONY: test-setup
test-setup: setup $(DEV_DONE) test-packages ## What the tests need on top of setup, Debian packages included

.PHONY: test-packages
test-packages: $(DEV_DONE)
	@.ci/packages

.PHONY: test
test: ## Lint, types, architecture, protos, then the tiers unit, contract, integration, browser, chaos
	@# Fetching waits for the network, building models for the processor: neither for the other.
	@$(MAKE) --no-print-directory -j3 test-setup
	@.ci/test

.PHONY: test-all
test-all: test-setup ## As test, with the tests marked long (up to 100 minutes on slow cores)
	@.ci/test --all

.PHONY: unit
unit: $(DEV_DONE) ## Only the unit tier (ten minutes on two slow cores)
	@$(PYTHON) -m pytest -q tests/unit

.PHONY: soak
soak: test-setup ## The tests that take hours
	@$(PYTHON) -m pytest tests -m soak --timeout=0

.PHONY: test-gpu
test-gpu: setup $(DEV_DONE) ## Tests that need a GPU
	@$(PYTHON) -m pytest tests/gpu

.PHONY: bench
bench: setup $(DEV_DONE) ## Every bench, results into bench-results/, then one table; one bench: make bench ONLY=chat
	@$(PYTHON) -m tests.bench $(ONLY)

$(RAY_DONE): | $(PYTHON)
	@echo "[setup] virtual environment in build/ray-venv"
	@mkdir -p build && "$$(.ci/prerequisites --python)" -m venv build/ray-venv
	@.ci/install requirements/ray.txt build/ray-venv
	@rm -f build/ray-venv/.done-* && touch $@

.PHONY: ray-setup
ray-setup: $(RAY_DONE) ## What a cluster of language models needs, in an environment of its own

.PHONY: ray
ray: ray-setup setup ## A language model on several machines (docs/scale.md); options: make ray ARGS="--port 9000"
	@exec build/ray-venv/bin/postern-cloud ray run --key-file build/ray-key $(ARGS)

.PHONY: screenshots
screenshots: test-setup ## Pictures of the pages for README and docs
	@$(PYTHON) -m tests.browser.screenshots

.PHONY: format
format: $(DEV_DONE) ## Format the code and repair what the linter can
	@$(VENV)/bin/ruff check -q --fix . || true
	@$(VENV)/bin/ruff format .

.PHONY: protos
protos: $(DEV_DONE) ## Generate Python from the protos (the result is committed)
	@.ci/protos protos
	@echo "generated beside $(words $(PROTOS)) proto files"

.PHONY: protos-freeze
protos-freeze: $(PAGES_DONE) ## Make today's protos the ones that later changes must stay compatible with
	@.ci/buf build -o protos/postern.binpb

.PHONY: lock
lock: $(DEV_DONE) ## Renew the requirement locks and package-lock.json from their sources
	@for name in runtime dev; do \
	  $(VENV)/bin/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 $$([ $$name = dev ] && echo -c requirements/runtime.txt) \
	    requirements/$$name.in -o requirements/$$name.txt; done
	@$(VENV)/bin/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
	  --python-version 3.11 -c requirements/runtime.txt requirements/runtime.in requirements/ray.in -o requirements/ray.txt
	@# torch's build for processors is on no package index: uv looks for it where pip was told to.
	@for pins in requirements/peers/*.in; do \
	  UV_FIND_LINKS="$${UV_FIND_LINKS:-$${PIP_FIND_LINKS:-}}" \
	    $(VENV)/bin/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 "$$pins" -o "$${pins%.in}.txt"; done
	@npm install --package-lock-only --no-audit --no-fund
	@git diff --stat -- requirements package-lock.json

.PHONY: clean
clean: ## Remove what was built or installed here (a demo's data too)
	@rm -rf $(VENV) build node_modules bench-results $(VENDOR) *.egg-info .mypy_cache .ruff_cache .pytest_cache \
	  .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
