# Everything that is done often, each by one word. `make help` lists the words.
#
# Nothing has to be prepared: each target first brings .venv up to date. What is up to date is remembered in
# .venv/.stamps, so that the second time costs nothing; `rm -r .venv` forgets it all.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3
VENV := .venv
STAMPS := $(VENV)/.stamps
LAB := labextension
BUNDLE := pyronb/labextension
LINK := $(VENV)/share/jupyter/labextensions/pyronb-lab

# The tools of the venv come first: npm's scripts call `jupyter-builder` by its bare name.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The caller's own Python must not reach into the venv.
unexport PYTHONPATH PYTHONHOME

# Only what is developed needs Node; 20 is the oldest that the bundler runs on.
NODE := $(shell node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null && command -v npm)
CHROMIUMS := chromium chromium-browser google-chrome

# Parts of `make test`, in its order: what fails fast comes first.
PARTS := lint types unit interop server slow labextension-test docs notebooks browser

# note PART TEXT: say that (some of) a part did not run. `make test` gathers the notes and repeats them at its end.
# some-tests PART ARGUMENTS: pytest, for which "no test was selected" (5) is a note rather than a failure.
define functions
note() { echo "$$1: $$2"; if [[ -n "$${PYRONB_NOTES:-}" ]]; then echo "$$1: $$2" >> "$$PYRONB_NOTES"; fi; }
some-tests() { local code=0; python -m pytest "$${@:2}" || code=$$?
    if [[ $$code == 5 ]]; then note "$$1" "there are no such tests yet"; else return $$code; fi; }
endef

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# ---------------------------------------------------------------------------------------------------- setting up

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "pyronb needs Python 3.10 or newer")'
	$(PYTHON) -m venv $(VENV)
	mkdir -p $(STAMPS)
	touch $@

