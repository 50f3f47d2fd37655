package login_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/session"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

type exampleParts struct {
	authorizer *login.Authorizer
	receiver   *login.Receiver
	sessions   *session.Sessions
	offline    *asanatest.Asana
}

// newExampleParts returns what the example needs, with an in-memory table, a fixed key
// and offline Asana. In a deployment, package httpapi handles /authorize with an
// Authorizer and /callback with a Receiver.
func newExampleParts() exampleParts {
	var r exampleParts
	var errs [7]error
	r.offline, errs[0] = asanatest.New(asanatest.Options{BaseURL: "https://asana.example"})
	client, err := asana.New(asana.Config{
		BaseURL: "https://asana.example", ClientID: asanatest.FullClientID, Transport: r.offline.Transport(),
	})
	errs[1] = err
	rows := &store.Memory{}
	keys, err := keyring.New(keyring.Config{Store: rows, Wrapper: local.New([32]byte{}), Installation: "example"})
	errs[2] = err
	secrets, err := clientsecret.New(clientsecret.Config{Source: exampleSecret{}})
	errs[3] = err
	returnURLs := []string{"https://app.example.com/done"}
	r.authorizer, errs[4] = login.NewAuthorizer(login.AuthorizerConfig{
		Store: rows, Asana: client, RedirectURI: asanatest.DefaultRedirectURI, ReturnURLs: returnURLs, Scopes: "default openid",
	})
	r.receiver, errs[5] = login.NewReceiver(login.ReceiverConfig{
		Store: rows, Keys: keys, Asana: client, Secrets: secrets, ReturnURLs: returnURLs,
		SessionTTL: 720 * time.Hour, SessionIdleTTL: 168 * time.Hour,
	})
	r.sessions, errs[6] = session.New(session.Config{Store: rows, Keys: keys})
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return r
}

type exampleSecret struct{}

func (exampleSecret) ClientSecrets(context.Context) ([]secret.String, error) {
	return []secret.String{secret.New(asanatest.FullClientSecret)}, nil
}

// A person signs in. The browser goes to Asana's consent screen, and gets a session when
// it returns.
func Example() {
	parts := newExampleParts()
	ctx := context.Background()

	// Set a cookie with the value attempt.Browser, and redirect the browser to
	// attempt.URL.
	attempt, err := parts.authorizer.Authorize(ctx, login.AuthorizeRequest{AppState: "from-the-menu"})
	if err != nil {
		panic(err)
	}
	back, err := parts.offline.Authorize(ctx, attempt.URL, asanatest.Member) // the person clicks Allow
	if err != nil {
		panic(err)
	}

	// Asana redirects the browser to the redirect URI, with its response in the query.
	response, err := url.Parse(back)
	if err != nil {
		panic(err)
	}
	out, err := parts.receiver.Callback(ctx, login.CallbackRequest{
		State: response.Query().Get("state"), Browser: attempt.Browser, Code: secret.New(response.Query().Get("code")),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(out.ReturnURL, out.AppState)

	// Set a cookie with the value out.Session. Each later request opens the session.
	s, err := parts.sessions.Open(ctx, out.Session)
	if err != nil {
		panic(err)
	}
	profile, err := parts.sessions.Profile(ctx, s)
	if err != nil {
		panic(err)
	}
	fmt.Println(profile.Name.Reveal(), profile.Status)
	// Output:
	// https://app.example.com/done from-the-menu
	// Mia Member active
}
