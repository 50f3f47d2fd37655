package asanatest_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"

	"golang.org/x/oauth2"

	"github.com/asanaauth/asanaauth/pkg/asanatest"
)

// Test an OAuth client with an offline Asana: a person clicks Allow, the client exchanges
// the code, and the API returns the person's record. Later, the first refresh fails, and
// the second refresh succeeds.
func Example() {
	fake, err := asanatest.New(asanatest.Options{})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(fake)
	defer server.Close()
	fake.SetBaseURL(server.URL)

	client := &oauth2.Config{
		ClientID:     asanatest.FullClientID,
		ClientSecret: asanatest.FullClientSecret,
		RedirectURL:  asanatest.DefaultRedirectURI,
		Endpoint: oauth2.Endpoint{
			AuthURL:   server.URL + "/-/oauth_authorize",
			TokenURL:  server.URL + "/-/oauth_token",
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	ctx := context.Background()

	verifier := oauth2.GenerateVerifier()
	authorizeURL := client.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier))
	redirectURL, err := fake.Authorize(ctx, authorizeURL, asanatest.ViewOnly)
	if err != nil {
		panic(err)
	}
	redirect, err := url.Parse(redirectURL)
	if err != nil {
		panic(err)
	}
	token, err := client.Exchange(ctx, redirect.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		panic(err)
	}
	fmt.Println("signed in:", token.Extra("data").(map[string]any)["name"])

	call := func(token *oauth2.Token) int {
		resp, err := client.Client(ctx, token).Get(server.URL + "/api/1.0/users/me")
		if err != nil {
			panic(err)
		}
		defer resp.Body.Close()
		return resp.StatusCode
	}
	fmt.Println("users/me:", call(token))

	// Make the access token expire, and make the next refresh fail.
	if err := fake.ExpireAccessTokens(); err != nil {
		panic(err)
	}
	fmt.Println("users/me with an expired token:", call(token))
	fake.Inject(asanatest.Fault{GrantType: "refresh_token", Status: http.StatusServiceUnavailable})
	for range 2 {
		fresh, err := client.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		if err != nil {
			fmt.Println("refresh failed")
			continue
		}
		fmt.Println("users/me after a refresh:", call(fresh))
	}
	fmt.Println("refreshes:", fake.CountRequests("refresh_token"))
	// Output:
	// signed in: Vic Viewer
	// users/me: 200
	// users/me with an expired token: 401
	// refresh failed
	// users/me after a refresh: 200
	// refreshes: 2
}

// Switches select the behavior of the offline Asana. You can also set switches over HTTP
// and on the page at /_offline/.
func ExampleAsana_SetSwitches() {
	fake, err := asanatest.New(asanatest.Options{})
	if err != nil {
		panic(err)
	}
	err = fake.SetSwitches(func(s *asanatest.Switches) {
		s.RotateRefreshTokens = true
		s.AccessTokenSeconds = 60
	})
	fmt.Println(err, fake.Switches().AccessTokenSeconds)
	// Output: <nil> 60
}

// Transport passes the requests of a client directly to the handler, without a socket.
func ExampleAsana_Transport() {
	fake, err := asanatest.New(asanatest.Options{})
	if err != nil {
		panic(err)
	}
	client := &http.Client{Transport: fake.Transport()}
	request, err := http.NewRequest(http.MethodGet, "https://app.asana.com/api/1.0/users/me", nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Authorization", "Bearer "+fake.PersonalAccessToken(asanatest.Bot))
	resp, err := client.Do(request)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output: 200
}