# The install must not run npm: this machine may have no Node, and the bundle has a rule of its own (below). The
# build hook is told so, and the folder it would fill must exist. pip puts a copy of the bundle where JupyterLab looks;
# a link takes its place, so that a new build is seen at once. (The link goes first: pip must not write through it.)
$(STAMPS)/python: pyproject.toml $(wildcard jupyter-config/*/*.json) $(STAMPS)/venv
	@echo "make: installing pyronb and its tools into $(VENV)"
	rm -rf $(LINK)
	mkdir -p $(BUNDLE)
	HATCH_JUPYTER_BUILDER_SKIP_NPM=1 python -m pip install --quiet --editable '.[bench,docs,lab,test]'
	rm -rf $(LINK)
	mkdir -p $(dir $(LINK))
	ln -s ../../../../$(BUNDLE) $(LINK)
	touch $@

# npm writes this file last, so it tells whether node_modules is whole.
MODULES := $(LAB)/node_modules/.package-lock.json
$(MODULES): $(LAB)/package-lock.json
	@echo "make: installing the lab extension's tools (npm ci)"
	cd $(LAB)
	npm ci --no-audit --no-fund --loglevel=error
	touch node_modules/.package-lock.json

# Always the bundle that is shipped, so that what is tested is what users get. A development build (`npm run build`,
# `npm run watch`; it leaves a build_log.json) and a missing bundle count as out of date.
SOURCES := $(wildcard $(LAB)/package.json $(LAB)/tsconfig*.json) \
    $(shell find $(wildcard $(addprefix $(LAB)/,src schema style)) -type f 2>/dev/null)
STALE := $(if $(wildcard $(BUNDLE)/package.json),$(if $(wildcard $(BUNDLE)/build_log.json),always),always)
$(STAMPS)/bundle: $(SOURCES) $(MODULES) $(STALE) | $(STAMPS)/python
	@echo "make: building the lab extension"
	cd $(LAB)
	npm run --silent build:prod
	touch $(CURDIR)/$@

.PHONY: always
always:

.PHONY: venv
venv: $(STAMPS)/python

# The part of set-up that a machine may lack: without Node everything in Python still works.
.PHONY: modules bundle
ifeq ($(NODE),)
modules bundle: venv
	@$(functions)
	note labextension-test "no Node >= 20 on this machine: the panel of JupyterLab is not built, all else works"
else
modules: $(MODULES)
bundle: $(STAMPS)/bundle
endif

# A browser is a system package: installed when the user may, otherwise its tests are skipped, and say so.
.PHONY: chromium
chromium:
	@$(functions)
	if [[ -n "$${PYRONB_CHROMIUM:-}" ]] || command -v $(CHROMIUMS) > /dev/null; then exit 0; fi
	if ! command -v apt-get > /dev/null; then
	    note browser "no chromium, and no apt-get to install it with: its tests are skipped"; exit 0
	fi
	as_root=()
	if [[ $$(id -u) != 0 ]]; then
	    if ! sudo -n true 2> /dev/null; then
	        note browser "no chromium, and no right to install it (apt-get install chromium): its tests are skipped"
	        exit 0
	    fi
	    as_root=(sudo -n)
	fi
	echo "make: installing chromium"
	if ! { "$${as_root[@]}" apt-get update -qq && "$${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
	        apt-get install -y -qq chromium > /dev/null; }; then
	    note browser "chromium could not be installed: its tests are skipped"
	fi

.PHONY: setup
setup: venv bundle chromium ## bring .venv, the lab extension and the browser up to date

# ------------------------------------------------------------------------------------------------------- running

.PHONY: lab
lab: venv bundle ## JupyterLab with pyronb in it, e.g. make lab ARGS="--port 8890"
	@exec pyronb lab $(ARGS)

# ------------------------------------------------------------------------------------------------------- testing

# A part that fails does not keep the others from running; one line for each at the end.
.PHONY: test
test: ## everything below; what a change must pass
	@notes=$$(mktemp)
	trap 'rm -f "$$notes"' EXIT
	export PYRONB_NOTES=$$notes
	$(MAKE) --no-print-directory setup
	passed=0 failed=0 skipped=0 lines=()
	for part in $(PARTS); do
	    echo; echo "==== $$part"
	    begin=$$SECONDS
	    if ! $(MAKE) --no-print-directory $$part; then state=FAILED; failed=$$((failed + 1))
	    elif grep -q "^$$part: " "$$notes"; then state=skipped; skipped=$$((skipped + 1))
	    else state=ok; passed=$$((passed + 1)); fi
	    lines+=("$$(printf '%-18s %-8s %4d s' $$part $$state $$((SECONDS - begin)))")
	done
	echo; echo "==== summary"
	printf '%s\n' "$${lines[@]}"
	if [[ -s "$$notes" ]]; then echo; echo "!!!! NOT RUN:"; sort -u "$$notes" | sed 's/^/!!!! /'; fi
	echo
	echo "parts: $$passed passed, $$failed failed, $$skipped skipped"
	[[ $$failed == 0 ]]

.PHONY: lint
lint: venv modules ## ruff, codespell, and the lab extension's own linter
	@status=0
	ruff check . || status=1
	ruff format --check . || status=1
	codespell || status=1
	if [[ -n "$(NODE)" ]]; then npm run --silent --prefix $(LAB) lint || status=1; fi
	exit $$status

.PHONY: format
format: venv modules ## what lint asks for, as far as a tool can do it
	@ruff check --fix-only .
	ruff format .
	if [[ -n "$(NODE)" ]]; then npm run --silent --prefix $(LAB) format; fi

.PHONY: types
types: venv ## mypy, strict
	@mypy $(wildcard tests/typing) pyronb

HANDLERS := tests/jupyter/server
# How many tests run side by side, where they have nothing in common.
JOBS ?= 2

.PHONY: unit
unit: venv ## tests that need nothing but Python
	@$(functions)
	some-tests unit --numprocesses=$(JOBS) -m 'not (slow or interop or browser or notebooks)' --ignore=$(HANDLERS) $(ARGS)

.PHONY: interop
interop: venv ## against the real Pyro4 and Pyro5
	@$(functions)
	some-tests interop -m 'interop and not browser' $(ARGS)

.PHONY: server
server: venv ## handlers of the Jupyter server extension
	@$(functions)
	if [[ -d $(HANDLERS) ]]; then some-tests server -m 'not (slow or interop or browser)' $(HANDLERS) $(ARGS)
	else note server "there are no such tests yet"; fi

.PHONY: slow
slow: venv bundle ## packaging, and whatever else takes its time
	@$(functions)
	some-tests slow -m 'slow and not (interop or browser or notebooks)' $(ARGS)

.PHONY: labextension-test
labextension-test: modules ## the panel's logic, under node
	@$(functions)
	if [[ -n "$(NODE)" ]]; then npm test --silent --prefix $(LAB); fi

# Warnings are errors, so that a link that leads nowhere is one.
.PHONY: docs
docs: venv ## the site in build/docs: README, tutorials as they were run, reference
	@rm -rf build/docs
	sphinx-build -q -W --keep-going -b html -c docs -d build/doctrees . build/docs
	echo "make: build/docs/index.html"

# -W default: nbval and jupyter_client warn in ways that are not ours to mend, and the notebooks run in other processes.
# No sanitize.cfg, no sanitizing: a tree may have notebooks that need none.
.PHONY: notebooks
notebooks: venv ## execute notebooks/ and compare what comes out
	@$(functions)
	if compgen -G 'notebooks/*.ipynb' > /dev/null; then
	    sanitize=()
	    if [[ -e notebooks/sanitize.cfg ]]; then sanitize=(--nbval-sanitize-with notebooks/sanitize.cfg); fi
	    some-tests notebooks --nbval "$${sanitize[@]}" --nbval-current-env --nbval-cell-timeout=60 -W default \
	        --timeout=300 notebooks/ $(ARGS)
	else note notebooks "there are no notebooks yet"; fi
	python -m pytest -q -m notebooks $(ARGS) || [[ $$? == 5 ]]

.PHONY: tutorials
tutorials: venv ## run notebooks/ anew and keep what comes out, or ARGS="notebooks/03-names.ipynb"; not part of test
	@python -m tests.tutorials $(ARGS)

.PHONY: pictures
pictures: venv bundle chromium ## take the pictures of the README and the last tutorial anew; not part of test
	@python -m pytest -m browser --timeout=180 tests/browser/test_tutorial.py $(ARGS)
	cp tests/artifacts/browser/sidebar-*.png notebooks/images/

.PHONY: browser
browser: venv bundle chromium ## a real JupyterLab in a real browser
	@$(functions)
	some-tests browser -m browser --timeout=180 $(ARGS)

.PHONY: bench
bench: venv ## measure, in half an hour; two minutes with QUICK=1, more with ARGS="--help"; not part of test
	@python -m tests.bench $(if $(QUICK),--quick) $(ARGS)

.PHONY: soak
soak: venv ## full load for ten minutes, or MINUTES=2, while memory, files and threads are watched; not part of test
	@python -m tests.bench.soak $(if $(MINUTES),--minutes $(MINUTES)) $(ARGS)

# ----------------------------------------------------------------------------------------------------- releasing

# From nothing: whatever lies in the bundle's folder would be shipped, however old.
.PHONY: wheel
wheel: venv ## sdist and wheel in dist/, with a new bundle
	@rm -rf dist $(BUNDLE) $(STAMPS)/bundle
	mkdir -p $(BUNDLE)
	$(MAKE) --no-print-directory bundle
	python -m build --no-isolation
	ls -l dist

# What a user gets: nothing of this tree is at hand but the tutorial.
PYTHONS ?= python3.10 python3.11 python3.12 python3.13 python3.14
.PHONY: fresh
fresh: wheel ## install wheel and sdist with each of PYTHONS that there is, and run the first tutorial
	@work=$$(mktemp -d)
	trap 'rm -rf "$$work"' EXIT
	cp notebooks/01-first-steps.ipynb notebooks/sanitize.cfg "$$work"
	ran=0
	for python in $(PYTHONS); do
	    if ! $$python -c '' 2> /dev/null; then echo "fresh: $$python is not there"; continue; fi
	    for built in dist/*.whl dist/*.tar.gz; do
	        echo "fresh: $$($$python --version), $${built#dist/}"
	        $$python -m venv --clear "$$work/venv"
	        "$$work/venv/bin/python" -m pip install --quiet "$$built[lab]" nbval
	        (cd "$$work" && PATH=$$work/venv/bin:$$PATH venv/bin/python -m pytest -q -p no:cacheprovider --nbval \
	            --nbval-sanitize-with sanitize.cfg --nbval-current-env -W default 01-first-steps.ipynb)
	        ran=$$((ran + 1))
	    done
	done
	[[ $$ran != 0 ]]

.PHONY: clean
clean: ## remove what was built, keep .venv and node_modules
	@rm -rf build dist $(BUNDLE) $(STAMPS)/bundle $(LAB)/lib $(LAB)/*.tsbuildinfo tests/artifacts
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	mkdir -p $(BUNDLE)
	find pyronb tests -name __pycache__ -prune -exec rm -rf {} +
