package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/membership"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
)

// Backend is what the routes for backends need. All fields are required.
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

// missing returns an error that names what a handler lacks.
func missing(isMissing bool, name string) error {
	if isMissing {
		return fmt.Errorf("httpapi: %s is missing", name)
	}
	return nil
}

// backend serves the routes for the SaaS app's backend: every caller that IAM lets in.
// It is safe for concurrent use.
type backend struct {
	base
	Backend
	identity func(*http.Request) (string, bool)
}

// backendCall is one request of a backend.
type backendCall struct {
	*backend
	id string // of the connection that the path names
}

// backendRoute is a path and what can be done there, in the order of Allow.
type backendRoute struct {
	pattern string // {id} stands for a connection's id
	methods []backendMethod
}

type backendMethod struct {
	name  string
	serve func(backendCall, http.ResponseWriter, *http.Request) error
}

// NewBackend returns the handler of /links and of everything under /connections: the
// routes for backends, behind API Gateway's IAM authorizer. Config.Identity says who
// asks; without an identity the response is 401 before anything else is looked at. These
// routes have no CORS headers: they are not for browsers. The error names every
// missing field of Backend.
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
	none := b.handler(backendRoute{pattern: "none"})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// IAM's policies are about the path as it was sent, and no path of ours needs
		// an escape: one that has some is none of ours.
		for i, route := range routes {
			if _, ok := route.match(r.URL.Path); ok && r.URL.EscapedPath() == r.URL.Path {
				handlers[i].ServeHTTP(w, r)
				return
			}
		}
		none.ServeHTTP(w, r)
	}), nil
}

func backendRoutes() []backendRoute {
	return []backendRoute{
		{"/links", []backendMethod{{http.MethodPost, backendCall.createLink}}},
		{"/connections", []backendMethod{
			{http.MethodGet, backendCall.list}, {http.MethodPost, backendCall.connect}, {http.MethodDelete, backendCall.disconnectAll}}},
		{"/connections/{id}", []backendMethod{
			{http.MethodGet, backendCall.show}, {http.MethodPatch, backendCall.setReaderOf}, {http.MethodDelete, backendCall.disconnect}}},
		{"/connections/{id}/token", []backendMethod{{http.MethodPost, backendCall.token}}},
		{"/connections/{id}/capabilities", []backendMethod{{http.MethodGet, backendCall.capabilities}}},
		{"/connections/{id}/membership", []backendMethod{{http.MethodGet, backendCall.membership}}},
	}
}

// match reports whether a path is the route's, and which connection it names.
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

func (b *backend) handler(route backendRoute) http.Handler {
	return b.handle(route.pattern, asJSON, func(w http.ResponseWriter, r *http.Request) error {
		caller, ok := b.whoAsks(r)
		if !ok {
			return &asanaauth.Error{Kind: asanaauth.Unauthenticated, Detail: "The request has no identity that this service takes."}
		}
		id, ok := route.match(r.URL.Path)
		if !ok {
			return failed(asanaauth.NotFound)
		}
		var allowed []string
		for _, m := range route.methods {
			if m.name == r.Method {
				return m.serve(backendCall{b, id}, w, r.WithContext(asanaauth.WithCaller(r.Context(), caller)))
			}
			allowed = append(allowed, m.name)
		}
		return refuseMethod(w, allowed...)
	})
}

func (b *backend) whoAsks(r *http.Request) (string, bool) {
	if b.identity == nil {
		return "", false
	}
	caller, ok := b.identity(r)
	return caller, ok && caller != ""
}

// content reads the body of a request; one without a body needs no type.
func (b backendCall) content(r *http.Request) ([]byte, error) {
	content, err := readBody(r)
	if err != nil {
		return nil, err
	}
	if len(content) > 0 && !hasType(r, "application/json") {
		return nil, errNotJSON
	}
	return content, nil
}

// body reads the JSON object of a request.
func (b backendCall) body(r *http.Request, known ...string) (members, error) {
	content, err := b.content(r)
	if err != nil {
		return nil, err
	}
	return parseObject(content, known...)
}

// params reads the query. A parameter without a value, or of another name, is a
// mistake: an owner that was lost or misspelt must not become none.
func (b backendCall) params(r *http.Request, known ...string) (params, error) {
	p, err := parseParams(r.URL.RawQuery, known...)
	if err != nil {
		return nil, err
	}
	for name := range r.URL.Query() {
		if !slices.Contains(known, name) {
			return nil, invalid("A parameter is not known here.")
		}
	}
	for _, value := range p {
		if value == "" || len(value) > maxParam {
			return nil, invalid("A parameter is empty or too long.")
		}
	}
	return p, nil
}

// open opens the connection that the path names, of the owner that the query names.
func (b backendCall) open(r *http.Request, p params) (*connection.Connection, error) {
	conn, err := b.Connections.Open(r.Context(), connection.Ref{ID: b.id, Owner: p["owner"]})
	if err != nil {
		return nil, err
	}
	noteConnection(r, conn.ID())
	return conn, nil
}
