// Command connections serves the routes for backends, which are POST /links and all
// routes under /connections. API Gateway's IAM authorizer authenticates each request.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/functions/internal/wire/kmskeyring"
	"github.com/asanaauth/asanaauth/functions/internal/wire/managedsecret"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	aws, toAsana := boot.AWS(r), boot.AsanaTransport()
	api, rows := wire.Backend(r, log), wire.Store(r, aws)
	client := wire.Asana(r, toAsana)
	keys := kmskeyring.Maker(r, aws, rows, log) // an import may be the first request, before the keyring exists
	secrets := managedsecret.New(r, aws)
	makeLinks := link.Config{
		Store:        rows,
		AuthorizeURL: api.PublicURL + "/authorize",
		ReturnURLs:   r.ReturnURLs("RETURN_URLS"),
		Scopes:       strings.Join(r.Scopes("ASANA_SCOPES"), " "),
		Log:          log,
	}
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	conns, err1 := connection.New(connection.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: log})
	tokens, err2 := token.New(token.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: log, Alone: true})
	memberships, err3 := membership.New(membership.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: log})
	links, err4 := link.New(makeLinks)
	connectCodes, err5 := link.NewRedeemer(link.RedeemerConfig{Store: rows, Keys: keys, Log: log})
	sessionCodes, err6 := session.NewRedeemer(session.Config{Store: rows, Keys: keys, Log: log})
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		return nil, err
	}
	h, err := httpapi.NewBackend(api, httpapi.Backend{
		Connections: conns, Tokens: tokens, Memberships: memberships,
		Links: links, ConnectCodes: connectCodes, SessionCodes: sessionCodes,
	})
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, kmskeyring.Warm(keys), wire.Dial(toAsana, client))
	return boot.DropStaleConns(h, nil, toAsana), nil
}
