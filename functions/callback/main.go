// Command callback takes a person back from Asana: GET and POST /callback. It
// makes connections, sessions, and the installation's first keyring.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

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
		Asana:   wire.AsanaOpenID(r, toAsana),
		Keys:    keyring.Maker(r, aws, rows, log),
		Secrets: clientsecret.Secrets(r, aws),
		Log:     log,
	}
	options := asanaauth.LoginOptions{
		RedirectURI:  wire.RedirectURI(api),
		ReturnURLs:   r.ReturnURLs("RETURN_URLS"),
		ResponseType: wire.ResponseType(r),
		SessionTTL:   r.Duration("SESSION_TTL", 720*time.Hour, time.Nanosecond, 0),
		// It is moved at most once an hour.
		SessionIdleTTL: r.Duration("SESSION_IDLE_TTL", 168*time.Hour, 2*time.Hour, 0),
	}
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	login, err := asanaauth.NewLogin(parts, options)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, keyring.Warm(parts.Keys), wire.Dial(toAsana, parts.Asana))
	return boot.Thaw(httpapi.NewCallback(api, login), nil, toAsana), nil
}
