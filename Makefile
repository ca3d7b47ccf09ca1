# Written for GNU make 3.81 and newer, which is what macOS has.

# A python3.11 that runs, or else python3. Say `make lab PYTHON=...` for another one.
PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
PY := .venv/bin/python
TOO_OLD := sys.version_info < (3, 11)

# Where PyTorch comes from: `cpu`, PyTorch's own index of CPU builds (the default on Linux), or
# `default` and `cuda`, what pip finds without it (on Linux PyPI's build, several GB with CUDA).
TORCH ?= $(if $(filter Linux,$(shell uname -s)),cpu,default)
ifeq ($(filter cpu default cuda,$(TORCH)),)
$(error TORCH is cpu, default or cuda, not '$(TORCH)')
endif
CPU_INDEX := https://download.pytorch.org/whl/cpu
CPU_INDEX_ANSWERS := import urllib.request; urllib.request.urlopen("$(CPU_INDEX)/torch/", timeout=4)

# uv installs faster than pip, where it is there. `make lab UV=` does without it.
UV ?= $(shell command -v uv 2>/dev/null)
PIP_INSTALL := $(PY) -m pip install -qq --disable-pip-version-check -c constraints.txt
UV_INSTALL := $(UV) pip install -q --python $(PY) -c constraints.txt
ifneq ($(strip $(UV)),)
INSTALL = $(UV_INSTALL) $(1) || { echo "uv failed; pip installs instead."; $(PIP_INSTALL) $(1); }
FROM_CPU_INDEX := $(UV_INSTALL) --index-strategy unsafe-best-match --extra-index-url $(CPU_INDEX)
MAKE_VENV = $(UV) venv -q --seed --clear --python $(PYTHON) .venv || $(PYTHON) -m venv --clear .venv
else
INSTALL = $(PIP_INSTALL) $(1)
FROM_CPU_INDEX := $(PIP_INSTALL) --extra-index-url $(CPU_INDEX)
MAKE_VENV = $(PYTHON) -m venv --clear .venv
endif

# Without the CPU index pip installs torch, not uv: pip knows of indexes and folders set up for it.
ifeq ($(TORCH),cpu)
define INSTALL_TORCH
if ! $(PY) -c '$(CPU_INDEX_ANSWERS)' 2>/dev/null; then \
    echo "PyTorch's index of CPU builds does not answer: taking PyTorch as pip finds it."; \
    $(PIP_INSTALL) torch; \
elif ! $(FROM_CPU_INDEX) torch; then \
    echo "PyTorch's CPU build cannot be installed: taking PyTorch as pip finds it."; \
    $(PIP_INSTALL) torch; \
fi
endef
else
INSTALL_TORCH = $(call INSTALL,torch)
endif

LAB_EXTRAS := notebooks,metrics,films
LAB_STAMP := .venv/.lab-installed
TEST_STAMP := .venv/.test-installed
SETTINGS := .venv/share/jupyter/lab/settings/overrides.json
FIND_NOTEBOOKS := find notebooks -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*' | sort

# The kernel `python3` is this environment's, whatever else the user has installed.
export JUPYTER_PREFER_ENV_PATH := 1
unexport JUPYTER_PATH PYTHONPATH

