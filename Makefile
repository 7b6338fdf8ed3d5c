# Goldentime. `make help` lists what there is.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
PROGRAMS := -p goldentime-agent -p goldentime-central -p goldentime-shop

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z%-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## Build all, start a shop with central and agent, break it, and show the page arriving
	@scripts/setup demo
	$(MAKE) --no-print-directory dashboard
	$(CARGO) build $(PROGRAMS) --bins
	@$${CARGO_TARGET_DIR:-target}/debug/goldentime-demo

.PHONY: demo-cluster
demo-cluster: ## The same with two centrals over a real Kafka, Redis, PostgreSQL and Elasticsearch
	@scripts/setup demo
	@scripts/setup services
	$(MAKE) --no-print-directory dashboard
	$(CARGO) build $(PROGRAMS) --bins
	@$${CARGO_TARGET_DIR:-target}/debug/goldentime-demo --cluster

.PHONY: test
test: ## Every unit and conformance test, one end-to-end run a path, a browser smoke test
	@scripts/setup $(if $(GOLDENTIME_TEST_FULL),test-full,test)
	$(MAKE) --no-print-directory lint dashboard-test
	$(CARGO) build --workspace --all-targets
	$(CARGO) test --workspace
	cd central/dashboard && npm run --silent smoke

.PHONY: test-full
test-full: export GOLDENTIME_TEST_FULL := 1
test-full: test ## The same with long fault matrices, packages in a fresh Debian, images, chart, all screenshots
	cd central/dashboard && npm run --silent screenshots
	export GOLDENTIME_BIN_DIR=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/debug; \
	  tests/services.sh && tests/packaging/manifests.sh && tests/packaging/images.sh

.PHONY: lint
lint: dashboard shell-lint ## Formatting and lints of the whole tree
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings

.PHONY: shell-lint
shell-lint: ## Lints of the shell scripts alone
	@scripts/setup lint
	shellcheck --external-sources --check-sourced .ci/run scripts/setup scripts/dist scripts/services \
	  tests/*.sh tests/packaging/*.sh packaging/container/compose/make-secrets packaging/deb/*/p*
	shellcheck --shell sh packaging/rpm/*/p*

FUZZ_TARGETS := sketch_wire sketch_state sketch_operations frames record config lines datagrams
SECONDS ?= 60
FUZZ := $(CARGO) +nightly fuzz

.PHONY: fuzz
fuzz: ## Fuzz every decoder and parser, SECONDS=n each (needs nightly Rust and cargo-fuzz)
	@scripts/setup fuzz
	$(FUZZ) build --fuzz-dir tests/fuzz --sanitizer none --target-dir target/fuzz
	@for target in $(FUZZ_TARGETS); do \
	  seeds=tests/fuzz/seeds/$$target; [ $$target = config ] && seeds=packaging/config; \
	  mkdir -p target/fuzz-corpus/$$target; \
	  [ -d $$seeds ] || seeds=; \
	  echo "== $$target"; \
	  $(FUZZ) run --fuzz-dir tests/fuzz --sanitizer none --target-dir target/fuzz $$target \
	    $(CURDIR)/target/fuzz-corpus/$$target $${seeds:+$(CURDIR)/$$seeds} \
	    -- -max_total_time=$(SECONDS) -rss_limit_mb=1024 -timeout=5 -print_final_stats=1 -verbosity=0; \
	done

.PHONY: dashboard
dashboard: ## Build the dashboard that the central carries
	@scripts/setup dashboard
	cd central/dashboard && npm run --silent build

.PHONY: dashboard-test
dashboard-test: dashboard ## Types, lints and unit tests of the dashboard
	cd central/dashboard && npm run --silent lint && npm run --silent test

.PHONY: docs
docs: ## Write the generated references anew
	UPDATE=1 $(CARGO) test -p goldentime-model -p goldentime-agent -p goldentime-central \
	  --test indicator_schema --test reference generated_

bench-%: ## Run one benchmark: sketch, alert, agent, statsd, central, cluster, series, search, fleet, detect (RUNS=n shortens or lengthens it)
	@scripts/setup bench
	$(CARGO) build --release $(PROGRAMS) -p goldentime-perf --bins
	@GOLDENTIME_BIN_DIR=$(CURDIR)/target/release target/release/bench-$*

.PHONY: bench-sketch
bench-sketch: ## The sketch beside DDSketch and HDR histogram
	@scripts/setup bench
	$(CARGO) bench -p goldentime-sketch --bench sketch

.PHONY: dist
dist: ## Deb and rpm of agent and central, their programs and checksums, in target/dist
	@scripts/setup dist
	$(MAKE) --no-print-directory dashboard
	$(CARGO) build --release -p goldentime-agent -p goldentime-central --bins
	@scripts/dist

.PHONY: clean
clean: ## Remove everything that was built
	$(CARGO) clean
	rm -rf central/dashboard/dist central/dashboard/node_modules
