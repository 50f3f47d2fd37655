package link_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

const exampleReturnURL = "https://app.example.com/done"

type exampleParts struct {
	links      *link.Links
	authorizer *login.Authorizer
	receiver   *login.Receiver
	redeemer   *link.Redeemer
	offline    *asanatest.Asana
}

// newExampleParts returns what the example needs, with an in-memory table, a fixed key
// and offline Asana. On AWS, call the methods Links and ConnectCodes of the Deployment
// that onaws.Open returns.
func newExampleParts() exampleParts {
	var r exampleParts
	var errs [8]error
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
	returnURLs, scopes := []string{exampleReturnURL}, "default openid"
	r.links, errs[4] = link.New(link.Config{
		Store: rows, AuthorizeURL: "https://auth.example.com/authorize", ReturnURLs: returnURLs, Scopes: scopes,
	})
	r.authorizer, errs[5] = login.NewAuthorizer(login.AuthorizerConfig{
		Store: rows, Asana: client, RedirectURI: asanatest.DefaultRedirectURI, ReturnURLs: returnURLs, Scopes: scopes,
	})
	r.receiver, errs[6] = login.NewReceiver(login.ReceiverConfig{
		Store: rows, Keys: keys, Asana: client, Secrets: secrets, ReturnURLs: returnURLs,
		SessionTTL: 720 * time.Hour, SessionIdleTTL: 168 * time.Hour,
	})
	r.redeemer, errs[7] = link.NewRedeemer(link.RedeemerConfig{Store: rows, Keys: keys})
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return r
}

type exampleSecret struct{}

func (exampleSecret) ClientSecrets(context.Context) ([]secret.String, error) {
	return []secret.String{secret.New(asanatest.FullClientSecret)}, nil
}

// exampleFollow does what a person does in the browser: open the link, and allow access
// at Asana. The result is the connect code with which the browser returns to the app.
func exampleFollow(r exampleParts, made link.Link) secret.String {
	ctx := context.Background()
	opened, err := url.Parse(made.URL.Reveal())
	if err != nil {
		panic(err)
	}
	attempt, err := r.authorizer.Authorize(ctx, login.AuthorizeRequest{Link: opened.Query().Get("link")})
	if err != nil {
		panic(err)
	}
	back, err := r.offline.Authorize(ctx, attempt.URL, asanatest.Member)
	if err != nil {
		panic(err)
	}
	response, err := url.Parse(back)
	if err != nil {
		panic(err)
	}
	out, err := r.receiver.Callback(ctx, login.CallbackRequest{
		State: response.Query().Get("state"), Browser: attempt.Browser, Code: secret.New(response.Query().Get("code")),
	})
	if err != nil {
		panic(err)
	}
	return out.ConnectCode
}

// A backend makes a link for its customer acme. The person who follows the link returns
// to the app with a connect code. The backend then redeems the code.
func Example() {
	parts := newExampleParts()
	ctx := context.Background()
	made, err := parts.links.Create(ctx, link.Request{Owner: "acme"})
	if err != nil {
		panic(err)
	}
	code := exampleFollow(parts, made)

	// Take the owner from your own session, never from the request.
	d, err := parts.redeemer.Redeem(ctx, link.RedeemRequest{Code: code, Owner: "acme"})
	if err != nil {
		panic(err)
	}
	fmt.Println(d.Owner, d.Kind, d.Status, d.AttributedTo.Name.Reveal())

	// If the response to a request is lost, repeat the request.
	again, err := parts.redeemer.Redeem(ctx, link.RedeemRequest{Code: code, Owner: "acme"})
	if err != nil {
		panic(err)
	}
	fmt.Println(again.ID == d.ID, again.Already)
	// Output:
	// acme oauth active Mia Member
	// true true
}
