package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/token"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// exampleConfig returns a Config for examples, with an in-memory table, a fixed key and
// offline Asana. On AWS, call the method Tokens of the Deployment that onaws.Open
// returns.
func exampleConfig() (token.Config, *asanatest.Asana) {
	offline, err := asanatest.New(asanatest.Options{BaseURL: "https://asana.example"})
	if err != nil {
		panic(err)
	}
	c := token.Config{Store: &store.Memory{}}
	var errs [3]error
	c.Asana, errs[0] = asana.New(asana.Config{
		BaseURL: "https://asana.example", ClientID: asanatest.FullClientID, Transport: offline.Transport(),
	})
	c.Keys, errs[1] = keyring.New(keyring.Config{Store: c.Store, Wrapper: local.New([32]byte{}), Installation: "example"})
	c.Secrets, errs[2] = clientsecret.New(clientsecret.Config{Source: exampleSecret{}})
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	return c, offline
}

type exampleSecret struct{}

func (exampleSecret) ClientSecrets(context.Context) ([]secret.String, error) {
	return []secret.String{secret.New(asanatest.FullClientSecret)}, nil
}

// exampleConnection makes a connection for a person with a view-only license. The string
// is the connection's ID.
func exampleConnection() (*token.Tokens, *connection.Connections, string) {
	c, offline := exampleConfig()
	tokens, err := token.New(c)
	if err != nil {
		panic(err)
	}
	conns, err := connection.New(connection.Config{Store: c.Store, Keys: c.Keys, Asana: c.Asana, Secrets: c.Secrets})
	if err != nil {
		panic(err)
	}
	imported, err := conns.Import(context.Background(), connection.ImportRequest{
		Owner: "acme", Kind: asanaauth.PersonalAccessToken, Token: secret.New(offline.PersonalAccessToken(asanatest.ViewOnly)),
	})
	if err != nil {
		panic(err)
	}
	return tokens, conns, imported.ID
}

// Make an HTTP client for a connection whenever you need one. Use the client like any
// other http.Client. Your code never handles a token.
func ExampleTokens_HTTPClient() {
	tokens, _, id := exampleConnection()
	client := tokens.HTTPClient(id)
	resp, err := client.Get("https://asana.example/api/1.0/users/me")
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode)

	// Asana rejects this write, because the person's license is view only.
	task := `{"data":{"name":"Try","workspace":"` + asanatest.Acme + `"}}`
	resp, err = client.Post("https://asana.example/api/1.0/tasks", "application/json", strings.NewReader(task))
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	fmt.Println(resp.StatusCode)

	// The client sends the token only to Asana, so this request returns an error.
	_, err = client.Get("https://files.example/attachment")
	fmt.Println(asanaauth.KindOf(err))
	// Output:
	// 200
	// 403
	// invalid-request
}

// If a connection is broken or was disconnected, ask the person to connect again.
func ExampleTokens_HTTPClient_reconnect() {
	tokens, conns, id := exampleConnection()
	ctx := context.Background()
	conn, err := conns.Open(ctx, connection.Ref{ID: id, Owner: "acme"})
	if err != nil {
		panic(err)
	}
	if _, err := conns.Disconnect(ctx, conn); err != nil {
		panic(err)
	}
	_, err = tokens.HTTPClient(id).Get("https://asana.example/api/1.0/users/me")
	var e *asanaauth.Error
	if errors.As(err, &e) && e.Kind == asanaauth.ReconnectRequired {
		fmt.Println("send the person a link")
	}
	// Output: send the person a link
}

// Source is for programs that use x/oauth2. Call Token for each request instead of
// storing its result, because Token checks whether the connection is still active.
func ExampleTokens_Source() {
	tokens, _, id := exampleConnection()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	got, err := tokens.Source(ctx, id).Token()
	if err != nil {
		panic(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://asana.example/api/1.0/users/me", nil)
	if err != nil {
		panic(err)
	}
	got.SetAuthHeader(request)
	fmt.Println(got.Type(), got.Valid(), got.RefreshToken == "")
	// Output: Bearer true true
}
