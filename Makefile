# "make help" lists the targets that you can run. The build-… targets are for "sam build".
.DEFAULT_GOAL := help
.PHONY: help local test lint ci

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

local: ## run asanaauth and an offline Asana on this machine
	go run ./cmd/asanaauth local

test: ## run the quick tests, which need only Go
	go test -short ./...

lint: ## check formatting, go vet, staticcheck and the workflow
	.ci/lint

ci: ## run everything that must pass before a change is merged
	.ci/run

# "sam build" runs the target build-LOGICALID for each function. It sets ARTIFACTS_DIR.
#
# The flags -s and -w and the tag lambda.norpc make the binary smaller, so that Lambda
# starts it sooner. With -trimpath, the binary does not contain paths of the build
# machine. sam does not pass the architecture to make, so ASANAAUTH_GOARCH must match
# Architectures in template.yaml. For "sam local" on an Intel or AMD machine, run
# ASANAAUTH_GOARCH=amd64 sam build. A variable such as GOARCH that the shell exports for
# another purpose has no effect.
ASANAAUTH_GOARCH ?= arm64

# Each function logs its version when it starts. In a git clone, the go command finds the
# version. In a source archive, set the version: ASANAAUTH_VERSION=v1.2.3 sam build.
ASANAAUTH_VERSION ?=
ldflags = -s -w -X github.com/asanaauth/asanaauth/internal/version.linked=$(ASANAAUTH_VERSION)

build = CGO_ENABLED=0 GOOS=linux GOARCH=$(ASANAAUTH_GOARCH) GOARM64=v8.0 GOAMD64=v1 go build -trimpath -ldflags "$(ldflags)" -tags lambda.norpc \
	-o "$(ARTIFACTS_DIR)/bootstrap" ./functions/$(1)

.PHONY: build-AuthorizeFunction build-CallbackFunction build-SessionFunction \
	build-RefreshFunction build-MembershipFunction build-DisconnectFunction build-ConnectionsFunction

build-AuthorizeFunction: ; $(call build,authorize)
build-CallbackFunction: ; $(call build,callback)
build-SessionFunction: ; $(call build,session)
build-RefreshFunction: ; $(call build,refresh)
build-MembershipFunction: ; $(call build,membership)
build-DisconnectFunction: ; $(call build,disconnect)
build-ConnectionsFunction: ; $(call build,connections)
