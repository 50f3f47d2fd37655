package login

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/row"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
)

// AuthorizerConfig configures an [Authorizer]. The packages that a program uses can share
// one Store and one asana.Client.
type AuthorizerConfig struct {
	Store        store.Store     // required
	Asana        *asana.Client   // required; only builds URLs, sends no request
	RedirectURI  string          // PUBLIC_URL + "/callback", as registered at Asana; required
	ReturnURLs   []string        // compared as exact strings; the first is the default; required
	Scopes       string          // the scopes that the app is registered for, separated by spaces; required
	ResponseType string          // ResponseCode (or empty) or ResponseCodeIDToken, which needs the scope openid
	LinksOnly    bool            // reject attempts that do not begin with a link
	Clock        asanaauth.Clock // nil: asanaauth.SystemClock
	Rand         io.Reader       // nil: crypto/rand.Reader
	Log          *slog.Logger    // nil: nothing is logged
}

// Authorizer begins attempts: it sends browsers to Asana's consent screen. An Authorizer
// needs neither the keyring nor the client secret. The methods of Authorizer are safe for
// concurrent use.
type Authorizer struct {
	table *row.Table
	asana *asana.Client
	c     AuthorizerConfig
}

// NewAuthorizer returns an Authorizer, or an error that names every missing or wrong
// field of c.
func NewAuthorizer(c AuthorizerConfig) (*Authorizer, error) {
	table, err := row.NewTable(row.TableConfig{Store: c.Store, Clock: c.Clock, Rand: c.Rand, Log: c.Log})
	usesIDToken := c.ResponseType == ResponseCodeIDToken
	var openid error
	if usesIDToken && c.Scopes != "" && !hasScope(c.Scopes, "openid") {
		openid = errors.New(`asanaauth: Scopes must contain openid, because ResponseType is "code id_token"`)
	}
	err = errors.Join(err, row.Missing(c.Asana == nil, "Asana"), row.Missing(c.RedirectURI == "", "RedirectURI"),
		row.Missing(len(c.ReturnURLs) == 0, "ReturnURLs"), row.Missing(c.Scopes == "", "Scopes"), checkResponseType(c.ResponseType), openid)
	if err != nil {
		return nil, err
	}
	c.ReturnURLs = slices.Clone(c.ReturnURLs)
	return &Authorizer{table, c.Asana, c}, nil
}

// Home returns the default return URL, for error pages.
func (a *Authorizer) Home() string { return a.c.ReturnURLs[0] }

// AuthorizeRequest contains the parameters of a browser's request to /authorize. All
// fields are optional.
type AuthorizeRequest struct {
	ReturnTo string // one of ReturnURLs; empty: the link's return URL, or the first of ReturnURLs
	AppState string // 1 to 256 characters of A-Za-z0-9_-; the Outcome returns it
	Link     string // the token in a link's URL; empty for a sign-in
	// Session is the value of the session's cookie, if the browser has one. A sign-in ends
	// this session, because its cookie is replaced. The browser does not send the cookie
	// with the redirect from Asana to /callback, because the cookie is SameSite=Strict.
	Session secret.String
}

// Attempt contains the URL and the cookie that a browser needs for one attempt.
type Attempt struct {
	URL     string        // the URL of Asana's consent screen; redirect the browser to it
	Name    string        // AttemptName(state), for the cookie's name
	Browser secret.String // the cookie's value; Callback requires it
}

// Authorize begins an attempt and stores its row. An attacker who reads the row can
// neither finish the attempt nor find out who began it.
//
// Errors: InvalidRequest if r is not valid, or if LinksOnly is set and r has no link;
// LinkExpired if the link is unknown, redeemed or expired; TryAgain; Internal.
func (a *Authorizer) Authorize(ctx context.Context, r AuthorizeRequest) (Attempt, error) {
	d, err := a.destination(ctx, r)
	if err != nil {
		return Attempt{}, err
	}
	return a.begin(ctx, d, r)
}

