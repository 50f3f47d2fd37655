package connection_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/asanaauth/asanaauth/pkg/asanaauth"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/connection"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/keyring"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/seal/local"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/store"
	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// exampleConnections returns a Connections for examples, with an in-memory table, a fixed
// key and offline Asana. On AWS, call the method Connections of the Deployment that
// onaws.Open returns.
func exampleConnections() (*connection.Connections, *asanatest.Asana) {
	offline, err := asanatest.New(asanatest.Options{BaseURL: "https://asana.example"})
	if err != nil {
		panic(err)
	}
	c := connection.Config{Store: &store.Memory{}}
	var errs [3]error
	c.Asana, errs[0] = asana.New(asana.Config{
		BaseURL: "https://asana.example", ClientID: asanatest.FullClientID, Transport: offline.Transport(),
	})
	c.Keys, errs[1] = keyring.New(keyring.Config{Store: c.Store, Wrapper: local.New([32]byte{}), Installation: "example"})
	c.Secrets, errs[2] = clientsecret.New(clientsecret.Config{Source: exampleSecret{}})
	if err := errors.Join(errs[:]...); err != nil {
		panic(err)
	}
	conns, err := connection.New(c)
	if err != nil {
		panic(err)
	}
	return conns, offline
}

type exampleSecret struct{}

func (exampleSecret) ClientSecrets(context.Context) ([]secret.String, error) {
	return []secret.String{secret.New(asanatest.FullClientSecret)}, nil
}

// Import verifies a credential before it saves the credential. The field AttributedTo of
// the result is the Asana user in whose name the credential acts.
func ExampleConnections_Import() {
	conns, offline := exampleConnections()
	ctx := asanaauth.WithCaller(context.Background(), "migration") // the name in audit lines
	request := connection.ImportRequest{
		Owner: "acme", Kind: asanaauth.PersonalAccessToken, Token: secret.New(offline.PersonalAccessToken(asanatest.Bot)),
	}
	for range 2 { // an import can be repeated
		got, err := conns.Import(ctx, request)
		if err != nil {
			panic(err)
		}
		fmt.Println(got.AttributedTo.Name.Reveal(), got.Status, got.Already)
	}
	request.Token = secret.New("1/1200:revoked")
	_, err := conns.Import(ctx, request)
	var e *asanaauth.Error
	if errors.As(err, &e) {
		fmt.Println(e.Kind, e.Reason)
	}
	// Output:
	// Build Bot active false
	// Build Bot active true
	// token-rejected inactive
}