# A folder that was moved or copied is installed anew: the stamp holds where it was.
ifneq ($(shell cat $(LAB_STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(LAB_STAMP)
endif

.PHONY: help lab test check stress notebooks picture evaluation reproduce mutants site clean
.DEFAULT_GOAL := help

help:
	@echo "make lab        install into .venv (first time only), then open the notebooks in JupyterLab"
	@echo "                PORT=8888   use this port            BROWSER=no  do not open a browser"
	@echo "                PYTHON=...  build .venv with this Python (3.11 or newer)"
	@echo "                TORCH=cuda  PyTorch as pip finds it (on Linux with CUDA), not its CPU build"
	@echo "make test       lint, types, all tests (a real browser, too), every notebook; then a table"
	@echo "make check      lint, types and the fast tests, in two minutes"
	@echo "make stress     the browser tests again and again, on a quiet, a busy and a slow machine"
	@echo "make notebooks  run every notebook and store its outputs"
	@echo "make picture    draw the picture of the README"
	@echo "make evaluation measure over hundreds of scenes again what the notebooks show (half an hour)"
	@echo "make reproduce  train the small networks of the paper in miniature again (half an hour or more)"
	@echo "make mutants    plant faults in the library; who sees them, the tests or the notebooks?"
	@echo "make site       the notebooks, executed, and the API as a website in build/site"
	@echo "                REPOSITORY=owner/name  where Binder's launch buttons lead"
	@echo "                SERVE=8000  then show it at http://localhost:8000"
	@echo "make clean      remove .venv and all caches"

# One thread a kernel: on a busy machine, threads that wait for one another take many times longer
# than they save.
lab: $(LAB_STAMP) $(SETTINGS)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
	    $(if $(PORT),--port=$(PORT) --ServerApp.port_retries=0) \
	    $(if $(filter no,$(BROWSER)),--no-browser) \
	    $(if $(filter 0,$(shell id -u)),--allow-root)

test: $(TEST_STAMP)
	@$(PY) tests/run_stages.py test

check: $(TEST_STAMP)
	@$(PY) tests/run_stages.py check

site-test: $(TEST_STAMP)
	@$(PY) tests/run_stages.py site-test

stress: $(TEST_STAMP)
	$(PY) tests/browser/stress.py

notebooks: $(TEST_STAMP)
	$(FIND_NOTEBOOKS) | xargs $(PY) -m lzu_viz.bench.run_notebooks

picture: $(LAB_STAMP)
	$(PY) -c 'from lzu_viz.datasets.scenes import SCENES; from lzu_viz.widgets import Explorer; \
	    Explorer(SCENES["temple"]()).still().save("notebooks/explorer.jpg", quality=90)'

evaluation: $(LAB_STAMP)
	$(PY) -m lzu_viz.experiments.frozen

reproduce: $(LAB_STAMP)
	$(PY) -m lzu_viz.experiments.reproduce

mutants: $(TEST_STAMP)
	cd tests && ../$(PY) -m mutants.run

site: $(TEST_STAMP)
	$(PY) -m docs $(if $(REPOSITORY),--repository $(REPOSITORY)) $(if $(SERVE),--serve $(SERVE))

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name .ipynb_checkpoints -prune -exec rm -rf {} +

# An environment that is there is kept if its Python is new enough and has pip.
$(LAB_STAMP): pyproject.toml constraints.txt
	@$(PY) -c 'import pip, sys; sys.exit($(TOO_OLD))' 2>/dev/null || { \
	    $(PYTHON) -c 'import sys; sys.exit($(TOO_OLD))' 2>/dev/null || { \
	        echo "lzu_viz needs Python 3.11 or newer, but '$(PYTHON)' is" \
	            "$$($(PYTHON) --version 2>/dev/null || echo not there)."; \
	        echo "Install one and name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; \
	        exit 1; }; \
	    echo "Making the environment .venv"; $(MAKE_VENV); }
	@echo "Installing lzu_viz and what it needs into .venv. The first time this takes some minutes:"
	@echo "with PyTorch for the CPU 300 MB to fetch and 1.3 GB on disk, with CUDA several GB."
	@$(INSTALL_TORCH)
	@$(call INSTALL,-e '.[$(LAB_EXTRAS)]')
	@echo "$(CURDIR)" > $@

$(TEST_STAMP): $(LAB_STAMP)
	@echo "Installing what the tests need."
	@$(call INSTALL,-e '.[test]')
	@touch $@

$(SETTINGS): binder/overrides.json $(LAB_STAMP)
	@mkdir -p $(@D)
	@cp $< $@
