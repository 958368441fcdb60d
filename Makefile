# `make` lists what there is. Everything can be run twice; nothing needs to be run in an order.
PYTHON ?= python3
BIN := .venv/bin
BED := $(BIN)/python -m tests.cluster.bed
PACKAGES := cdi importer cloner uploadproxy storageprofiles
export PYTHON

.DEFAULT_GOAL := help
.NOTPARALLEL: # one .venv, one cluster

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what the command needs; leaves .venv/bin/cdi
	@requirements/setup.sh runtime

setup-test: ## install what the tests need as well
	@requirements/setup.sh test

setup-cluster: ## install what the test cluster needs as well: the first time takes half an hour
	@requirements/setup.sh cluster

run: ## import a real bootable disk over HTTP, check it, boot it (SOURCE=https://... imports yours)
	@requirements/setup.sh demo
	@examples/run.sh $(if $(value SOURCE),'$(subst ','\'',$(value SOURCE))')

test: setup-cluster lint ## lint, all fast tests and one slice of the long ones (SLICE=0..3 or all), on a cluster too
	@$(BED) during $(BIN)/pytest -n 4 --tell-flakes tests

test-cluster: setup-cluster ## the tests on the test cluster only, 4 at a time
	@$(BED) during $(BIN)/pytest -n 4 tests/cluster

unit: setup-test ## the pure tests only: < 20 s
	@$(BIN)/pytest -q -n 2 tests/unit

lint: setup-test ## style, types, layers, generated files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m cdi.base.faults | diff -u docs/errors.md - || { echo "docs/errors.md is out of date: make generate"; exit 1; }
	@$(BIN)/python -m cdi.api.crd | diff -u deploy/crds.yaml - || { echo "deploy/crds.yaml is out of date: make generate"; exit 1; }
	@$(BIN)/python -m cdi.operator.manifests | diff -u deploy/cdi.yaml - || { echo "deploy/cdi.yaml is out of date: make generate"; exit 1; }

generate: setup ## write the generated files
	@$(BIN)/python -m cdi.base.faults > docs/errors.md
	@$(BIN)/python -m cdi.api.crd > deploy/crds.yaml
	@$(BIN)/python -m cdi.operator.manifests > deploy/cdi.yaml

format: setup-test ## let ruff format and fix what it can
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

fuzz: setup-test ## fuzz every parser for longer (FUZZ_SECONDS=600 each), kill imports more often (FUZZ_KILLS=500)
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),600) FUZZ_KILLS=$(or $(FUZZ_KILLS),500) SLICE=all $(BIN)/pytest --timeout=0 tests/fuzz

bench: setup-test ## measure against curl, qemu-img, nbdcopy: docs/performance.md
	@$(BIN)/python -m tests.bench

bench-cluster: setup-cluster ## measure create to Succeeded on the test cluster, against a pod that does nothing
	@$(BED) during $(BED) exec $(BIN)/python -m tests.bench.onacluster

tools: ## build the Go programs of the tests: servers and a Kubernetes (25 minutes, once)
	@requirements/go.sh cluster

cluster-up: setup-cluster ## start the test cluster: a real Kubernetes in a network namespace (tests/cluster/bed/README.md)
	@$(BED) up

cluster-down: ## end it; nothing of it is left but the cache
	@$(BED) down

cluster-exec: ## run CMD="..." inside its network namespace, with KUBECONFIG and kubectl
	@$(BED) exec sh -c '$(subst ','\'',$(value CMD))'

cluster-kubeconfig: ## print the path of its kubeconfig
	@$(BED) kubeconfig

kubectl: ## kubectl ARGS="..." on the test cluster
	@$(BED) kubectl $(value ARGS)

install: ## install this project in the test cluster: its image and deploy/cdi.yaml
	@$(BED) install

lock: ## write requirements/*.lock from pyproject.toml (UPGRADE=1: newest versions)
	@requirements/lock.sh

image: ## build the container image (needs docker or podman)
	@$$(command -v podman || command -v docker) build -t cdi .

clean: ## remove everything that was made here
	@rm -rf .venv .run build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -prune -exec rm -rf {} +

.PHONY: help setup setup-test setup-cluster run test test-cluster unit lint generate format fuzz bench bench-cluster tools lock image clean \
	cluster-up cluster-down cluster-exec cluster-kubeconfig kubectl install
