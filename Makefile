# Nightlake's front door. `make` alone lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NIGHTLAKE := $(BIN)/nightlake

# A numeric library's own threads only get in each other's way: parallel work is by process.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup demo serve image soak bench bench-full torture test check lint types layers spelling docs night nights lightcurves matchfiles FORCE clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- environment ------------------------------------------------------------------------------

setup: $(VENV)/setup.stamp  ## Create the environment in .venv and compile the kernels into it

$(VENV)/setup.stamp: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nightlake needs Python 3.11 or newer: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[service]'
	$(BIN)/python -m ingest.compile
	$(BIN)/python -m products.canvas
	touch $@

$(VENV)/check.stamp: $(VENV)/setup.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[check]'
	touch $@

# --- the main job ------------------------------------------------------------------------------

demo: setup  ## Simulate eight nights, ingest them, and show light curves, a map and the report
	$(BIN)/python -m nightlake.demo demo

ARCHIVE_TO_SERVE = $(or $(ARCHIVE),demo/archive)

serve: setup  ## Serve an archive over HTTP, or else the demo's: ARCHIVE=folder PORT=8080
	@test -e $(ARCHIVE_TO_SERVE) || { echo 'There is no $(ARCHIVE_TO_SERVE): run make demo, or give ARCHIVE=folder.' >&2; exit 2; }
	$(NIGHTLAKE) serve $(ARCHIVE_TO_SERVE) $(if $(PORT),--port $(PORT))

# In docker's format: the other has no health checks, and podman would leave ours out.
image:  ## Build the service's container image, nightlake, with podman or docker
	@if command -v podman > /dev/null; then \
	  podman build --format docker -f deploy/Containerfile -t nightlake .; \
	elif command -v docker > /dev/null; then \
	  docker build -f deploy/Containerfile -t nightlake .; \
	else echo 'No image was built: there is neither podman nor docker here.' >&2; exit 2; fi

# --- rebuilds: only nights whose inputs or code changed -------------------------------------------
# make night NIGHT=2024-01-10 RAW=… ARCHIVE=…    make nights RAW=… ARCHIVE=… -j2
# METADATA=file gives what headers lack, as the option --metadata does; PRIOR=folder the priors of
# the scale check, as --prior does.

ifneq ($(filter night nights,$(MAKECMDGOALS)),)
ifeq ($(strip $(RAW)),)
$(error RAW is not set: make $(MAKECMDGOALS) RAW=folder-of-psfcats ARCHIVE=folder)
endif
ifeq ($(strip $(ARCHIVE)),)
$(error ARCHIVE is not set: make $(MAKECMDGOALS) RAW=folder-of-psfcats ARCHIVE=folder)
endif
endif
STAMPS := $(ARCHIVE)/make
GIVEN = $(if $(METADATA),--metadata $(METADATA)) $(if $(PRIOR),--prior $(PRIOR))

night: setup  ## Bring one night up to date: NIGHT=2024-01-10 RAW=folder ARCHIVE=folder
	$(if $(NIGHT),,$(error NIGHT is not set: make night NIGHT=2024-01-10 RAW=folder ARCHIVE=folder))
	@$(BIN)/python -m ingest.inputs $(ARCHIVE) $(RAW) --night $(NIGHT) $(GIVEN)
	@test ! -e $(STAMPS)/$(subst -,,$(NIGHT)).inputs || \
	$(MAKE) --no-print-directory $(STAMPS)/$(subst -,,$(NIGHT)).done RAW=$(RAW) ARCHIVE=$(ARCHIVE)

nights: setup  ## Bring every night of RAW up to date: RAW=folder ARCHIVE=folder
	@$(BIN)/python -m ingest.inputs $(ARCHIVE) $(RAW) $(GIVEN)
	@$(MAKE) --no-print-directory stamped-nights RAW=$(RAW) ARCHIVE=$(ARCHIVE)

.PHONY: stamped-nights
stamped-nights: $(patsubst %.inputs,%.done,$(wildcard $(STAMPS)/*.inputs))

# An .inputs file lists one night's files and what else it is made from; it is rewritten when they
# change.
# Exit codes 3 and 4 say that inputs were refused: that is recorded, and no reason to try again.
$(STAMPS)/%.done: $(STAMPS)/%.inputs
	@$(NIGHTLAKE) ingest $(ARCHIVE) --files-from $< $(GIVEN); \
	code=$$?; case $$code in 0|3|4) touch $@ ;; *) exit $$code ;; esac

lightcurves: setup  ## Bring light curves and objects up to date: ARCHIVE=folder
	$(if $(ARCHIVE),,$(error ARCHIVE is not set: make lightcurves ARCHIVE=folder))
	@$(NIGHTLAKE) build $(ARCHIVE) lightcurves

matchfiles: setup  ## Bring all matchfiles up to date: ARCHIVE=folder OUT=folder
	$(if $(ARCHIVE),,$(error ARCHIVE is not set: make matchfiles ARCHIVE=folder OUT=folder))
	@$(NIGHTLAKE) matchfiles $(ARCHIVE) $(if $(OUT),--out $(OUT))

# --- the gate ----------------------------------------------------------------------------------

test: $(VENV)/check.stamp  ## Run the tests
	$(BIN)/python -m pytest -n 2

check: lint types layers spelling test  ## Everything the gate runs: linters, types, layers, spelling, tests

lint: $(VENV)/check.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/check.stamp
	$(BIN)/mypy

layers: $(VENV)/check.stamp
	$(BIN)/lint-imports

spelling: $(VENV)/check.stamp
	$(BIN)/codespell $$(git ls-files)

torture: $(VENV)/check.stamp  ## Try to break the archive, for hours; refresh docs/guarantees.md
	PYTHONPATH=tests $(BIN)/python -m torture $(HARNESSES)

# --- benchmarks ---------------------------------------------------------------------------------

RESULTS := benchmarks/results
bench: $(VENV)/bench.stamp  ## Run the benchmarks at their small sizes; refresh docs/performance.md
	for subject in hjd secz scale fits match statistics objects ingest stages store lightcurve matchfile writers service; do \
	  $(BIN)/python -m benchmarks.$$subject --json $(RESULTS)/$$subject.json || exit 1; done
	$(BIN)/python -m benchmarks.page

soak: $(VENV)/bench.stamp  ## Load the service for five minutes while nights are published: SECONDS=300
	$(BIN)/python -m benchmarks.soak $(if $(SECONDS),--seconds $(SECONDS)) --json $(RESULTS)/soak.json
	$(BIN)/python -m benchmarks.page

bench-full: bench  ## Run the large sizes too: needs 40 GB of disk and half an hour
	$(BIN)/python -m benchmarks.store --rows 20000000 --json $(RESULTS)/store-20M.json
	$(BIN)/python -m benchmarks.match --rows 20000000 --json $(RESULTS)/match-20M.json
	$(BIN)/python -m benchmarks.service --requests 100000 --json $(RESULTS)/service-100k.json
	$(BIN)/python -m benchmarks.soak --json $(RESULTS)/soak.json
	for rows in 2000000 20000000 100000000; do \
	  $(BIN)/python -m benchmarks.scaling --rows $$rows --json $(RESULTS)/scaling-$$rows.json || exit 1; done
	$(BIN)/python -m benchmarks.page

$(VENV)/bench.stamp: $(VENV)/setup.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	touch $@

clean:  ## Remove the environment and the demo
	rm -rf $(VENV) demo
