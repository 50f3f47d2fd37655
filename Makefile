# How "sam build" builds a function: it calls build-LOGICALID with ARTIFACTS_DIR set.
#
# -s -w and lambda.norpc make a smaller file, which starts sooner; -trimpath makes
# the same file on every machine. sam tells a makefile no architecture, so that
# GOARCH here and Architectures in template.yaml have to say the same. For
# "sam local" on another machine: GOARCH=amd64 sam build.
GOARCH ?= arm64

build = CGO_ENABLED=0 GOOS=linux GOARCH=$(GOARCH) go build -trimpath -ldflags "-s -w" -tags lambda.norpc \
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
