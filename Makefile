# tillgate. `make` alone explains the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# What a person may want to change on the command line.
RUNFLAGS  ?=           # more flags for serve: make run RUNFLAGS='--http 127.0.0.1:9000'
TESTFLAGS ?=           # more flags for go test: make test TESTFLAGS='-run Hold -v'
PKG       ?= ./...     # packages to test, race and fuzz: make test PKG=./ledger/...
FUZZTIME  ?= 20s       # time for each fuzzer
BENCHFLAGS ?=          # more flags for tillbench
SEED      ?=           # the seed that a simulation begins with: make simulate SEED=7
SEEDS     ?= $(if $(strip $(SEED)),1,200) # how many it plays
MUTANTFLAGS ?=         # more flags for tillmutants: make mutants MUTANTFLAGS='--only switch'
REV       ?=           # revision to compare with: make bench-compare REV=main~5
BENCH     ?=           # micro-benchmarks to run: make bench-compare REV=HEAD BENCH=Evaluate
ROUNDS    ?= 6         # how often each of them is run, by turns; of make fire: rounds of faults, 200

# Comments after a value leave blanks in it.
override PKG := $(strip $(PKG))
override FUZZTIME := $(strip $(FUZZTIME))
override SEEDS := $(strip $(SEEDS))
override SEED := $(strip $(SEED))
override REV := $(strip $(REV))
# The hot path: codec, rules, decision, drain. Others compare with libraries.
override BENCH := $(or $(strip $(BENCH)),Codec/tillgate|Edge|TenLines$$|MatchRoute|Evaluate|Programmes|Authorize|Pair|LargeAccount|Account|Operation|Drain)
FIREROUNDS := $(if $(filter command environment,$(origin ROUNDS)),$(strip $(ROUNDS)),200)
override ROUNDS := $(strip $(ROUNDS))

LINT_VERSION := v2.15.0
LINT := bin/golangci-lint-$(LINT_VERSION)
LICENCES_VERSION := v1.6.0
LICENCES := bin/go-licenses-$(LICENCES_VERSION)
VULNCHECK_VERSION := v1.2.0
VULNCHECK := bin/govulncheck-$(VULNCHECK_VERSION)

BENCHSTAT_VERSION := v0.0.0-20260908200009-22c9c6c9d4da
BENCHSTAT := bin/benchstat-$(BENCHSTAT_VERSION)

.PHONY: help
help: ## explain the targets
	@echo 'usage: make TARGET'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo 'A fresh clone needs Go alone for run and build. For test, `make deps` gets Java and Maven.'

.PHONY: run
run: build ## build and serve everything in one process, data in ./data, loopback only
	bin/tillgate serve --dev $(RUNFLAGS)

.PHONY: build
build: ## build the programs into bin/
	@mkdir -p bin
	go build -trimpath -o bin/ ./cmd/...

# The services run for the tests, and are stopped afterwards if they were
# started here. The trap stops them after an interrupt, too.
define with_services
	@bin/tillservices status >/dev/null 2>&1 || { \
		trap 'bin/tillservices down >/dev/null' EXIT; \
		bin/tillservices up; \
	}; \
	$(1)
endef

.PHONY: test
test: deps bin/tillservices ## run all tests, with a real PostgreSQL and a real Kafka
	$(call with_services,go test -timeout 20m $(TESTFLAGS) $(PKG))

.PHONY: race
race: deps bin/tillservices ## run all tests under the race detector
	$(call with_services,go test -race -timeout 40m $(TESTFLAGS) $(PKG))

.PHONY: check
check: $(LINT) $(LICENCES) $(VULNCHECK) ## format, vet, lint, house rules, generated files, go.mod, licences, known vulnerabilities
	@echo 'gofmt'; unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
		if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	$(LINT) run ./...
	go test -count=1 ./docs
	.ci/generated
	@$(MAKE) --no-print-directory tidy-check
	@.ci/licences $(LICENCES)
	@.ci/vulnerabilities $(VULNCHECK)

.PHONY: fix
fix: $(LINT) ## format, and repair what the linters can repair
	$(LINT) run --fix $(PKG)

.PHONY: licences
licences: $(LICENCES) ## write docs/licences.md anew
	@.ci/licences $(LICENCES) --write

