// Command refresh hands out access tokens, refreshed where they have to be: POST
// /refresh.
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
	api, rows := wire.HTTP(r, log), wire.Store(r, aws)
	parts := asanaauth.Parts{
		Store:   rows,
		Asana:   wire.Asana(r, toAsana),
		Keys:    keyring.Opener(r, aws, rows, log),
		Secrets: clientsecret.Secrets(r, aws),
		Log:     log,
	}
	origins := r.Origins("ALLOWED_ORIGINS")
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	conns, err := wire.Connections(parts)
	if err != nil {
		return nil, err
	}
	h, err := httpapi.NewRefresh(api, conns, origins)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, keyring.Warm(parts.Keys), wire.Dial(toAsana, parts.Asana))
	return boot.Thaw(h, nil, toAsana), nil
}
