# Everything that is built, fetched or run lives below .work, which git ignores.
WORK := $(CURDIR)/.work
BIN  := $(WORK)/bin
export CGO_ENABLED := 0

.PHONY: help
help: ## Show what there is to make.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build
.PHONY: build
build: ## Build the product's binaries into .work/bin.
	go build -buildvcs=false -ldflags '-s -w' -o $(BIN)/ ./cmd/...

.PHONY: kube-binaries
kube-binaries: ## Build Kubernetes, containerd, CoreDNS and localkube from their Go modules.
	$(MAKE) -C hack/localkube BIN=$(BIN)

.PHONY: kubectl
kubectl: ## Build kubectl alone into .work/bin.
	$(MAKE) -C hack/localkube BIN=$(BIN) kube

.PHONY: mysql
mysql: ## Fetch MySQL from Debian's packages into .work/mysql (no root needed).
	go run ./hack/mysqltree --dir $(WORK)/mysql

##@ Run
# Says so before minutes of building, not after them.
.PHONY: root
root:
	@[ "$$(id -u)" = 0 ] || { echo 'make up needs root, for containers, their network and mounts: sudo env "PATH=$$PATH" make up'; \
	  echo 'As an ordinary user: make run, make test.'; exit 1; }

.PHONY: up
up: root build kube-binaries mysql ## A local Kubernetes with our API server, controller and an example cluster.
	$(BIN)/localkube up --work $(WORK) --repo $(CURDIR)

.PHONY: run
run: ## The API server alone on 127.0.0.1, for a first look with kubectl: no Kubernetes, no root.
	go build -buildvcs=false -ldflags '-s -w' -o $(BIN)/ ./cmd/apiserver
	@exec $(BIN)/apiserver standalone --data-dir $(WORK)/run

.PHONY: down
down: ## Stop it and leave nothing behind but what was built and fetched.
	@if [ -x $(BIN)/localkube ]; then $(BIN)/localkube down --work $(WORK); else echo "nothing to stop: localkube was never built here"; fi

.PHONY: clean
clean: down ## Remove all that was built and fetched, too.
	rm -rf $(WORK)

##@ Test
# Packages that are cheap enough to build a second time for the race detector. The rest links k8s.io/apiserver and etcd.
RACED := ./pkg/agent/... ./pkg/certs/... ./pkg/controller/... ./pkg/gtid/... ./pkg/mycnf/... ./pkg/mysqlversion/... ./pkg/topology/... ./pkg/workload/...
OTHERS = $(shell go list ./pkg/... ./cmd/... ./hack/... ./test/architecture/... | grep -vxF "$$(go list $(RACED))")
# They build programs of ours and run them: that a result is cached says nothing about those.
PROCESSES := -count=1 -timeout 30m
# The race detector needs a C compiler, which a machine for Go need not have.
CC_FOUND := $(shell command -v $(firstword $(CC)) 2>/dev/null)

.PHONY: test
test: mysql ## All tests that need neither root nor Kubernetes: real etcd, real mysqld, on loopback and in network namespaces.
ifeq ($(CC_FOUND),)
	@echo "no C compiler here: the tests run without the race detector (remedy: apt-get install gcc libc6-dev)"
	go test -timeout 20m $(RACED)
	go test $(PROCESSES) ./test/replication/...
else
	CGO_ENABLED=1 go test -race -timeout 20m $(RACED)
	CGO_ENABLED=1 go test -race $(PROCESSES) ./test/replication/...
endif
	go test -timeout 20m $(OTHERS)
	go test $(PROCESSES) ./test/chaos/...
	$(MAKE) -C hack/localkube test

.PHONY: e2e
e2e: up ## The whole product on the local Kubernetes (as root; starts it if need be).
	go test -count=1 -v -timeout 45m ./test/e2e/...

# Processes in network namespaces that the programs make: as root, or as an ordinary user where user namespaces are allowed.
ROUNDS ?= 20
SEED ?= 1
.PHONY: chaos
chaos: mysql ## Let everything go wrong with clusters of processes, and check what clients saw: make chaos ROUNDS=100 SEED=7.
	go run ./test/chaos/cmd/chaos --rounds $(ROUNDS) --seed $(SEED) --logs $(WORK)/chaos

.PHONY: bench-failover
bench-failover: ROUNDS = 50
bench-failover: mysql ## Measure how long writes are away when the primary is lost, beside bare MySQL: make bench-failover ROUNDS=50.
	go run ./test/chaos/cmd/bench --rounds $(ROUNDS) --logs $(WORK)/bench

.PHONY: verify
verify: verify-generated lint ## Check what needs no running: generated code, formatting, vet, static analysis, modules, imports.
	go mod tidy -diff
	go test -count=1 ./test/architecture/...

.PHONY: lint
lint: ## gofmt, vet and staticcheck.
	@unformatted="$$(gofmt -l cmd pkg hack test)"; if [ -n "$$unformatted" ]; then echo "gofmt would change: $$unformatted"; exit 1; fi
	go vet ./...
	cd hack/tools && go build -o $(BIN)/staticcheck honnef.co/go/tools/cmd/staticcheck
	$(BIN)/staticcheck $$(go list ./... | grep -v /pkg/generated/)

##@ Generated code
.PHONY: generate
generate: ## Regenerate all generated code (clients, OpenAPI, protobuf, validation and so on).
	go run ./hack/generate --work $(WORK)

.PHONY: verify-generated
verify-generated: ## Check that the generated code is up to date, and that no generator wrote into the module cache.
	go run ./hack/generate --work $(WORK) --verify
	go mod verify
	cd hack/tools && go mod verify
