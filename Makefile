PYTHON ?= python3

setup: .venv/ready

.venv/ready: pyproject.toml
	./setup.sh
	touch $@

test: setup
	.venv/bin/python -m pytest -q
