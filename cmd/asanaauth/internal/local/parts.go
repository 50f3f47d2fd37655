package local

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// rules are the parts that the handlers stand on.
type rules struct {
	login       *asanaauth.Login
	connections *asanaauth.Connections
	memberships *asanaauth.Memberships
	links       *asanaauth.Links
}

// newRules wires the rules to what there is here: rows in a file, a local key,
// the client secrets of the environment. The trace watches the doors.
func newRules(c config, d *data, t *trace, log *slog.Logger) (rules, error) {
	client, err := asana.New(asana.Config{
		BaseURL:   c.baseURL,
		Issuer:    c.issuer,
		ClientID:  c.clientID,
		Transport: tracedTransport{asanaTransport(), t},
	})
	if err != nil {
		return rules{}, err
	}
	rows := tracedStore{d.rows, t}
	parts := asanaauth.Parts{
		Store:   rows,
		Asana:   client,
		Keys:    asanaauth.NewKeys(asanaauth.KeysConfig{Store: rows, Wrapper: d.key, Installation: c.installation, TTL: c.keyCacheTTL, Log: log}),
		Secrets: asanaauth.NewSecrets(fixedSecrets(c.secrets), nil),
		Log:     log,
	}
	login, err := asanaauth.NewLogin(parts, asanaauth.LoginOptions{
		RedirectURI:    c.redirectURI(),
		ReturnURLs:     c.returnURLs,
		Scopes:         c.scopes,
		ResponseType:   c.responseType,
		LinksOnly:      c.linksOnly,
		SessionTTL:     c.sessionTTL,
		SessionIdleTTL: c.sessionIdleTTL,
	})
	connections, connectionsErr := asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{})
	links, linksErr := asanaauth.NewLinks(parts, asanaauth.LinksOptions{
		AuthorizeURL: c.publicURL + "/authorize",
		ReturnURLs:   c.returnURLs,
		Scopes:       c.scopes,
	})
	if err := errors.Join(err, connectionsErr, linksErr); err != nil {
		return rules{}, err
	}
	return rules{login, connections, asanaauth.NewMemberships(connections), links}, nil
}

// fixedSecrets are the client secrets of the environment.
type fixedSecrets []secret.String

// ClientSecrets implements [asanaauth.SecretSource].
func (s fixedSecrets) ClientSecrets(context.Context) ([]secret.String, error) { return s, nil }

// asanaTransport speaks HTTP/1.1, as the functions do. The asana package sees to
// redirects and deadlines.
func asanaTransport() *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = &http1
	t.ForceAttemptHTTP2 = false
	return t
}

// serviceRoutes are the handlers that the functions serve, on their paths.
func serviceRoutes(c config, r rules, log *slog.Logger) (*http.ServeMux, error) {
	conf := httpapi.Config{PublicURL: c.publicURL, Log: log, Identity: backendIdentity(c.backendKey)}
	session, err1 := httpapi.NewSession(conf, r.connections, c.allowedOrigins)
	refresh, err2 := httpapi.NewRefresh(conf, r.connections, c.allowedOrigins)
	membership, err3 := httpapi.NewMembership(conf, r.connections, r.memberships, c.allowedOrigins)
	disconnect, err4 := httpapi.NewDisconnect(conf, r.connections, c.allowedOrigins)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/authorize", httpapi.NewAuthorize(conf, r.login))
	mux.Handle("/callback", httpapi.NewCallback(conf, r.login))
	mux.Handle("/session", session)
	mux.Handle("/session/code", session)
	mux.Handle("/refresh", refresh)
	mux.Handle("/membership", membership)
	mux.Handle("/disconnect", disconnect)
	backend := httpapi.NewConnections(conf, r.connections, r.memberships, r.links)
	mux.Handle("/links", backend)
	mux.Handle("/connections", backend)
	mux.Handle("/connections/", backend)
	mux.Handle("/", httpapi.NewFailure(conf, asanaauth.NotFound, ""))
	return mux, nil
}
