# The few commands people type; README and .ci/run have the same ones. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help install size test ci docs format clean

help: ## List the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

size: ## Install into .venv and answer examples/kunlun-30k.toml
	python3 -m venv .venv && .venv/bin/pip install -q -e . && .venv/bin/planner size examples/kunlun-30k.toml

test: ## Install with the development tools and run the whole test suite
	python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && cargo test -q --locked -p planner-core && .venv/bin/python -m pytest

install: ## Rebuild the core and install with the development tools
	python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]'

ci: ## Every check that a change must pass
	.ci/run

docs: ## Put real output into the generated blocks of README and docs
	.venv/bin/python docs/regenerate.py

format: ## Format and lint what can be mended by a machine
	cargo fmt --all
	.venv/bin/ruff check -q --fix .
	.venv/bin/ruff format -q .

clean: ## Remove what builds leave behind
	rm -rf target dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks .import_linter_cache