.PHONY: reproducible
reproducible: ## build twice in two places and compare the binaries
	@.ci/reproducible

.PHONY: tidy-check
tidy-check: ## say what `go mod tidy` would change
	go mod tidy -diff

.PHONY: fuzz
fuzz: ## run every fuzzer for FUZZTIME each
	@for package in $$(go list $(PKG)); do \
		for fuzzer in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$fuzzer"; \
			go test -run '^$$' -fuzz "^$$fuzzer\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5x $$package; \
		done; \
	done

.PHONY: simulate
simulate: ## play the whole server on a simulated disk, stream and clock: SEEDS=1000, or SEED=7 again
	TILLGATE_SEED=$(SEED) TILLGATE_SEEDS=$(SEEDS) \
		go test ./bench/simulate -run '^TestSimulation$$' -count=1 -timeout 120m -v

.PHONY: fire
fire: deps ## hit the built server with faults in the middle of load: ROUNDS=200, or SEED=7 again
	TILLGATE_SEED=$(SEED) TILLGATE_ROUNDS=$(FIREROUNDS) \
		go test ./bench/rig -run '^(TestUnderFire|TestAFullDiskLosesNothing)$$' -count=1 -timeout 120m -v

.PHONY: mutants
mutants: ## plant faults, one at a time, and prove that the tests find each; some ten minutes
	@go run ./cmd/tillmutants $(MUTANTFLAGS)

.PHONY: bench
bench: build ## measure the server against its baselines and goals; about ten minutes
	bin/tillbench $(BENCHFLAGS)

.PHONY: bench-quick
bench-quick: build ## the same in short, to see that it runs; under two minutes
	bin/tillbench --quick $(BENCHFLAGS)

.PHONY: bench-day
bench-day: build ## play a shop's day: throughput, latency against rate; about four minutes
	bin/tillbench day $(BENCHFLAGS)

.PHONY: bench-stream
bench-stream: build deps ## see whether Kafka and PostgreSQL keep up
	bin/tillbench stream $(BENCHFLAGS)

.PHONY: bench-micro
bench-micro: ## measure the components by themselves, with allocations
	go test -run '^$$' -bench . -benchmem $(PKG)

.PHONY: bench-compare
bench-compare: $(BENCHSTAT) ## compare the components with those of REV
	@.ci/bench-compare '$(BENCHSTAT)' '$(REV)' '$(BENCH)' '$(ROUNDS)'

.PHONY: demo
demo: build ## play a morning of several tills and a web shop
	bin/tillgate demo

.PHONY: services
services: deps bin/tillservices ## start a PostgreSQL and a Kafka for tests in the background
	@bin/tillservices up

.PHONY: services-stop
services-stop: bin/tillservices ## stop them
	@bin/tillservices down

.PHONY: deps
deps: ## install what the tests need and this machine misses
	@.ci/deps

.PHONY: clean
clean: services-stop ## remove what was built and the data of the services, not ./data
	rm -rf bin .services

# Built anew each time: Go knows itself whether it has to.
.PHONY: bin/tillservices
bin/tillservices:
	@mkdir -p bin
	@go build -o bin/tillservices ./cmd/tillservices

$(LINT):
	@mkdir -p bin
	@echo 'building golangci-lint $(LINT_VERSION), once'
	@GOBIN='$(CURDIR)/bin' go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv bin/golangci-lint $(LINT)

$(BENCHSTAT):
	@mkdir -p bin
	@echo 'building benchstat $(BENCHSTAT_VERSION), once'
	@GOBIN='$(CURDIR)/bin' go install golang.org/x/perf/cmd/benchstat@$(BENCHSTAT_VERSION)
	@mv bin/benchstat $(BENCHSTAT)

$(LICENCES):
	@mkdir -p bin
	@echo 'building go-licenses $(LICENCES_VERSION), once'
	@GOBIN='$(CURDIR)/bin' go install github.com/google/go-licenses@$(LICENCES_VERSION)
	@mv bin/go-licenses $(LICENCES)

$(VULNCHECK):
	@mkdir -p bin
	@echo 'building govulncheck $(VULNCHECK_VERSION), once'
	@GOBIN='$(CURDIR)/bin' go install golang.org/x/vuln/cmd/govulncheck@$(VULNCHECK_VERSION)
	@mv bin/govulncheck $(VULNCHECK)
