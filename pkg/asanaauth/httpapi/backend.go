package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// Backend contains the services that the backend routes call. All fields are required.
type Backend struct {
	Connections  *connection.Connections
	Tokens       *token.Tokens
	Memberships  *membership.Memberships
	Links        *link.Links
	ConnectCodes *link.Redeemer
	SessionCodes *session.Redeemer
}

func (b Backend) check() error {
	return errors.Join(
		missing(b.Connections == nil, "Connections"), missing(b.Tokens == nil, "Tokens"),
		missing(b.Memberships == nil, "Memberships"), missing(b.Links == nil, "Links"),
		missing(b.ConnectCodes == nil, "ConnectCodes"), missing(b.SessionCodes == nil, "SessionCodes"))
}

func missing(isMissing bool, name string) error {
	if isMissing {
		return fmt.Errorf("httpapi: %s is missing", name)
	}
	return nil
}

// backend serves all backend routes to every authenticated caller. Only IAM policies
// limit which routes a caller can reach.
type backend struct {
	base
	Backend
	identity func(*http.Request) (string, bool)
}

type backendCall struct {
	*backend
	id     string // the ID of the connection in the path
	params params // the parameters of the query
}

// backendRoute is a path with its methods. The methods have the same order as in the
// Allow header.
type backendRoute struct {
	pattern string // {id} matches the ID of a connection
	methods []backendMethod
}

type backendMethod struct {
	name  string
	query []string // the names of the parameters that the query may have
	serve func(backendCall, http.ResponseWriter, *http.Request) error
}

// NewBackend returns the handler of /links, of /connections, and of every path below
// /connections. These routes are for the app's backend. API Gateway's IAM authorizer
// authenticates the callers, and Config.Identity returns a caller's name. If a request
// has no authenticated caller, the handler responds with 401 before it checks anything
// else. The responses have no CORS headers, because the routes are not for browsers. If
// fields of parts are nil, NewBackend returns an error that names all of them.
func NewBackend(c Config, parts Backend) (http.Handler, error) {
	if err := parts.check(); err != nil {
		return nil, err
	}
	b := &backend{c.base(), parts, c.Identity}
	routes := backendRoutes()
	handlers := make([]http.Handler, len(routes))
	for i, route := range routes {
		handlers[i] = b.handler(route)
	}
	noRoute := b.handler(backendRoute{pattern: "none"})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A path with a percent-encoded character matches no route. IAM policies match
		// the path without decoding it. Without this check, a client could encode a
		// character to reach a route that a policy denies.
		for i, route := range routes {
			if _, ok := route.match(r.URL.Path); ok && r.URL.EscapedPath() == r.URL.Path {
				handlers[i].ServeHTTP(w, r)
				return
			}
		}
		noRoute.ServeHTTP(w, r)
	}), nil
}

func backendRoutes() []backendRoute {
	owner := []string{"owner"}
	return []backendRoute{
		{"/links", []backendMethod{{http.MethodPost, nil, backendCall.createLink}}},
		{"/connections", []backendMethod{
			{http.MethodGet, []string{"owner", "asana_user", "cursor", "limit"}, backendCall.list},
			{http.MethodPost, nil, backendCall.connect},
			{http.MethodDelete, []string{"owner", "asana_user"}, backendCall.disconnectAll}}},
		{"/connections/{id}", []backendMethod{
			{http.MethodGet, owner, backendCall.show},
			{http.MethodPatch, owner, backendCall.setReaderOf},
			{http.MethodDelete, owner, backendCall.disconnect}}},
		{"/connections/{id}/sessions", []backendMethod{{http.MethodDelete, owner, backendCall.endSessions}}},
		{"/connections/{id}/token", []backendMethod{{http.MethodPost, owner, backendCall.token}}},
		{"/connections/{id}/capabilities", []backendMethod{{http.MethodGet, owner, backendCall.capabilities}}},
		{"/connections/{id}/membership", []backendMethod{{http.MethodGet, []string{"owner", "workspace", "user"}, backendCall.membership}}},
	}
}

func (b backendRoute) match(path string) (id string, ok bool) {
	want, got := strings.Split(b.pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return "", false
	}
	for i := range want {
		switch {
		case want[i] == "{id}":
			id = got[i]
		case want[i] != got[i]:
			return "", false
		}
	}
	return id, true
}

var errUnsigned = &asanaauth.Error{
	Kind: asanaauth.Unauthenticated,
	Detail: "Sign the request with AWS Signature Version 4 (SigV4). " +
		`With "asanaauth local", send "Authorization: Bearer KEY" with the backend key that it printed.`,
}

func (b *backend) handler(route backendRoute) http.Handler {
	return b.handle(route.pattern, writeProblem, func(w http.ResponseWriter, r *http.Request) error {
		caller, ok := b.caller(r)
		if !ok {
			return errUnsigned
		}
		lineOf(r.Context()).caller = caller
		id, ok := route.match(r.URL.Path)
		if !ok {
			return errorOf(asanaauth.NotFound)
		}
		var allowed []string
		for _, m := range route.methods {
			if m.name == r.Method {
				p, err := backendParams(r.URL.RawQuery, m.query)
				if err != nil {
					return err
				}
				return m.serve(backendCall{b, id, p}, w, r.WithContext(asanaauth.WithCaller(r.Context(), caller)))
			}
			allowed = append(allowed, m.name)
		}
		return rejectMethod(w, allowed...)
	})
}

func (b *backend) caller(r *http.Request) (string, bool) {
	if b.identity == nil {
		return "", false
	}
	caller, ok := b.identity(r)
	return caller, ok && caller != ""
}

// backendParams returns the parameters of a query. It returns InvalidRequest if a name is
// not in known or a value is empty. Unknown names are errors, because a request with a
// misspelled "owner" would otherwise reach a connection of any owner.
func backendParams(query string, known []string) (params, error) {
	p, err := parseParams(query, known...)
	if err != nil {
		return nil, err
	}
	if err := checkKnown(query, known); err != nil {
		return nil, err
	}
	return p, p.checkLengths(known)
}

// open returns the connection whose ID is in the path. If the query names an owner, open
// returns NotFound unless the connection belongs to that owner.
func (b backendCall) open(r *http.Request) (*connection.Connection, error) {
	conn, err := b.Connections.Open(r.Context(), connection.Ref{ID: b.id, Owner: b.params["owner"]})
	if err != nil {
		return nil, err
	}
	lineOf(r.Context()).connection = conn.ID()
	return conn, nil
}
