package asanaauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/link"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A person signs in with Asana. The app sends the person's browser to /authorize. When the
// browser has returned, the app's frontend calls /session and /refresh with the session
// cookie. A real frontend uses fetch(url, {credentials: "include"}) for these calls.
func Example_signIn() {
	browser := openExample().Browser(asanatest.Member) // on AWS, the deployed functions

	// Send the browser to /authorize. The browser goes to Asana's consent screen, then to
	// /callback, and then returns to your app.
	resp, err := browser.Get("https://auth.example.com/authorize?return_to=https://app.example.com/done")
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println("back at", resp.Request.URL.Host+resp.Request.URL.Path, resp.Request.URL.Query())

	// Find out who is signed in.
	resp, err = browser.Get("https://auth.example.com/session")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var session struct {
		Name, Status string
		AsanaUser    string `json:"asana_user"` // use this gid as the key of your users
	}
	if err := json.NewDecoder(resp.Body).Decode(&session); err != nil {
		log.Fatal(err)
	}
	fmt.Println(session.Name, session.AsanaUser, session.Status)

	// Get a short-lived access token for Asana's API.
	resp, err = browser.Post("https://auth.example.com/refresh", "application/json", strings.NewReader("{}"))
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var token struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&token); err != nil {
		log.Fatal(err)
	}
	fmt.Println(token.TokenType, token.AccessToken != "")
	// Output:
	// back at app.example.com/done map[asana:[connected]]
	// Mia Member 1200000000000001 active
	// Bearer true
}

// A backend connects one of its own users with a link. A backend that is not written in
// Go sends POST /links and POST /connections instead.
func Example_link() {
	backend := openExample() // on AWS: onaws.Open(ctx, onaws.Options{…})
	ctx := context.Background()

	// Ann is signed in to your app, and works for your customer acme.
	l, err := backend.Links().Create(ctx, link.Request{Owner: "acme", Person: "ann"})
	if err != nil {
		log.Fatal(err)
	}

	// Send Ann's browser to the link. After the consent screen, the browser returns to
	// your app with a connect code.
	resp, err := backend.Browser(asanatest.Member).Get(l.URL.Reveal())
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	code := resp.Request.URL.Query().Get("connect_code")

	// Redeem the code. Take the owner and the person from your own session, never from
	// the request. Otherwise an attacker can send their own link to someone else and
	// receive that person's Asana account.
	details, err := backend.ConnectCodes().Redeem(ctx, link.RedeemRequest{
		Code: secret.New(code), Owner: "acme", Person: "ann",
	})
	if err != nil {
		log.Fatal(err)
	}

	// Store details.ID in your user's record, and show whose Asana account was connected.
	fmt.Println(details.Owner, details.Status, details.AttributedTo.Name.Reveal())
	// Output: acme active Mia Member
}

// A backend imports a credential that was stored elsewhere, in this case a bot's personal
// access token. Before the credential is saved, Asana must confirm that it is valid. A
// backend that is not written in Go sends POST /connections instead. To import many
// credentials, use the command "asanaauth import".
func Example_import() {
	backend := openExample()                                       // on AWS: onaws.Open(ctx, onaws.Options{…})
	ctx := asanaauth.WithCaller(context.Background(), "migration") // for audit lines
	token := secret.New(backend.offline.PersonalAccessToken(asanatest.Bot))

	imported, err := backend.Connections().Import(ctx, connection.ImportRequest{
		Owner: "acme", Kind: asanaauth.PersonalAccessToken, Token: token,
	})
	if err != nil {
		log.Fatal(err)
	}
	// AttributedTo is the Asana user to whom Asana attributes every action with the
	// token.
	fmt.Println(imported.Kind, imported.Status, imported.AttributedTo.Name.Reveal())

	// Asana does not know this token, so Import saves nothing.
	_, err = backend.Connections().Import(ctx, connection.ImportRequest{
		Owner: "acme", Kind: asanaauth.PersonalAccessToken, Token: secret.New("1/1200/unknown"),
	})
	var e *asanaauth.Error
	if errors.As(err, &e) {
		fmt.Println(e.Kind, e.Reason)
	}
	// Output:
	// personal_access_token active Build Bot
	// token-rejected inactive
}

// A Go backend calls Asana's API as the user of a connection. The HTTP client gets the
// connection's token, refreshes it if necessary, and sends it only to Asana.
func Example_goLibrary() {
	backend := openExample() // on AWS: onaws.Open(ctx, onaws.Options{…})
	ctx := context.Background()
	defer backend.Tokens().Wait(ctx) // a refresh may not have saved its token yet

	id := backend.connectExample("acme", asanatest.Member) // your backend stored this id in the user's record

	client := backend.Tokens().HTTPClient(id)
	resp, err := client.Get("https://app.asana.com/api/1.0/users/me")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	var me struct{ Data struct{ Name string } }
	if err := json.NewDecoder(resp.Body).Decode(&me); err != nil {
		log.Fatal(err)
	}
	fmt.Println(resp.StatusCode, me.Data.Name)

	// Later, the customer disconnects from Asana in your app.
	conn, err := backend.Connections().Open(ctx, connection.Ref{ID: id, Owner: "acme"})
	if err != nil {
		log.Fatal(err)
	}
	end, err := backend.Connections().Disconnect(ctx, conn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(end.Status, end.Revoked)

	_, err = client.Get("https://app.asana.com/api/1.0/users/me")
	fmt.Println(asanaauth.KindOf(err))
	// Output:
	// 200 Mia Member
	// disconnected true
	// reconnect-required
}

// Use the kind of an error to decide what to do. Show only the error's Detail to users.
func ExampleKindOf() {
	backend := openExample()
	id := backend.connectExample("acme", asanatest.Member)
	if err := backend.offline.RevokeGrants(asanatest.Member); err != nil { // at Asana, the person removes the app
		log.Fatal(err)
	}

	client := backend.Tokens().HTTPClient(id)
	_, err := client.Get("https://app.asana.com/api/1.0/users/me")
	switch asanaauth.KindOf(err) {
	case "": // no error
		fmt.Println("done")
	case asanaauth.ReconnectRequired:
		fmt.Println("ask the person to connect again")
	case asanaauth.TryAgain:
		var e *asanaauth.Error
		errors.As(err, &e)
		fmt.Println("try again after", e.RetryAfter)
	default:
		fmt.Println(err)
	}
	// Output: ask the person to connect again
}
