package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
)

// The kinds that are of HTTP, and so not of the rules.
const (
	forbiddenOrigin      asanaauth.ErrorKind = "forbidden-origin"
	methodNotAllowed     asanaauth.ErrorKind = "method-not-allowed"
	payloadTooLarge      asanaauth.ErrorKind = "payload-too-large"
	unsupportedMediaType asanaauth.ErrorKind = "unsupported-media-type"
)

// typePrefix stands before a kind in a problem's type.
const typePrefix = "urn:asanaauth:problem:"

// problemType is one row of the table of problems (RFC 9457).
type problemType struct {
	Kind   asanaauth.ErrorKind // the end of the type's URN
	Status int
	Title  string
	told   string // to people, on pages
}

// problemTypes returns the table of problems: every kind that there is.
func problemTypes() []problemType {
	return []problemType{
		{asanaauth.InvalidRequest, 400, "The request is malformed", "The link that brought you here is not complete, or was changed on its way."},
		{asanaauth.LoginExpired, 400, "This sign-in is over", "It was used already, took too long, or began in another browser. Please start again."},
		{asanaauth.LinkExpired, 400, "This link or code is over", "It was used already, or is too old. Please ask for a new one."},
		{asanaauth.Unauthenticated, 401, "Nobody is signed in", "Please sign in first."},
		{asanaauth.AccessDenied, 403, "Access was denied at Asana", "You said no at Asana. Nothing was connected."},
		{forbiddenOrigin, 403, "Requests from this origin are not allowed", "This request came from another site, so nothing was done."},
		{asanaauth.TokenRejected, 422, "Asana rejects this credential", "Asana rejects this credential."},
		{asanaauth.WrongAccount, 409, "Another Asana account was expected", "Please sign in at Asana with the account that was asked for."},
		{asanaauth.NotAllowedForKind, 409, "Not allowed for this kind of connection", "This connection is of another kind."},
		{asanaauth.ReconnectRequired, 409, "The connection has to be made again", "Please connect to Asana again."},
		{asanaauth.AlreadyConnected, 409, "There is an active connection already", "There is an active connection already."},
		{asanaauth.NotFound, 404, "There is no such thing", "There is no such page."},
		{methodNotAllowed, 405, "This method is not allowed", "This page cannot be used like that."},
		{payloadTooLarge, 413, "The request is too large", "The answer that your browser brought is too large."},
		{unsupportedMediaType, 415, "This content type is not supported", "Your browser sent something that this page does not understand."},
		{asanaauth.TryAgain, 503, "Try again", "We cannot do this at the moment, and nothing was done. Please reload this page in a moment."},
		{asanaauth.AsanaUnavailable, 502, "Asana did not answer as it should", "Asana did not answer as it should. Please try again later."},
		{asanaauth.Misconfigured, 500, "This service is not set up correctly", "Its operator has to mend it."},
		{asanaauth.Internal, 500, "Something went wrong", "Something went wrong on our side."},
	}
}

func typeOf(kind asanaauth.ErrorKind) problemType {
	var t problemType
	for _, t = range problemTypes() {
		if t.Kind == kind {
			return t
		}
	}
	return t // Internal, the last row
}

// problem is a failure as a caller sees it.
type problem struct {
	problemType
	Detail string
	Reason string // why a credential was rejected
	ID     string // the request's
}

// problemOf tells of err what a caller may know.
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

// asJSON shows a problem to programs.
func asJSON(w http.ResponseWriter, p problem) {
	writeJSON(w, p.Status, "application/problem+json", struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail,omitempty"`
		Reason   string `json:"reason,omitempty"`
		Instance string `json:"instance"`
	}{typePrefix + string(p.Kind), p.Title, p.Status, p.Detail, p.Reason, p.ID})
}

// writeJSON writes an answer. A body that cannot be written has no reader.
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

func answerJSON(w http.ResponseWriter, status int, body any) error {
	return writeJSON(w, status, "application/json", body)
}

// invalid is a caller's mistake; detail is a literal.
func invalid(detail string) error {
	return &asanaauth.Error{Kind: asanaauth.InvalidRequest, Detail: detail}
}

// failed is an error of a kind alone.
func failed(kind asanaauth.ErrorKind) error { return &asanaauth.Error{Kind: kind} }
