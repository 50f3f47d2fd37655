package asanatest

import (
	"fmt"
	"net/http"
	"strings"
)

// fullPermissions is the scope that a token needs for endpoints that no granular scope
// covers.
const fullPermissions = "default"

const (
	helpText      = "For more information on API status codes and how to handle them, read the docs on errors: https://developers.asana.com/docs/errors"
	notAuthorized = "Not Authorized"
	tokenExpired  = "The bearer token has expired. If you have a refresh token, please use it to request a new bearer token, otherwise allow the user to re-authenticate."
	fullNeeded    = "Full permissions are required to use this endpoint."
)

type apiError struct {
	status        int
	message, help string
	code          string // set only if a view-only member tries to write
}

func fail(status int, format string, args ...any) *apiError {
	return &apiError{status: status, message: fmt.Sprintf(format, args...), help: helpText}
}

func missingScopes(names string) *apiError {
	return fail(http.StatusForbidden, "The following scopes must be present to fulfill this request: %s", names)
}

type call struct {
	selection
	viewer
	token *token
}

// An apiHandler returns a page, a created, or the value of the field "data" in the
// response.
type apiHandler func(*call) (any, *apiError)

// created is the result of an apiHandler that creates an object. The response has status
// 201 and a Location header with the path of the object.
type created struct {
	path string
	data any
}

type api struct {
	memory    *memory
	directory *directory
	grants    *grants
	site      *site
}

func (a *api) routes(mux *http.ServeMux) {
	const api = "/api/1.0"
	mux.HandleFunc("GET "+api+"/users/{user}", a.guard("users:read", (*call).user))
	mux.HandleFunc("GET "+api+"/workspaces", a.guard("workspaces:read", (*call).workspaces))
	mux.HandleFunc("GET "+api+"/workspaces/{workspace}", a.guard("workspaces:read", (*call).workspace))
	mux.HandleFunc("GET "+api+"/workspaces/{workspace}/workspace_memberships", a.guard(fullPermissions, (*call).workspaceMemberships))
	mux.HandleFunc("GET "+api+"/users/{user}/workspace_memberships", a.guard(fullPermissions, (*call).userMemberships))
	mux.HandleFunc("GET "+api+"/workspace_memberships/{membership}", a.guard(fullPermissions, (*call).membership))
	mux.HandleFunc("GET "+api+"/workspaces/{workspace}/audit_log_events", a.guard(fullPermissions, (*call).auditLog))
	mux.HandleFunc("POST "+api+"/tasks", a.guard("tasks:write", (*call).createTask))
	mux.HandleFunc("OPTIONS "+api+"/", apiPreflight)
	mux.HandleFunc(api+"/", withAPIHeaders(func(w http.ResponseWriter, r *http.Request) {
		a.fail(w, fail(http.StatusNotFound, "No matching route for request"))
	}))
}

func (a *api) guard(scope string, h apiHandler) http.HandlerFunc {
	return withAPIHeaders(func(w http.ResponseWriter, r *http.Request) {
		t, p, failure := a.caller(r)
		if failure == nil {
			failure = a.checkScope(r, t, scope)
		}
		var v any
		if failure == nil {
			v, failure = h(&call{selection{r, a.site.origin(r)}, viewer{a.memory, a.directory, p}, t})
		}
		if failure != nil {
			a.fail(w, failure)
			return
		}
		writeAPI(w, r, v)
	})
}

// caller returns the token in the request and the person to whom it belongs, or an error
// with status 401 if the token is not valid.
func (a *api) caller(r *http.Request) (*token, *Person, *apiError) {
	scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	known := a.memory.Tokens[value]
	if !strings.EqualFold(scheme, "Bearer") || known == nil || known.Kind == refreshToken {
		return nil, nil, &apiError{status: http.StatusUnauthorized, message: notAuthorized}
	}
	t := a.grants.find(value)
	if t == nil {
		return nil, nil, fail(http.StatusUnauthorized, tokenExpired)
	}
	return t, a.directory.person(t.Person), nil
}

func (a *api) checkScope(r *http.Request, t *token, scope string) *apiError {
	switch {
	case t.Scopes.has("default") || t.Scopes.has(scope):
		return nil
	case scope != fullPermissions:
		return missingScopes(scope)
	case strings.Contains(r.URL.Path, "workspace_memberships") && !a.memory.Switches.MembershipFullPermissionsOnly:
		return nil
	}
	return fail(http.StatusForbidden, fullNeeded)
}

func withAPIHeaders(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowOrigins(w)
		w.Header().Set("X-Asana-Api-Version", "1.1")
		w.Header().Set("X-Frame-Options", "DENY")
		w.Header().Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")
		h(w, r)
	}
}

func allowOrigins(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
	w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, Asana-Enable, Asana-Disable")
}

func apiPreflight(w http.ResponseWriter, _ *http.Request) {
	allowOrigins(w)
	w.WriteHeader(http.StatusNoContent)
}

func (a *api) fail(w http.ResponseWriter, e *apiError) {
	item := map[string]any{"message": e.message}
	if e.help != "" {
		item["help"] = e.help
	}
	body := map[string]any{"errors": []any{item}}
	if e.code != "" {
		switch a.memory.Switches.ViewOnlyErrorCode {
		case "error":
			item["error"] = e.code
		case "top":
			body["error"] = e.code
		}
	}
	if e.status == http.StatusUnauthorized && a.memory.Switches.WWWAuthenticate {
		w.Header().Set("WWW-Authenticate", `Bearer realm="Asana"`)
	}
	writeJSON(w, e.status, body)
}

func writeAPI(w http.ResponseWriter, r *http.Request, v any) {
	status, body := http.StatusOK, map[string]any{"data": v}
	switch v := v.(type) {
	case page:
		body["data"] = v.items
		if v.paged {
			body["next_page"] = v.next
		}
	case created:
		status, body["data"] = http.StatusCreated, v.data
		w.Header().Set("Location", "/api/1.0"+v.path)
	}
	indent := ""
	if pretty := r.URL.Query()["opt_pretty"]; len(pretty) > 0 && pretty[0] != "false" {
		indent = "  "
	}
	writeIndented(w, status, body, indent)
}
