// Command authorize sends a browser to Asana's consent screen: GET /authorize.
//
// It keeps attempts and nothing else. It holds no key and no client secret, and
// cannot open a single row.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	api, rows := wire.HTTP(r, log), wire.Store(r, boot.AWS(r))
	parts := asanaauth.Parts{Store: rows, Asana: wire.Asana(r, boot.AsanaTransport()), Log: log}
	options := asanaauth.LoginOptions{
		RedirectURI:  wire.RedirectURI(api),
		ReturnURLs:   r.ReturnURLs("RETURN_URLS"),
		Scopes:       strings.Join(r.Scopes("ASANA_SCOPES"), " "),
		ResponseType: wire.ResponseType(r),
		LinksOnly:    r.OneOf("SIGN_IN", "open", "open", "links") == "links",
	}
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	login, err := asanaauth.NewLogin(parts, options)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, func(ctx context.Context) error {
		_, err := rows.Read(ctx, store.AttemptKey(store.Hash{})) // there is none
		return err
	})
	return httpapi.NewAuthorize(api, login), nil
}
