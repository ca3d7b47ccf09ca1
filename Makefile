# Written for GNU make 3.81 and newer, which is what macOS has.

# A python3.11 that runs, or else python3. Say `make lab PYTHON=...` for another one.
PYTHON ?= $(shell python3.11 -c 'print("python3.11")' 2>/dev/null || echo python3)
PY := .venv/bin/python
TOO_OLD := sys.version_info < (3, 11)
PIP_INSTALL := $(PY) -m pip install -qq --disable-pip-version-check -c constraints.txt
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

.PHONY: help lab test notebooks picture evaluation reproduce mutants site clean
.DEFAULT_GOAL := help

help:
	@echo "make lab        install into .venv (first time only), then open the notebooks in JupyterLab"
	@echo "                PORT=8888   use this port            BROWSER=no  do not open a browser"
	@echo "                PYTHON=...  build .venv with this Python (3.11 or newer)"
	@echo "make test       ruff, mypy, oxlint, pytest (with the browser tests), then every notebook"
	@echo "make notebooks  run every notebook and store its outputs"
	@echo "make picture    draw the picture of the README"
	@echo "make evaluation measure over hundreds of scenes again what the notebooks show (half an hour)"
	@echo "make reproduce  train the small networks of the paper in miniature again (half an hour or more)"
	@echo "make mutants    plant faults in the library; who sees them, the tests or the notebooks?"
	@echo "make site       the notebooks, executed, and the API as a website in build/site"
	@echo "                REPOSITORY=owner/name  where Binder's launch buttons lead"
	@echo "make clean      remove .venv and all caches"

lab: $(LAB_STAMP) $(SETTINGS)
	$(PY) -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb \
	    $(if $(PORT),--port=$(PORT) --ServerApp.port_retries=0) \
	    $(if $(filter no,$(BROWSER)),--no-browser) \
	    $(if $(filter 0,$(shell id -u)),--allow-root)

# One thread a kernel: on few cores, threads that wait for one another take longer than they save.
test: $(TEST_STAMP)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	.venv/bin/oxlint lzu_viz tests
	$(PY) -m pytest
	OMP_NUM_THREADS=1 $(PY) -m pytest --nbval-lax notebooks

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
	$(PY) tests/mutants/run.py

site: $(TEST_STAMP)
	$(PY) -m lzu_viz.site $(if $(REPOSITORY),--repository $(REPOSITORY))

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
	    echo "Making the environment .venv"; $(PYTHON) -m venv --clear .venv; }
	@echo "Installing lzu_viz and what it needs into .venv. The first time this takes some minutes:"
	@echo "with PyTorch for the CPU 300 MB to fetch and 1.3 GB on disk, with CUDA several GB."
	@$(PIP_INSTALL) -e .
	@echo "$(CURDIR)" > $@

$(TEST_STAMP): $(LAB_STAMP)
	@echo "Installing what the tests need."
	@$(PIP_INSTALL) -e '.[test]'
	@touch $@

$(SETTINGS): binder/overrides.json $(LAB_STAMP)
	@mkdir -p $(@D)
	@cp $< $@
