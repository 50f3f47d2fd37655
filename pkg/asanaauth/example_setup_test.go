package asanaauth_test

import (
	"context"
	"errors"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/httpapi"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// The examples serve these origins themselves, without a network.
const (
	exampleAuth = "https://auth.example.com" // PUBLIC_URL of the deployment
	exampleApp  = "https://app.example.com"  // the SaaS app
)

// exampleDeployment is a deployment in memory: a table, a local key in place of KMS, and
// offline Asana. On AWS, call onaws.Open, which returns a Deployment with the same
// methods except Browser.
type exampleDeployment struct {
	connections  *connection.Connections
	tokens       *token.Tokens
	links        *link.Links
	connectCodes *link.Redeemer

	offline *asanatest.Asana
	routes  *http.ServeMux // the routes that browsers use
}

func (d *exampleDeployment) Connections() *connection.Connections { return d.connections }
func (d *exampleDeployment) Tokens() *token.Tokens                { return d.tokens }
func (d *exampleDeployment) Links() *link.Links                   { return d.links }
func (d *exampleDeployment) ConnectCodes() *link.Redeemer         { return d.connectCodes }

func openExample() *exampleDeployment {
	var errs [14]error
	d := &exampleDeployment{routes: http.NewServeMux()}
	d.offline, errs[0] = asanatest.New(asanatest.Options{BaseURL: "https://app.asana.com", Apps: []asanatest.App{{
		ClientID: "1300000000000009", ClientSecret: "example", RedirectURIs: []string{exampleAuth + "/callback"},
		Scopes: []string{"default", "openid"},
	}}})
	if errs[0] != nil {
		log.Fatal(errs[0])
	}
	client, err := asana.New(asana.Config{ClientID: "1300000000000009", Transport: d.offline.Transport()})
	errs[1] = err
	rows := &store.Memory{}
	keys, err := keyring.New(keyring.Config{Store: rows, Wrapper: local.New([32]byte{}), Installation: "example"})
	errs[2] = err
	secrets, err := clientsecret.New(clientsecret.Config{Source: exampleSecret("example")})
	errs[3] = err
	returnURLs, scopes := []string{exampleApp + "/done"}, "default openid"
	authorizer, err := login.NewAuthorizer(login.AuthorizerConfig{
		Store: rows, Asana: client, RedirectURI: exampleAuth + "/callback", ReturnURLs: returnURLs, Scopes: scopes,
	})
	errs[4] = err
	receiver, err := login.NewReceiver(login.ReceiverConfig{
		Store: rows, Keys: keys, Asana: client, Secrets: secrets, ReturnURLs: returnURLs,
		SessionTTL: 720 * time.Hour, SessionIdleTTL: 168 * time.Hour,
	})
	errs[5] = err
	sessions, err := session.New(session.Config{Store: rows, Keys: keys})
	errs[6] = err
	d.tokens, errs[7] = token.New(token.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets})
	d.connections, errs[8] = connection.New(connection.Config{Store: rows, Keys: keys, Asana: client, Secrets: secrets})
	d.links, errs[9] = link.New(link.Config{
		Store: rows, AuthorizeURL: exampleAuth + "/authorize", ReturnURLs: returnURLs, Scopes: scopes,
	})
	d.connectCodes, errs[10] = link.NewRedeemer(link.RedeemerConfig{Store: rows, Keys: keys})
	if err := errors.Join(errs[:]...); err != nil {
		log.Fatal(err)
	}

	c, origins := httpapi.Config{PublicURL: exampleAuth}, []string{exampleApp}
	handlers := map[string]http.Handler{}
	handlers["/authorize"], errs[10] = httpapi.NewAuthorize(c, authorizer)
	handlers["/callback"], errs[11] = httpapi.NewCallback(c, receiver)
	handlers["/session"], errs[12] = httpapi.NewSession(c, sessions, origins)
	handlers["/refresh"], errs[13] = httpapi.NewRefresh(c, sessions, d.tokens, origins)
	if err := errors.Join(errs[:]...); err != nil {
		log.Fatal(err)
	}
	for path, h := range handlers {
		d.routes.Handle(path, h)
	}
	return d
}

type exampleSecret string

// ClientSecrets implements clientsecret.Source.
func (s exampleSecret) ClientSecrets(context.Context) ([]secret.String, error) {
	return []secret.String{secret.New(string(s))}, nil
}

// Browser returns an HTTP client that acts as a person's browser. It stores cookies,
// follows redirects, and clicks Allow on Asana's consent screen.
func (d *exampleDeployment) Browser(person string) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	return &http.Client{Jar: jar, Transport: exampleBrowser{d, person}}
}

type exampleBrowser struct {
	d      *exampleDeployment
	person string // a gid
}

func (b exampleBrowser) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch origin := "https://" + r.URL.Host; {
	case origin == exampleAuth:
		sent := r.Clone(r.Context())
		switch r.URL.Path {
		case "/authorize", "/callback":
			sent.Header.Set("Sec-Fetch-Mode", "navigate")
		default: // the app's frontend calls fetch
			sent.Header.Set("Origin", exampleApp)
		}
		b.d.routes.ServeHTTP(w, sent)
	case origin != exampleApp:
		back, err := b.d.offline.Authorize(r.Context(), r.URL.String(), b.person)
		if err != nil {
			return nil, err
		}
		http.Redirect(w, r, back, http.StatusSeeOther)
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

// connectExample connects a person's Asana account for an owner, and returns the
// connection's ID.
func (d *exampleDeployment) connectExample(owner, person string) string {
	ctx := context.Background()
	l, err := d.Links().Create(ctx, link.Request{Owner: owner})
	if err != nil {
		log.Fatal(err)
	}
	resp, err := d.Browser(person).Get(l.URL.Reveal())
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	code := secret.New(resp.Request.URL.Query().Get("connect_code"))
	details, err := d.ConnectCodes().Redeem(ctx, link.RedeemRequest{Code: code, Owner: owner})
	if err != nil {
		log.Fatal(err)
	}
	return details.ID
}
