// Command refresh serves POST /refresh, which returns an access token to the frontend. If
// the stored token expires soon, the command first gets a new token from Asana.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/functions/internal/wire/kmskeyring"
	"github.com/asanaauth/asanaauth/functions/internal/wire/managedsecret"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	aws, toAsana := boot.AWS(r), boot.AsanaTransport()
	api, rows := wire.HTTP(r, log), wire.Store(r, aws)
	client, keys, secrets := wire.Asana(r, toAsana), kmskeyring.Opener(r, aws, rows, log), managedsecret.New(r, aws)
	origins := r.Origins("ALLOWED_ORIGINS")
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	sessions, err1 := session.New(session.Config{Store: rows, Keys: keys, Log: log})
	tokens, err2 := token.New(token.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: log, Alone: true})
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	h, err := httpapi.NewRefresh(api, sessions, tokens, origins)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, kmskeyring.Warm(keys), wire.Dial(toAsana, client))
	return boot.DropStaleConns(h, nil, toAsana), nil
}
