// Command session says who is signed in, and signs a browser out: GET and DELETE
// /session.
//
// It opens rows, but asks nothing of Asana: it knows neither the client id nor the
// client secret.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/functions/internal/wire/keyring"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	aws := boot.AWS(r)
	api, rows := wire.HTTP(r, log), wire.Store(r, aws)
	parts := asanaauth.Parts{
		Store: rows,
		Keys:  keyring.Opener(r, aws, rows, log),
		Log:   log,
	}
	origins := r.Origins("ALLOWED_ORIGINS")
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	conns, err := wire.Connections(parts)
	if err != nil {
		return nil, err
	}
	h, err := httpapi.NewSession(api, conns, origins)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, keyring.Warm(parts.Keys))
	return h, nil
}
