.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
# Test files are shared out among this many processes, in their order: the longest are no longer the last ones then.
WORKERS ?= 2
export PYTHONUNBUFFERED = 1
# Threads that wait by spinning slow one another down where several processes compute.
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: help demo app test real lint bench clean

help:  ## List what can be made.
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

.venv/run.stamp: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

.venv/dev.stamp: .venv/run.stamp requirements-dev.txt requirements-oracles.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r requirements-oracles.txt
	touch $@

demo: .venv/run.stamp  ## Run all five stages on the bundled sample, then open the dashboard on the result.
	$(BIN)/lmcore demo
	@if [ -z "$$CI" ] && [ -t 1 ]; then exec $(MAKE) --no-print-directory app; fi

app: .venv/run.stamp  ## Open the dashboard.
	$(BIN)/streamlit run Home.py --server.address localhost

test: .venv/dev.stamp  ## Lint, check types and run every test.
	@sh tests/browser/install-chromium.sh
	$(MAKE) --no-print-directory lint
	$(BIN)/coverage erase
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=90

real: .venv/dev.stamp  ## Train every task on public research data and from the browser (hours), and write the table in docs.
	LMSCOPE_REAL=1 $(BIN)/python -m pytest tests/real tests/faults/test_saving.py tests/browser/test_tasks.py
	$(BIN)/python -m docs.real

lint: .venv/dev.stamp  ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/dev.stamp  ## Measure against peers, side by side in one run.
	$(BIN)/python -m benchmarks.analysis
	$(BIN)/python -m benchmarks.serving
	$(BIN)/python -m benchmarks.training

clean:  ## Delete the environment and caches (never the workspace).
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.* build *.egg-info
