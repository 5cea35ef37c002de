# One command for each thing that people do here; each prepares what it needs first.
TOOLS := .tools
UV    := $(shell command -v uv 2>/dev/null || echo $(TOOLS)/bin/uv)
VENV  := .venv/.installed
PY    := .venv/bin/python
ARGS  ?=

.PHONY: install demo up test check audit fuzz mutants simulate chaos races seeded-bugs format bench docs docs-site clean

install: $(VENV)

$(TOOLS)/bin/uv:
	python3 -m venv --without-pip $(TOOLS)
	python3 -m pip --python $(TOOLS)/bin/python install --quiet uv

$(VENV): pyproject.toml uv.lock | $(if $(findstring $(TOOLS),$(UV)),$(TOOLS)/bin/uv)
	$(UV) sync --frozen --quiet
	@touch $(VENV)

demo: install
	.venv/bin/promotion demo $(ARGS)

up: install
	.venv/bin/promotion up $(ARGS)

test: install
	$(PY) -m pytest $(ARGS)

check: install
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

audit: install
	$(PY) .ci/audit

fuzz: install
	$(PY) -m tests.fuzz $(ARGS)

mutants: install
	$(PY) -m tests.mutation $(ARGS)

simulate: install
	PYTHONHASHSEED=0 $(PY) -m tests.simulation $(ARGS)

chaos: install
	$(PY) -m tests.chaos $(ARGS)

races: install
	$(PY) -m tests.races $(ARGS)

seeded-bugs: install
	$(PY) -m tests.seeded_bugs $(ARGS)

format: install
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

bench: install
	$(PY) -m bench $(ARGS)

docs: install
	$(PY) -m docs.generate $(ARGS)

docs-site: install
	$(UV) sync --frozen --quiet --inexact --group docs-site
	NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict --quiet $(ARGS)

clean:
	rm -rf .venv .tools
