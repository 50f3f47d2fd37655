package asanaauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// exampleParts are parts for trying things: rows in memory, a key that is none, and an
// offline Asana. On AWS, onaws.Open makes the real ones.
func exampleParts() (asanaauth.Parts, *asanatest.Asana) {
	offline, err := asanatest.New(asanatest.Options{BaseURL: "https://asana.example"})
	if err != nil {
		panic(err)
	}
	client, err := asana.New(asana.Config{BaseURL: "https://asana.example", ClientID: asanatest.FullClientID, Transport: offline.Transport()})
	if err != nil {
		panic(err)
	}
	rows := &store.Memory{}
	return asanaauth.Parts{
		Store:   rows,
		Asana:   client,
		Keys:    asanaauth.NewKeys(asanaauth.KeysConfig{Store: rows, Wrapper: local.New([32]byte{}), Installation: "example"}),
		Secrets: asanaauth.NewSecrets(exampleSecret{}, nil),
	}, offline
}

type exampleSecret struct{}

func (exampleSecret) ClientSecrets(context.Context) ([]secret.String, error) {
	return []secret.String{secret.New(asanatest.FullClientSecret)}, nil
}

// exampleConnection is a connection of a person whose licence is view only.
func exampleConnection() (*asanaauth.Connections, string) {
	parts, offline := exampleParts()
	conns, err := asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{})
	if err != nil {
		panic(err)
	}
	got, err := conns.Import(context.Background(), asanaauth.ImportRequest{
		Owner: "acme", Kind: store.PersonalAccessToken, Token: secret.New(offline.PersonalAccessToken(asanatest.ViewOnly)),
	}, asanaauth.CallerLibrary)
	if err != nil {
		panic(err)
	}
	return conns, got.ID
}

// A client for each connection, made when it is needed: requests are as with any other
// client, and tokens nobody's concern.
func ExampleConnections_HTTPClient() {
	conns, id := exampleConnection()
	client := conns.HTTPClient(id)
	answer, err := client.Get("https://asana.example/api/1.0/users/me")
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
	fmt.Println(answer.StatusCode)

	// Whether somebody may write is known for certain by trying.
	task := `{"data":{"name":"Try","workspace":"` + asanatest.Acme + `"}}`
	answer, err = client.Post("https://asana.example/api/1.0/tasks", "application/json", strings.NewReader(task))
	if err != nil {
		panic(err)
	}
	answer.Body.Close()
	fmt.Println(answer.StatusCode)

	// The token goes to Asana alone.
	_, err = client.Get("https://files.example/attachment")
	fmt.Println(asanaauth.KindOf(err))
	// Output:
	// 200
	// 403
	// invalid-request
}

// A connection that has ended, or broken, gives no client an answer: ask the person to
// connect again.
func ExampleConnections_HTTPClient_reconnect() {
	conns, id := exampleConnection()
	ctx := context.Background()
	conn, err := conns.Open(ctx, asanaauth.Ref{ID: id, Owner: "acme"}, asanaauth.CallerLibrary)
	if err != nil {
		panic(err)
	}
	if _, err := conns.End(ctx, conn); err != nil {
		panic(err)
	}
	_, err = conns.HTTPClient(id).Get("https://asana.example/api/1.0/users/me")
	var trouble *asanaauth.Error
	if errors.As(err, &trouble) && trouble.Kind == asanaauth.ReconnectRequired {
		fmt.Println("send them a link")
	}
	// Output: send them a link
}

// For what is made for x/oauth2. Each Token is read anew: nothing should keep it.
func ExampleConnections_TokenSource() {
	conns, id := exampleConnection()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	token, err := conns.TokenSource(ctx, id).Token()
	if err != nil {
		panic(err)
	}
	request, _ := http.NewRequest(http.MethodGet, "https://app.asana.com/api/1.0/users/me", nil)
	token.SetAuthHeader(request)
	fmt.Println(token.Type(), token.Valid(), token.RefreshToken == "")
	// Output: Bearer true true
}

// A credential that was held elsewhere is verified first; the answer says to whom
// every action will be attributed.
func ExampleConnections_Import() {
	parts, offline := exampleParts()
	conns, err := asanaauth.NewConnections(parts, asanaauth.ConnectionsOptions{})
	if err != nil {
		panic(err)
	}
	request := asanaauth.ImportRequest{
		Owner: "acme", Kind: store.PersonalAccessToken, Token: secret.New(offline.PersonalAccessToken(asanatest.Bot)),
	}
	for range 2 { // again is no mistake
		got, err := conns.Import(context.Background(), request, asanaauth.CallerLibrary)
		if err != nil {
			panic(err)
		}
		fmt.Println(got.AttributedTo.Name.Reveal(), got.Status, got.Already)
	}
	request.Token = secret.New("1/1200:revoked")
	_, err = conns.Import(context.Background(), request, asanaauth.CallerLibrary)
	var trouble *asanaauth.Error
	if errors.As(err, &trouble) {
		fmt.Println(trouble.Kind, trouble.Reason)
	}
	// Output:
	// Build Bot active false
	// Build Bot active true
	// token-rejected inactive
}
