package httpapi

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const callbackRoute = "/callback"

// callback takes people back from Asana. Safe for concurrent use.
type callback struct {
	base
	receiver *login.Receiver
	pages    pages
}

// NewCallback returns the handler of GET and POST /callback, where Asana sends
// people back to. It sends them on to the return URL of their attempt, or shows a page
// if there is no attempt. It returns an error if receiver is nil.
func NewCallback(c Config, receiver *login.Receiver) (http.Handler, error) {
	if receiver == nil {
		return nil, missing(true, "the receiver")
	}
	cb := &callback{c.base(), receiver, pages{receiver.Home()}}
	cb.warnOfBareCookies(callbackRoute)
	return cb.handle(callbackRoute, cb.pages.showProblem, cb.serve), nil
}

func (cb *callback) serve(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path != callbackRoute {
		return failed(asanaauth.NotFound)
	}
	switch r.Method {
	case http.MethodHead:
	case http.MethodGet:
		if isPrefetch(r) {
			break
		}
		if r.URL.RawQuery == "" && cb.receiver.UsesFragment() {
			cb.pages.showFragment(w)
			return nil
		}
		return cb.finish(w, r, r.URL.RawQuery)
	case http.MethodPost:
		form, err := postedForm(r)
		if err != nil {
			return err
		}
		return cb.finish(w, r, form)
	default:
		return refuseMethod(w, http.MethodGet, http.MethodHead, http.MethodPost)
	}
	w.WriteHeader(http.StatusNoContent) // nobody is here yet: nothing is taken
	return nil
}

// postedForm is what our own page posts back. Origin says nothing about it: a
// page without referrer posts Origin: null.
func postedForm(r *http.Request) (string, error) {
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" {
		return "", failed(forbiddenOrigin)
	}
	if !hasType(r, "application/x-www-form-urlencoded") {
		return "", failed(unsupportedMediaType)
	}
	form, err := readBody(r)
	return string(form), err
}

// The bounds of what Asana answers. Its codes and tokens are far below.
const (
	maxState   = 1 << 10
	maxCode    = 8 << 10
	maxIDToken = 32 << 10
)

func (cb *callback) finish(w http.ResponseWriter, r *http.Request, raw string) error {
	p, err := parseParams(raw, "state", "code", "id_token", "iss", "error")
	if err != nil {
		return err
	}
	for name, most := range map[string]int{"state": maxState, "code": maxCode, "id_token": maxIDToken, "iss": maxState, "error": maxState} {
		if len(p[name]) > most {
			return invalid("A parameter is too long.")
		}
	}
	if p["state"] == "" {
		return failed(asanaauth.LoginExpired)
	}
	return cb.finishAttempt(w, r, p)
}

// finishAttempt ends the attempt that the state names, and its cookie. The
// cookie stays only where trouble of our own came before the attempt was taken:
// a reload finishes it then.
func (cb *callback) finishAttempt(w http.ResponseWriter, r *http.Request, p params) error {
	attempt := login.AttemptName(p["state"])
	browser := cb.cookies.readAttempt(r, attempt)
	end := func() { http.SetCookie(w, cb.cookies.attempt(attempt, "")) }
	switch {
	case browser.IsZero():
		end()
		return failed(asanaauth.LoginExpired) // without it nobody finishes
	case p["code"] == "" && p["error"] == "":
		end()
		return invalid("The answer has neither a code nor an error.")
	}
	done, err := cb.receiver.Callback(r.Context(), login.CallbackRequest{
		State:   p["state"],
		Browser: browser,
		Code:    secret.New(p["code"]),
		IDToken: secret.New(p["id_token"]),
		Issuer:  p["iss"],
		Error:   p["error"],
	})
	taken := err == nil || done.ReturnURL != ""
	if taken || asanaauth.KindOf(err) == asanaauth.LoginExpired {
		end()
	}
	if taken {
		cb.sendBack(w, r, done, err)
	}
	return err // for the log, where the answer is written
}

// sendBack redirects to the app, and tells it how the trip ended.
func (cb *callback) sendBack(w http.ResponseWriter, r *http.Request, done login.Outcome, err error) {
	outcome := url.Values{}
	if done.AppState != "" {
		outcome.Set("app_state", done.AppState)
	}
	switch {
	case err != nil:
		outcome.Set("asana_error", string(redirectKind(err)))
	case !done.ConnectCode.IsZero():
		outcome.Set("connect_code", done.ConnectCode.Reveal())
	default:
		outcome.Set("asana", "connected")
		http.SetCookie(w, cb.cookies.session(done.Session.Reveal(), done.SessionTTL))
		id, _, _ := strings.Cut(done.Session.Reveal(), ".")
		noteConnection(r, id)
	}
	seeOther(w, withOutcome(done.ReturnURL, outcome))
}

// redirectKind is what an app is told in asana_error.
func redirectKind(err error) asanaauth.ErrorKind {
	switch kind := asanaauth.KindOf(err); kind {
	case asanaauth.AccessDenied, asanaauth.LoginExpired, asanaauth.LinkExpired, asanaauth.WrongAccount,
		asanaauth.Misconfigured, asanaauth.AsanaUnavailable, asanaauth.TryAgain:
		return kind
	}
	return asanaauth.Internal
}

// withOutcome adds parameters to a return URL, whose own query and fragment
// stay as they are written. One without a fragment gets an empty one: else the
// browser carries Asana's on (RFC 9110 section 10.2.2).
func withOutcome(to string, outcome url.Values) string {
	before, fragment, _ := strings.Cut(to, "#")
	divider := "?"
	if strings.Contains(before, "?") {
		divider = "&"
		if strings.HasSuffix(before, "?") || strings.HasSuffix(before, "&") {
			divider = ""
		}
	}
	return before + divider + outcome.Encode() + "#" + fragment
}
