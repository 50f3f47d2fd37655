// Command connections serves backends, under API Gateway's IAM authorizer: POST /links,
// and everything under /connections.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/functions/internal/wire/clientsecret"
	"github.com/asanaauth/asanaauth/functions/internal/wire/keyring"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	aws, toAsana := boot.AWS(r), boot.AsanaTransport()
	api, rows := wire.Backend(r, log), wire.Store(r, aws)
	parts := asanaauth.Parts{
		Store:   rows,
		Asana:   wire.Asana(r, toAsana),
		Keys:    keyring.Maker(r, aws, rows, log), // an import may be the first thing of all
		Secrets: clientsecret.Secrets(r, aws),
		Log:     log,
	}
	options := wire.Links(r, api)
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	conns, err := wire.Connections(parts)
	if err != nil {
		return nil, err
	}
	links, err := asanaauth.NewLinks(parts, options)
	if err != nil {
		return nil, err
	}
	h := httpapi.NewConnections(api, conns, asanaauth.NewMemberships(conns), links)
	boot.Warm(ctx, log, keyring.Warm(parts.Keys), wire.Dial(toAsana, parts.Asana))
	return boot.Thaw(h, nil, toAsana), nil
}
