// Command callback serves GET and POST /callback, to which Asana's consent screen
// redirects the browser. The command creates connections and sessions, and the keyring if
// the table does not contain one yet.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/functions/internal/wire/kmskeyring"
	"github.com/asanaauth/asanaauth/functions/internal/wire/managedsecret"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	aws, toAsana := boot.AWS(r), boot.AsanaTransport()
	api, rows := wire.HTTP(r, log), wire.Store(r, aws)
	c := login.ReceiverConfig{
		Store:        rows,
		Keys:         kmskeyring.Maker(r, aws, rows, log),
		Asana:        wire.AsanaOpenID(r, toAsana),
		Secrets:      managedsecret.New(r, aws),
		ReturnURLs:   r.ReturnURLs("RETURN_URLS"),
		ResponseType: wire.ResponseType(r),
		SessionTTL:   r.Duration("SESSION_TTL", 720*time.Hour, time.Nanosecond, 0),
		// A session is extended at most once an hour. Therefore the time from the last
		// use of a session to its expiry may be up to an hour shorter than
		// SESSION_IDLE_TTL. With the minimum of two hours, that time is at least one
		// hour.
		SessionIdleTTL: r.Duration("SESSION_IDLE_TTL", 168*time.Hour, 2*time.Hour, 0),
		Log:            log,
	}
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	receiver, err := login.NewReceiver(c)
	if err != nil {
		return nil, err
	}
	h, err := httpapi.NewCallback(api, receiver)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, kmskeyring.Warm(c.Keys), wire.Dial(toAsana, c.Asana))
	return boot.DropStaleConns(h, nil, toAsana), nil
}
