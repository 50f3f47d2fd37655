package httpapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// These error kinds exist only in the HTTP API. Package asanaauth defines all other
// kinds.
const (
	forbiddenOrigin      asanaauth.ErrorKind = "forbidden-origin"
	methodNotAllowed     asanaauth.ErrorKind = "method-not-allowed"
	payloadTooLarge      asanaauth.ErrorKind = "payload-too-large"
	unsupportedMediaType asanaauth.ErrorKind = "unsupported-media-type"
)

const typePrefix = "urn:asanaauth:problem:"

// problemType is one type of problem (RFC 9457) that this API can return.
type problemType struct {
	Kind   asanaauth.ErrorKind
	Status int
	Title  string // for developers; page.go has the texts of the pages for people
	Usual  string // for developers: the detail if the error has no detail of its own
}

func problemTypes() []problemType {
	return []problemType{
		{asanaauth.InvalidRequest, 400, "Invalid request", "A parameter or the body is missing or malformed."},
		{asanaauth.LoginExpired, 400, "Sign-in expired", "This sign-in has expired or was already used. Start again from your app."},
		{asanaauth.LinkExpired, 400, "Link or code expired", "This link or code has expired or was already used. Request a new one."},
		{asanaauth.Unauthenticated, 401, "Authentication required", "The request has no valid session. Ask the person to sign in."},
		{asanaauth.AccessDenied, 403, "Access denied at Asana", "The person did not allow the access. Start again from your app to allow it."},
		{forbiddenOrigin, 403, "Requests from this origin are not allowed", "The header Origin is missing, or is not an allowed origin."},
		{asanaauth.TokenRejected, 422, "Asana rejected this credential", "Import a different credential."},
		{asanaauth.WrongAccount, 409, "Wrong Asana account", "Another Asana account was expected. Sign in to Asana with that account."},
		{asanaauth.NotAllowedForKind, 409, "Not allowed for this kind of connection", "A connection of another kind is required."},
		{asanaauth.ReconnectRequired, 409, "Reconnect required", "The connection is not active. Connect to Asana again, or import a new token."},
		{asanaauth.AlreadyConnected, 409, "Already connected", "An active connection already exists. Set replace to true to replace it."},
		{asanaauth.NotFound, 404, "Not found", "Check the path and the parameters."},
		{methodNotAllowed, 405, "Method not allowed", "Use a method from the Allow header."},
		{payloadTooLarge, 413, "Request body too large", "Send at most 64 KiB."},
		{unsupportedMediaType, 415, "Unsupported content type", "Send the body as JSON."},
		{asanaauth.TryAgain, 503, "Temporarily unavailable", "Try again after the time in the Retry-After header."},
		{asanaauth.AsanaUnavailable, 502, "Asana unavailable", "Asana did not respond as expected. Try again later."},
		{asanaauth.Misconfigured, 500, "Service misconfigured", "This service is not configured correctly. Its operator must fix it."},
		{asanaauth.Internal, 500, "Internal error", "Give the request ID in instance to the operator."},
	}
}

// typeOf returns the problem type of kind. If kind has none, typeOf returns the problem
// type of Internal.
func typeOf(kind asanaauth.ErrorKind) problemType {
	var t problemType
	for _, t = range problemTypes() {
		if t.Kind == kind {
			return t
		}
	}
	return t // Internal is the last row
}

// problem is the part of an error that clients may see.
type problem struct {
	problemType
	Detail string
	Reason string // with token-rejected: why Asana rejected the credential
	ID     string // the request ID
}

// problemOf returns the problem for err. The problem does not contain the cause of err,
// which is for the log only.
func problemOf(err error, id string) problem {
	p := problem{problemType: typeOf(asanaauth.KindOf(err)), ID: id}
	var e *asanaauth.Error
	if errors.As(err, &e) {
		p.Detail, p.Reason = e.Detail, e.Reason
		if p.Kind == asanaauth.AsanaUnavailable && e.Timeout {
			p.Status = http.StatusGatewayTimeout
		}
	}
	return p
}

func writeProblem(w http.ResponseWriter, p problem) {
	writeJSON(w, p.Status, "application/problem+json", struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Reason   string `json:"reason,omitempty"`
		Instance string `json:"instance"`
	}{typePrefix + string(p.Kind), p.Title, p.Status, cmp.Or(p.Detail, p.Usual), p.Reason, p.ID})
}

// writeJSON responds with body as JSON. It returns an error if body cannot be encoded.
// Errors of Write are ignored, because after such an error the client cannot receive
// another response.
func writeJSON(w http.ResponseWriter, status int, contentType string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	w.Write(b)
	return nil
}

func respondJSON(w http.ResponseWriter, status int, body any) error {
	return writeJSON(w, status, "application/json", body)
}

// invalid returns an InvalidRequest. detail must be built only from literals, because
// clients see it.
func invalid(detail string) error {
	return &asanaauth.Error{Kind: asanaauth.InvalidRequest, Detail: detail}
}

func errorOf(kind asanaauth.ErrorKind) error { return &asanaauth.Error{Kind: kind} }
