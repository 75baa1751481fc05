# `make` lists the targets. Everything happens in .venv beside this file; PYTHON=… names another interpreter, PORT=… another port.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed
EXTRAS := notebook,fd,test

# A named interpreter is taken at its word; otherwise the first one that is new enough.
ifeq ($(origin PYTHON),file)
CANDIDATES := $(PYTHON) python3.14 python3.13 python3.12 python3.11
else
CANDIDATES := $(PYTHON)
endif
FIND_PYTHON = for python in $(CANDIDATES); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; \
		python=; \
	done; \
	if [ -z "$$python" ]; then \
		echo "lgq_explore needs Python 3.11 or newer; tried: $(CANDIDATES). Install one, or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; \
	fi

# One make at a time sets up $(VENV); another waits. The lock is a link whose target is the process that holds it, so that
# it is made and named in one step, and one whose process was killed is taken over. It goes when the shell of the recipe ends.
LOCK := $(VENV).lock
LOCKED = set -e; \
	until ln -sn "$$$$" $(LOCK) 2>/dev/null; do \
		if ! holder=$$(readlink $(LOCK)); then \
			[ -w . ] || { echo "$$PWD can't be written: no $(VENV) can be set up here." >&2; exit 1; }; \
		elif kill -0 "$$holder" 2>/dev/null; then \
			[ -n "$$told" ] || echo "Another make (process $$holder) is setting up $(VENV): waiting for it."; \
			told=yes; sleep 1; \
		else \
			rm -f $(LOCK); \
		fi; \
	done; \
	trap 'rm -f $(LOCK)' EXIT; \
	trap 'exit 130' HUP INT TERM

# A person watches 7 GB arrive; a log need not.
PIP := $(BIN)/python -m pip install $(if $(CI),--quiet)
SAY := $(if $(CI),:,echo)
# One thread each: most tests are too small to share out, and threads that wait for a busy core cost more than they bring.
# Two processes take a file at a time, in the order of tests/conftest.py instead of by number of tests. Hundreds of others
# import the package, which is compiled once if the environment does not forbid to keep what was compiled.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# No question about Jupyter's news over the notebook, and no call home.
NO_NEWS = $(BIN)/jupyter labextension disable --level=sys_prefix "@jupyterlab/apputils-extension:announcements" >/dev/null

# The first port from JupyterLab's own that nobody answers on, known beforehand so that the ssh line can name it.
FREE_PORT = from itertools import count; from socket import socket; \
	print(next(port for port in count(8888) if socket().connect_ex(("127.0.0.1", port))))

# The search that kaleido itself makes, BROWSER_PATH first.
HAS_BROWSER = from choreographer.browsers.chromium import Chromium; \
	raise SystemExit(not Chromium.find_browser(skip_local=False))

# A kernel that is shut down finishes the step of what it trains, and saves. Jupyter ends it by force after half of this.
SHUTDOWN_SECONDS = 60

.PHONY: help lab test test-fast lint notebooks gpu browser constraints clean

help:  ## list the targets
	@sed -n 's/^\([a-z][a-z-]*\):.*  ## /\1	/p' $(MAKEFILE_LIST) | awk -F '\t' '{ printf "make %-12s %s\n", $$1, $$2 }'

# The stamp goes before pip starts and comes back when pip is done: after an interrupted install the next make starts afresh.
# Where another make was waited for, it has done the work.
$(INSTALLED): pyproject.toml constraints.txt
	@$(LOCKED); \
	if [ -e $@ ] && [ ! pyproject.toml -nt $@ ] && [ ! constraints.txt -nt $@ ]; then \
		exit 0; \
	elif [ -e $@ ]; then \
		rm $@; \
	else \
		$(FIND_PYTHON); \
		echo "Setting up $(VENV) with $$("$$python" --version): some 7 GB, a few minutes."; \
		"$$python" -m venv --clear $(VENV); \
	fi; \
	$(SAY) "1 of 3: pip itself, since older ones show nothing while they unpack."; \
	$(PIP) --upgrade --constraint constraints.txt pip; \
	$(SAY) "2 of 3: the packages. pip first downloads all of them; then it unpacks them for two minutes or more, and only a terminal shows how far it is."; \
	$(PIP) --constraint constraints.txt --editable ".[$(EXTRAS)]"; \
	$(SAY) "3 of 3: JupyterLab's settings."; \
	$(NO_NEWS); \
	touch $@

lab: $(INSTALLED)  ## open JupyterLab on copies of the notebooks, in data/notebooks
	@$(BIN)/python -m notebooks.working_copies; \
	port=$(or $(PORT),$$($(BIN)/python -c '$(FREE_PORT)')); \
	if [ -z "$$SSH_CONNECTION" ] && { [ -n "$$DISPLAY$$WAYLAND_DISPLAY" ] || [ "$$(uname)" = Darwin ]; }; then \
		no_browser=; \
	else \
		no_browser=--no-browser; \
		echo "No display here: open the address that ends in a token, below, in a browser on this machine."; \
		echo "From another machine, first run there: ssh -N -L $$port:127.0.0.1:$$port $$(id -un)@$$(hostname)"; \
	fi; \
	exec $(BIN)/python -m jupyterlab --ip=127.0.0.1 --port=$$port --ServerApp.port_retries=0 --log-level=WARN \
		--LabApp.default_url=/lab/tree/data/notebooks/01_train_lgq.ipynb \
		--KernelManager.shutdown_wait_time=$(SHUTDOWN_SECONDS) \
		$$no_browser $$([ "$$(id -u)" != 0 ] || echo --allow-root)

test: $(INSTALLED) browser  ## run every test: unit, command line, browser, notebooks
	$(PYTEST) --nbval --nbval-current-env tests notebooks

test-fast: $(INSTALLED)  ## run the quick tests, without browsers and long training
	$(PYTEST) -m "not slow and not browser" tests

lint: $(INSTALLED)  ## check style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

notebooks: $(INSTALLED) browser  ## execute the notebooks and save them with outputs and PNGs
	$(BIN)/python -m notebooks.bake notebooks/*.ipynb

gpu: $(INSTALLED)  ## check and measure on an NVIDIA GPU, in ten minutes and without a network
	$(BIN)/python -m benchmarks.gpu $(if $(DATA),--data $(DATA)) $(if $(MINUTES),--minutes $(MINUTES))

browser: $(INSTALLED)
	@if $(BIN)/python -c '$(HAS_BROWSER)'; then \
		:; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium; \
	else \
		$(BIN)/playwright install chromium; \
	fi

constraints:  ## pin the newest versions that fit together
	@$(LOCKED); \
	$(FIND_PYTHON); "$$python" -m venv --clear $(VENV); \
	$(PIP) --upgrade pip; \
	$(PIP) --editable ".[$(EXTRAS)]"; \
	grep '^#' constraints.txt > $(VENV)/constraints.txt; \
	$(BIN)/python -m pip freeze --all --exclude-editable | grep -vE '^(cuda|nvidia|triton)' >> $(VENV)/constraints.txt; \
	mv $(VENV)/constraints.txt constraints.txt; \
	touch $(INSTALLED)

clean:  ## remove .venv, caches and build products; data and runs stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
	find lgq_explore tests -name __pycache__ -prune -exec rm -rf {} +