// Check returns the error that Authorize would return because r is not valid, and begins
// no attempt. If r has no link, Check does not use the table.
//
// Errors: InvalidRequest, LinkExpired, TryAgain, as for Authorize.
func (a *Authorizer) Check(ctx context.Context, r AuthorizeRequest) error {
	_, err := a.destination(ctx, r)
	return err
}

type destination struct {
	link      store.Hash // zero if the attempt did not begin with a link
	returnURL string
	scopes    string
}

func (a *Authorizer) destination(ctx context.Context, r AuthorizeRequest) (destination, error) {
	if r.AppState != "" && !isAppState(r.AppState) {
		return destination{}, row.InvalidRequest("app_state must be 1 to 256 characters of A-Z, a-z, 0-9, _ and -.")
	}
	if r.Link != "" {
		return a.destinationOfLink(ctx, r)
	}
	if r.ReturnTo == "" {
		r.ReturnTo = a.c.ReturnURLs[0]
	}
	switch {
	case !slices.Contains(a.c.ReturnURLs, r.ReturnTo):
		return destination{}, row.ErrReturnTo
	case a.c.LinksOnly:
		return destination{}, row.InvalidRequest("People can connect only with a link. Create one with POST /links.")
	}
	return destination{returnURL: r.ReturnTo, scopes: a.c.Scopes}, nil
}

func (a *Authorizer) destinationOfLink(ctx context.Context, r AuthorizeRequest) (destination, error) {
	found, err := link.Find(ctx, a.table, r.Link)
	switch {
	case err != nil:
		return destination{}, err
	case r.ReturnTo != "" && r.ReturnTo != found.ReturnURL:
		return destination{}, row.InvalidRequest("return_to must be the return_to of the link, or absent.")
	case !slices.Contains(a.c.ReturnURLs, found.ReturnURL):
		return destination{}, row.ErrLinkExpired // ReturnURLs changed after the link was made
	case a.c.ResponseType == ResponseCodeIDToken && !hasScope(found.Scopes, "openid"):
		return destination{}, row.InvalidRequest("The scopes of the link must include openid. Create another link.")
	}
	return destination{found.Token, found.ReturnURL, found.Scopes}, nil
}

func (a *Authorizer) begin(ctx context.Context, d destination, r AuthorizeRequest) (Attempt, error) {
	random, err := a.table.RandomBytes(3 * 32)
	if err != nil {
		return Attempt{}, err
	}
	state, browser, salt := row.Base64URL(random[:32]), secret.New(row.Base64URL(random[32:64])), random[64:]
	derived, err := derive(browser, salt)
	if err != nil {
		return Attempt{}, err
	}
	var session store.Hash
	if !r.Session.IsZero() && d.link.IsZero() {
		session = store.HashText(r.Session.Reveal())
	}
	err = a.table.Insert(ctx, "the attempt", &store.Attempt{
		State:       store.HashText(state),
		Browser:     store.HashText(browser.Reveal()),
		Salt:        salt,
		ReturnURL:   d.returnURL,
		AppState:    r.AppState,
		Scopes:      d.scopes,
		RedirectURI: a.c.RedirectURI,
		Link:        d.link,
		Session:     session,
		End:         a.table.Now().Add(AttemptTTL),
	})
	if err != nil {
		return Attempt{}, err
	}
	request := asana.Authorization{
		State: state, Verifier: derived.verifier, RedirectURI: a.c.RedirectURI,
		Scopes: d.scopes, ResponseType: a.c.ResponseType,
	}
	if hasScope(d.scopes, "openid") {
		request.Nonce = derived.nonce.Reveal()
	}
	return Attempt{URL: a.asana.AuthorizeURL(request), Name: AttemptName(state), Browser: browser}, nil
}

func isAppState(s string) bool {
	const allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	return len(s) <= 256 && strings.Trim(s, allowed) == ""
}
