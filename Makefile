# Each target sets up what it needs first; docs/CONTRIBUTING.md tells what and why.
# Another interpreter:  make test PYTHON=python3.12  (.venv is then made anew with it)

PYTHON ?= python3
SECONDS ?= 60
MINUTES ?= 5
# exec: what stops make then stops the player, not just the shell between them.
SETUP = exec "$(PYTHON)" tools/setup.py

.PHONY: help run test check movie bench fuzz soak grade-soak clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile

run: ## set up and play the demonstration movie
	@$(SETUP) run

test: ## set up and run every check and every test, real peers included
	@$(SETUP) test

check: ## set up and run the quick ones: format, lint, types, unit tests
	@$(SETUP) check

movie: ## make movie.Mjpeg anew
	@$(SETUP) movie

bench: ## measure our server beside others (takes minutes; wants an idle machine)
	@$(SETUP) bench

fuzz: ## look for input that breaks our code, SECONDS=60 for each target, or TARGET=name alone
	@$(SETUP) fuzz $(SECONDS) $(TARGET)

soak: ## 50 viewers, some of them hostile, for MINUTES=5; the same ones again with SEED=number
	@$(SETUP) soak $(MINUTES) $(SEED)

grade-soak: ## grade the textbook a hundred times on a busy machine, and ours twenty times
	@$(SETUP) grade-soak

clean: ## remove .venv, caches and whatever else was made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
