package local

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

type components struct {
	authorizer  *login.Authorizer
	receiver    *login.Receiver
	sessions    *session.Sessions
	tokens      *token.Tokens
	memberships *membership.Memberships
	connections *connection.Connections
	backend     httpapi.Backend
}

// newComponents constructs the components of the service. The components record every
// request to Asana and every write to the table in the trace t.
func newComponents(c config, d *data, t *trace, log *slog.Logger) (components, error) {
	client, err := asana.New(asana.Config{
		BaseURL:   c.baseURL,
		Issuer:    c.issuer,
		ClientID:  c.clientID,
		Transport: tracedTransport{asanaTransport(), t},
	})
	if err != nil {
		return components{}, err
	}
	rows := tracedStore{d.rows, t}
	keys, secrets, err := c.keysAndSecrets(d, rows, log)
	if err != nil {
		return components{}, err
	}
	var r components
	errs := make([]error, 9)
	r.authorizer, errs[0] = login.NewAuthorizer(login.AuthorizerConfig{
		Store: rows, Asana: client, RedirectURI: c.redirectURI(), ReturnURLs: c.returnURLs, Scopes: c.scopes,
		ResponseType: c.responseType, LinksOnly: c.linksOnly, Log: log,
	})
	r.receiver, errs[1] = login.NewReceiver(login.ReceiverConfig{
		Store: rows, Keys: keys, Asana: client, Secrets: secrets, ReturnURLs: c.returnURLs, ResponseType: c.responseType,
		SessionTTL: c.sessionTTL, SessionIdleTTL: c.sessionIdleTTL, Log: log,
	})
	r.sessions, errs[2] = session.New(session.Config{Store: rows, Keys: keys, Log: log})
	r.connections, errs[3] = connection.New(connection.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: log})
	r.tokens, errs[4] = token.New(token.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: log})
	r.memberships, errs[5] = membership.New(membership.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets, Log: log})
	r.backend = httpapi.Backend{Connections: r.connections, Tokens: r.tokens, Memberships: r.memberships}
	r.backend.Links, errs[6] = link.New(link.Config{
		Store: rows, AuthorizeURL: c.publicURL + "/authorize", ReturnURLs: c.returnURLs, Scopes: c.scopes, Log: log,
	})
	r.backend.ConnectCodes, errs[7] = link.NewRedeemer(link.RedeemerConfig{Store: rows, Keys: keys, Log: log})
	r.backend.SessionCodes, errs[8] = session.NewRedeemer(session.Config{Store: rows, Keys: keys, Log: log})
	return r, errors.Join(errs...)
}

func (c config) keysAndSecrets(d *data, rows store.Store, log *slog.Logger) (*keyring.Keyring, *clientsecret.Secrets, error) {
	keys, err1 := keyring.New(keyring.Config{Store: rows, Wrapper: d.key, Installation: c.installation, TTL: c.keyCacheTTL, Log: log})
	secrets, err2 := clientsecret.New(clientsecret.Config{Source: fixedSecrets(c.secrets)})
	return keys, secrets, errors.Join(err1, err2)
}

// fixedSecrets contains the client secrets from environment variables.
type fixedSecrets []secret.String

// ClientSecrets implements [clientsecret.Source].
func (s fixedSecrets) ClientSecrets(context.Context) ([]secret.String, error) { return s, nil }

// asanaTransport uses HTTP/1.1, like the transport of the Lambda functions. Package asana
// handles redirects and deadlines.
func asanaTransport() *http.Transport {
	var http1 http.Protocols
	http1.SetHTTP1(true)
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Protocols = &http1
	t.ForceAttemptHTTP2 = false
	return t
}

func serviceRoutes(c config, r components, log *slog.Logger) (*http.ServeMux, error) {
	conf := httpapi.Config{PublicURL: c.publicURL, Log: log, Identity: backendIdentity(c.backendKey)}
	authorize, err6 := httpapi.NewAuthorize(conf, r.authorizer)
	callback, err7 := httpapi.NewCallback(conf, r.receiver)
	session, err1 := httpapi.NewSession(conf, r.sessions, c.allowedOrigins)
	refresh, err2 := httpapi.NewRefresh(conf, r.sessions, r.tokens, c.allowedOrigins)
	membership, err3 := httpapi.NewMembership(conf, r.sessions, r.memberships, c.allowedOrigins)
	disconnect, err4 := httpapi.NewDisconnect(conf, r.sessions, r.connections, c.allowedOrigins)
	backend, err5 := httpapi.NewBackend(conf, r.backend)
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7); err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	for path, handler := range map[string]http.Handler{
		"/authorize": authorize, "/callback": callback, "/session": session,
		"/refresh": refresh, "/membership": membership, "/disconnect": disconnect,
	} {
		mux.Handle(path, handler)
		mux.Handle(path+"/", handler) // so that its 404 is a page, or has CORS headers
	}
	mux.Handle("/links", backend)
	mux.Handle("/connections", backend)
	mux.Handle("/connections/", backend)
	mux.Handle("/", httpapi.NewFailure(conf, asanaauth.NotFound, ""))
	return mux, nil
}
