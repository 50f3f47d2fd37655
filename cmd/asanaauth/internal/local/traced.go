package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store/bolt"
)

// knownNames lists the names of parameters that steps may contain. Other names are not
// shown, because a client could send a secret as a name.
var knownNames = []string{
	"access_token", "app_state", "asana_user", "client_id", "client_secret", "code", "code_challenge", "code_challenge_method", "code_verifier",
	"cursor", "decision", "error", "error_description", "grant_type", "id_token", "iss", "limit", "link", "min_ttl", "nonce", "offset", "opt_fields",
	"owner", "person", "redirect_uri", "refresh_token", "refused", "response_type", "return_to", "scope", "state", "token", "token_type_hint", "user", "workspace",
}

// namesOf replaces names that are not in knownNames with "other".
func namesOf(lists ...url.Values) []string {
	var names []string
	for _, values := range lists {
		for name := range values {
			if !slices.Contains(knownNames, name) {
				name = "other"
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// traceRequests returns a handler that records each request for which wanted returns
// true, and calls next.
func traceRequests(t *trace, to string, wanted func(*http.Request) bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !wanted(r) {
			next.ServeHTTP(w, r)
			return
		}
		from := theBrowser
		if to == theService && isBackend(r) {
			from = theBackend
		}
		end := t.begin(Step{From: from, To: to, What: requestLine(r), With: namesOf(r.URL.Query())})
		status := &statusRecorder{ResponseWriter: w}
		next.ServeHTTP(status, r)
		result := strconv.Itoa(max(status.status, http.StatusOK))
		if location, err := url.Parse(w.Header().Get("Location")); err == nil && location.Host != "" {
			result += " to " + location.Scheme + "://" + location.Host + location.Path
		}
		end(result)
	})
}

// requestLine returns the method and the path of r, with {id} in place of a connection
// ID. It cuts the line after 100 bytes, because a client can send a path of any length.
func requestLine(r *http.Request) string {
	path := r.URL.Path
	if id, ok := strings.CutPrefix(path, "/connections/"); ok {
		_, rest, deeper := strings.Cut(id, "/")
		if path = "/connections/{id}"; deeper {
			path += "/" + rest
		}
	}
	line := r.Method + " " + path
	if len(line) > 100 {
		return line[:100] + "…"
	}
	return line
}

type tracedTransport struct {
	next  http.RoundTripper
	trace *trace
}

// RoundTrip records the names of r's parameters. The only recorded value is the grant
// type.
func (t tracedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	form, r, err := formOf(r)
	if err != nil {
		return nil, err
	}
	with := namesOf(r.URL.Query(), form)
	if r.Header.Get("Authorization") != "" {
		with = append([]string{"access token"}, with...)
	}
	what := requestLine(r)
	if grant := form.Get("grant_type"); grant == "authorization_code" || grant == "refresh_token" {
		what += " (" + grant + ")"
	}
	end := t.trace.begin(Step{From: theService, To: theAsana, What: what, With: with})
	resp, err := t.next.RoundTrip(r)
	switch {
	case err == nil:
		end(strconv.Itoa(resp.StatusCode))
	case errors.Is(err, context.DeadlineExceeded):
		end("no response in time")
	default:
		end("no response")
	}
	return resp, err
}

// formOf returns the form in the body of r, and a copy of r. The caller must send the
// copy, because the body of r has been read.
func formOf(r *http.Request) (url.Values, *http.Request, error) {
	if r.Body == nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, r, nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, nil, err
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(body))
	form, _ := url.ParseQuery(string(body)) // malformed parameters are not recorded
	return form, again, nil
}

type tracedStore struct {
	*bolt.Store
	trace *trace
}

// Write records only the kinds of the changed rows, because the rows contain secrets.
func (s tracedStore) Write(ctx context.Context, changes ...store.Change) error {
	var with []string
	for _, c := range changes {
		kind := kindOf(c.Key).name
		if c.Row == nil {
			kind = "delete " + kind
		}
		with = append(with, kind)
	}
	end := s.trace.begin(Step{From: theService, To: theTable, What: "write", With: with})
	err := s.Store.Write(ctx, changes...)
	switch {
	case err == nil:
		end("written")
	case errors.Is(err, store.ErrConflict):
		end("conflict: the row was changed meanwhile")
	default:
		end("failed")
	}
	return err
}
