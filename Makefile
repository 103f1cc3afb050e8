# What a person needs: `make run`, `make test`. The rest is for people who work on the package.

SWIFT ?= swift
CONFIGURATION ?= debug

.DEFAULT_GOAL := help
.PHONY: help setup build run test test-cgroup2 test-ceph bench docs format check

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the system packages that are missing (Debian and Ubuntu), or name them.
	@dev/setup

build: setup ## Build everything.
	$(SWIFT) build -c $(CONFIGURATION)

run: ## Start the platform with the guestbook deployed to it; Ctrl-C ends it.
	@dev/setup
	@dev/run $(CONFIGURATION)

test: ## Build and run every test.
	@dev/setup --tests
	@dev/test

test-cgroup2: ## Run the tests of limits in a guest with control groups of version 2 alone.
	@dev/cgroup2

test-ceph: ## Run the tests of S3 against Ceph's object gateway (Debian and Ubuntu).
	@dev/setup --ceph
	@dev/ceph

bench: ## Run the benchmarks, beside their peers where those are installed.
	@dev/setup --benchmarks
	@dev/bench

docs: ## Build the documentation of every library into .docs/.
	@dev/docs

format: ## Format all sources.
	$(SWIFT) format -i -r Sources Tests Examples Package.swift Fuzz/Sources Fuzz/Package.swift

check: ## Everything that a change must pass: tests, format, documentation.
	@.ci/run
