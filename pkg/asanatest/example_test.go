package asanatest_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// A test of an OAuth client: the person clicks Allow, the client exchanges the
// code, and refreshes twice; the first refresh fails.
func Example() {
	asana, err := asanatest.New(asanatest.Options{})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(asana)
	defer server.Close()
	asana.SetBaseURL(server.URL)

	ctx := context.Background()
	client := &oauth2.Config{
		ClientID: asanatest.FullClientID, ClientSecret: asanatest.FullClientSecret, RedirectURL: asanatest.DefaultRedirectURI,
		Endpoint: oauth2.Endpoint{AuthURL: server.URL + "/-/oauth_authorize", TokenURL: server.URL + "/-/oauth_token", AuthStyle: oauth2.AuthStyleInParams},
	}
	verifier := oauth2.GenerateVerifier()
	back, err := asana.Authorize(ctx, client.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), asanatest.ViewOnly)
	if err != nil {
		panic(err)
	}
	redirect, _ := url.Parse(back)
	token, err := client.Exchange(ctx, redirect.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		panic(err)
	}
	fmt.Println(token.Extra("data").(map[string]any)["name"])

	refresh := func() error {
		_, err := client.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		return err
	}
	asana.Inject(asanatest.Fault{GrantType: "refresh_token", Status: 503})
	fmt.Println("refused:", refresh() != nil)
	fmt.Println("refused:", refresh() != nil)
	fmt.Println("refreshes:", asana.CountRequests("refresh_token"))
	// Output:
	// Vic Viewer
	// refused: true
	// refused: false
	// refreshes: 2
}

// Switches change what Asana does, from Go, over HTTP or on a page.
func ExampleAsana_SetSwitches() {
	asana, _ := asanatest.New(asanatest.Options{})
	err := asana.SetSwitches(func(s *asanatest.Switches) {
		s.RotateRefreshTokens = true
		s.AccessTokenSeconds = 60
	})
	fmt.Println(err, asana.Switches().AccessTokenSeconds)
	// Output: <nil> 60
}
