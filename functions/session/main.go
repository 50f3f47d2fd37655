// Command session serves three routes. GET /session returns who is signed in. DELETE
// /session signs the browser out. POST /session/code creates a session code, which the
// app's backend can redeem to learn who is signed in.
//
// The command decrypts sealed fields but sends no requests to Asana. Therefore it has
// neither the client ID nor the client secret.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/functions/internal/wire/kmskeyring"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	aws := boot.AWS(r)
	api, rows := wire.HTTP(r, log), wire.Store(r, aws)
	keys := kmskeyring.Opener(r, aws, rows, log)
	origins := r.Origins("ALLOWED_ORIGINS")
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	sessions, err := session.New(session.Config{Store: rows, Keys: keys, Log: log})
	if err != nil {
		return nil, err
	}
	h, err := httpapi.NewSession(api, sessions, origins)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, kmskeyring.Warm(keys))
	return h, nil
}
