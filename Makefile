# Each target sets up what it needs first; docs/CONTRIBUTING.md tells what and why.
# Another interpreter:  make test PYTHON=python3.12  (.venv is then made anew with it)

PYTHON ?= python3

.PHONY: help run test check movie clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1	/p' Makefile

run: ## set up and play the demonstration movie
	@"$(PYTHON)" tools/setup.py run

test: ## set up and run every check and every test, real peers included
	@"$(PYTHON)" tools/setup.py test

check: ## set up and run the quick ones: format, lint, types, unit tests
	@"$(PYTHON)" tools/setup.py check

movie: ## make movie.Mjpeg anew
	@"$(PYTHON)" tools/setup.py movie

clean: ## remove .venv, caches and whatever else was made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
