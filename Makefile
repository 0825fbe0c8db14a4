# ovnbgp: build, check, and the lab. `make help` lists the targets.

GO ?= go
BIN := bin
LABTEST := $(BIN)/labtest
# Packages whose tests need the lab's kernel, or its fabric.
GUESTTESTS := internal/client/netlink internal/apply/kernel internal/agent internal/lab \
	internal/lab/e2e
# Version of the binary: the tag, else the commit.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION)
# The lab's options: SPEAKER=embedded runs nodes without FRR; MIRROR names a Debian mirror where the host's own has no newer suites.
LABFLAGS := $(if $(MIRROR),--mirror $(MIRROR)) $(if $(SPEAKER),--speaker $(SPEAKER) --fresh)

export CGO_ENABLED = 0

.DEFAULT_GOAL := all
.PHONY: all help build vet lint unit test measure failover frr-newest side-by-side embedded race generate lab lab-down labtest deps man clean

all: build vet lint unit ## build, vet, lint, unit tests

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

build: ## the binary, in bin/
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ovnbgp ./cmd/ovnbgp

vet: ## go vet
	$(GO) vet ./...

lint: ## golangci-lint, built from tools/lint at its pinned version
	$(GO) tool -modfile tools/lint/go.mod golangci-lint run

unit: ## tests that need no lab
	$(GO) test ./...

test: deps build labtest ## everything, the lab's end-to-end scripts too: what CI runs
	$(GO) tool -modfile tools/go.mod gotestsum --format pkgname --raw-command -- scripts/test-all; \
		code=$$?; sed 's/^FIGURE //' $(BIN)/test-report; exit $$code

measure: build labtest ## the agent's latencies, CPU and memory in the lab (about six minutes)
	$(BIN)/ovnbgp lab up --name measure --fresh --files $(LABTEST)
	$(BIN)/ovnbgp lab run --name measure host -- env -C /lab/files/e2e OVNBGP_GUEST=1 \
		./run -test.v -test.timeout=30m -test.run TestBenchmark -measure -patience 2m; \
		code=$$?; $(BIN)/ovnbgp lab down --name measure; exit $$code

failover: deps ## failures and recoveries of BGP sessions, beside what is promised (root; some minutes)
	$(GO) test -count=1 -timeout 60m ./internal/conformance -run TestFailover -measure -v

# Not of `make test`: sid moves, and what it brings is to be met when somebody has the time for it. FRR_SUITE names another suite.
FRR_SUITE ?= sid
FRRTESTS := ./internal/apply/frr/... ./internal/apply/gobgp/... ./internal/client/vty/... ./internal/source/zebra/... ./internal/conformance/...

frr-newest: deps ## tests with FRR's daemons, with the FRR of Debian sid in a tree of its own (root; a quarter of an hour)
	root=$$($(if $(MIRROR),MIRROR=$(MIRROR)) scripts/frr-root $(FRR_SUITE)) && \
		OVNBGP_FRR_ROOT=$$root $(GO) test -count=1 -p 1 -timeout 40m $(FRRTESTS)

side-by-side: build labtest ## the Python agent and ours take a node over from one another (minutes: Python is slow there)
	$(BIN)/ovnbgp lab up --name sides --fresh --with old-agent --files $(LABTEST)
	$(BIN)/ovnbgp lab run --name sides host -- env -C /lab/files/e2e OVNBGP_GUEST=1 \
		./run -test.v -test.timeout=60m -test.run TestScripts -slow -patience 2m; \
		code=$$?; $(BIN)/ovnbgp lab down --name sides; exit $$code

embedded: build labtest ## the end-to-end scripts in a lab whose nodes have no FRR: agents speak BGP (a quarter of an hour)
	$(BIN)/ovnbgp lab up --name embedded --speaker embedded --fresh --files $(LABTEST)
	$(BIN)/ovnbgp lab run --name embedded host -- env -C /lab/files/e2e OVNBGP_GUEST=1 \
		./run -test.v -test.timeout=40m -test.run TestScripts; \
		code=$$?; $(BIN)/ovnbgp lab down --name embedded; exit $$code

race: ## unit tests under the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

generate: ## what is made from something else: OVSDB rows, reference configuration, man pages
	$(GO) generate ./...

lab: build ## boot a fabric on this machine and show it announcing (root; see also lab-down)
	$(BIN)/ovnbgp lab up $(LABFLAGS)

lab-down: build ## end the lab
	$(BIN)/ovnbgp lab down

labtest: ## test binaries that run inside the lab's guest
	rm -rf $(LABTEST)
	for dir in $(GUESTTESTS); do \
		mkdir -p $(LABTEST)/$$(basename $$dir) && \
		$(GO) test -c -trimpath -o $(LABTEST)/$$(basename $$dir)/run ./$$dir && \
		if [ -d $$dir/testdata ]; then cp -r $$dir/testdata $(LABTEST)/$$(basename $$dir)/; fi || exit 1; \
	done

deps: ## Debian packages that the tests run against (root)
	scripts/install-deps

man: build ## man pages, in bin/man
	$(BIN)/ovnbgp man $(BIN)/man

clean: ## remove what was built
	rm -rf $(BIN)
