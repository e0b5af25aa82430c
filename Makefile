# Everything that is built, fetched or run lives below .work, which git ignores.
WORK := $(CURDIR)/.work
BIN  := $(WORK)/bin
export CGO_ENABLED := 0

.PHONY: all
all: build

##@ Build
.PHONY: build
build: ## Build the product's binaries into .work/bin.
	go build -ldflags '-s -w' -o $(BIN)/ ./cmd/...

.PHONY: kube-binaries
kube-binaries: ## Build Kubernetes, containerd, CoreDNS and localkube from their Go modules.
	$(MAKE) -C hack/localkube BIN=$(BIN)

.PHONY: mysql
mysql: ## Fetch MySQL from Debian's packages into .work/mysql (no root needed).
	go run ./hack/mysqltree --dir $(WORK)/mysql

##@ Run
.PHONY: up
up: build kube-binaries mysql ## A local Kubernetes with our API server, controller and an example cluster.
	$(BIN)/localkube up --work $(WORK) --repo $(CURDIR)

.PHONY: down
down: ## Stop it and leave nothing behind.
	$(BIN)/localkube down --work $(WORK)
