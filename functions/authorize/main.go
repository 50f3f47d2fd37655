// Command authorize serves GET /authorize, which redirects a browser to Asana's consent
// screen.
//
// The command writes only attempt rows, one for each sign-in that is started. The command
// has neither the keyring nor the client secret, so it cannot decrypt stored tokens.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/functions/internal/boot"
	"github.com/asanaauth/asanaauth/functions/internal/wire"
	"github.com/asanaauth/asanaauth/internal/env"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

func main() { boot.Run(newHandler, wire.Problem(os.LookupEnv)) }

func newHandler(ctx context.Context, lookup func(string) (string, bool), log *slog.Logger) (http.Handler, error) {
	r, log := env.NewReader(lookup), wire.Log(log)
	api, rows := wire.HTTP(r, log), wire.Store(r, boot.AWS(r))
	c := login.AuthorizerConfig{
		Store:        rows,
		Asana:        wire.Asana(r, boot.AsanaTransport()),
		RedirectURI:  wire.RedirectURI(api),
		ReturnURLs:   r.ReturnURLs("RETURN_URLS"),
		Scopes:       strings.Join(r.Scopes("ASANA_SCOPES"), " "),
		ResponseType: wire.ResponseType(r),
		LinksOnly:    r.OneOf("SIGN_IN", "open", "open", "links") == "links",
		Log:          log,
	}
	if c.ResponseType == login.ResponseCodeIDToken && c.Scopes != "" && !slices.Contains(strings.Fields(c.Scopes), "openid") {
		r.AddError("ASANA_SCOPES", `must contain openid, because ASANA_RESPONSE_TYPE is "code id_token"`)
	}
	if err := boot.Settle(ctx, log, r); err != nil {
		return nil, err
	}
	authorizer, err := login.NewAuthorizer(c)
	if err != nil {
		return nil, err
	}
	boot.Warm(ctx, log, func(ctx context.Context) error {
		_, err := rows.Read(ctx, store.AttemptKey(store.Hash{})) // a key without a row
		return err
	})
	return httpapi.NewAuthorize(api, authorizer)
}
