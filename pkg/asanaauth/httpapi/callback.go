package httpapi

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

const callbackRoute = "/callback"

type callback struct {
	base
	receiver *login.Receiver
	pages    pages
}

// NewCallback returns the handler of GET and POST /callback, the redirect URI of the
// Asana app. The handler completes a sign-in attempt and redirects the browser to the
// attempt's return URL. If the same browser repeats the request, it gets the same response
// again. If the request fails before the attempt is marked as used, for example because
// the browser has no cookie for the attempt, the handler responds with an HTML page.
// NewCallback returns an error if receiver is nil.
func NewCallback(c Config, receiver *login.Receiver) (http.Handler, error) {
	if receiver == nil {
		return nil, missing(true, "the receiver")
	}
	cb := &callback{c.base(), receiver, pages{receiver.Home()}}
	if cb.cookies.port != "" {
		cb.log.Warn("cookies without __Host- and Secure, because the service uses http on a loopback host")
	}
	return cb.handle(callbackRoute, cb.pages.showProblem, cb.serve), nil
}

func (cb *callback) serve(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Path != callbackRoute {
		return errorOf(asanaauth.NotFound)
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
		return rejectMethod(w, http.MethodGet, http.MethodHead, http.MethodPost)
	}
	w.WriteHeader(http.StatusNoContent) // a HEAD request or a prefetch must not use up an attempt
	return nil
}

// postedForm returns the body of POST /callback: the form that the page of GET /callback
// posts. A form from a different origin is rejected. Sec-Fetch-Site shows where the form
// comes from. The Origin header does not show it, because it is "null": the page has the
// Referrer-Policy no-referrer.
func postedForm(r *http.Request) (string, error) {
	if from := r.Header.Get("Sec-Fetch-Site"); from != "" && from != "same-origin" {
		return "", errorOf(forbiddenOrigin)
	}
	if isEncoded(r) || !hasType(r, "application/x-www-form-urlencoded") {
		return "", errorOf(unsupportedMediaType)
	}
	form, err := readBody(r)
	return string(form), err
}

// The maximum lengths of the parameters of Asana's authorization response, in bytes. The
// values that Asana sends are much shorter.
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
	for name, limit := range map[string]int{"state": maxState, "code": maxCode, "id_token": maxIDToken, "iss": maxState, "error": maxState} {
		if len(p[name]) > limit {
			return invalid(name + " is too long.")
		}
	}
	if p["state"] == "" {
		return errorOf(asanaauth.LoginExpired)
	}
	return cb.finishAttempt(w, r, p)
}

// errNoAttempt says in the log what the response must not reveal.
var errNoAttempt = &asanaauth.Error{Kind: asanaauth.LoginExpired,
	Err: errors.New("the browser did not send the attempt's cookie: open /authorize on the host of PUBLIC_URL, in the same browser")}

// finishAttempt completes the attempt that the parameter "state" identifies. It keeps the
// attempt's cookie, so that the browser can repeat the request.
func (cb *callback) finishAttempt(w http.ResponseWriter, r *http.Request, p params) error {
	browser := cb.cookies.readAttempt(r, login.AttemptName(p["state"]))
	switch {
	case browser.IsZero():
		return errNoAttempt
	case p["code"] == "" && p["error"] == "":
		return invalid("The authorization response must have a code or an error.")
	}
	done, err := cb.receiver.Callback(r.Context(), login.CallbackRequest{
		State:   p["state"],
		Browser: browser,
		Code:    secret.New(p["code"]),
		IDToken: secret.New(p["id_token"]),
		Issuer:  p["iss"],
		Error:   p["error"],
	})
	if err == nil || done.ReturnURL != "" {
		cb.redirect(w, r, done, err)
	}
	return err // if redirect has written the response, the error is only logged
}

// redirect sends the browser to the attempt's return URL, with the outcome of the attempt
// in the query.
func (cb *callback) redirect(w http.ResponseWriter, r *http.Request, done login.Outcome, err error) {
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
		lineOf(r.Context()).connection = id
	}
	seeOther(w, withOutcome(done.ReturnURL, outcome))
}

// redirectKind returns the value of the parameter "asana_error" for err.
func redirectKind(err error) asanaauth.ErrorKind {
	switch kind := asanaauth.KindOf(err); kind {
	case asanaauth.AccessDenied, asanaauth.LoginExpired, asanaauth.LinkExpired, asanaauth.WrongAccount,
		asanaauth.Misconfigured, asanaauth.AsanaUnavailable, asanaauth.TryAgain:
		return kind
	}
	return asanaauth.Internal
}

// withOutcome returns a return URL with the parameters in outcome added to its query. The
// existing query and fragment do not change. If the return URL has no fragment,
// withOutcome adds an empty one, because the browser would otherwise keep the fragment of
// the URL of /callback (RFC 9110 section 10.2.2).
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
