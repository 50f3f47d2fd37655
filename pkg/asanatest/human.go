package asanatest

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Authorize plays a person who follows an authorize URL and clicks Allow. It
// returns the URL that the browser is sent to: the app's redirect URI with its
// answer, an error of the app's making included. Where Asana would show a page
// in place of a redirect, or a fault is met, it returns an error that says so.
// Only the query of authorizeURL counts.
func (a *Asana) Authorize(ctx context.Context, authorizeURL, personGID string) (redirectURL string, err error) {
	return a.decision(ctx, authorizeURL, personGID, "allow")
}

// Deny plays a person who clicks Deny; the rest is as in Authorize.
func (a *Asana) Deny(ctx context.Context, authorizeURL, personGID string) (redirectURL string, err error) {
	return a.decision(ctx, authorizeURL, personGID, "deny")
}

func (a *Asana) decision(ctx context.Context, authorizeURL, gid, decision string) (string, error) {
	u, err := url.Parse(authorizeURL)
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("asanatest: the authorize URL is no absolute URL")
	}
	u.Path = "/-/oauth_authorize"
	form := url.Values{"person": {gid}, "decision": {decision}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return "", fmt.Errorf("asanatest: authorizing: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := a.Transport().RoundTrip(r)
	if err != nil {
		return "", fmt.Errorf("asanatest: authorizing: %w", err)
	}
	if location := resp.Header.Get("Location"); location != "" {
		return location, nil
	}
	return "", &PageError{Status: resp.StatusCode, Message: resp.Header.Get(pageMessage)}
}

// pageMessage is the header that repeats what a page of an error says, for
// programs.
const pageMessage = "X-Offline-Asana-Message"

// PageError is an authorization that ended on a page of Asana's own.
type PageError struct {
	Status  int
	Message string // like "forbidden_scopes: Your app …"
}

func (e *PageError) Error() string {
	return fmt.Sprintf("asanatest: Asana shows a page (%d): %s", e.Status, e.Message)
}
