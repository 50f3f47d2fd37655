// Package world gives a generated client what .ci/world.py has made, and reports each
// call that the client makes.
package world

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
)

// World is the output of .ci/world.py.
type World struct {
	Service     string  `json:"service"`
	Key         string  `json:"key"`
	Owner       string  `json:"owner"`
	Workspace   string  `json:"workspace"`
	Session     string  `json:"session"`
	SigningOut  string  `json:"signing_out"`
	Leaving     string  `json:"leaving"`
	Attempt     Attempt `json:"attempt"`
	Posted      Attempt `json:"posted"`
	ConnectCode string  `json:"connect_code"`
	Reader      string  `json:"reader"`
	Ending      string  `json:"ending"`
	EndingOwner string  `json:"ending_owner"`

	Cookie string `json:"-"` // the Cookie header of the next requests
}

// Attempt is a sign-in that Asana has sent back to /callback.
type Attempt struct {
	Cookie string `json:"cookie"`
	Code   string `json:"code"`
	State  string `json:"state"`
}

// Read reads the World from the file whose name is the program's argument.
func Read() *World {
	text, err := os.ReadFile(os.Args[1])
	w := &World{}
	if err == nil {
		err = json.Unmarshal(text, w)
	}
	if err != nil {
		panic(err)
	}
	return w
}

// Client returns an HTTP client that sends the cookie and the backend key with every
// request, and does not follow redirects.
func (w *World) Client() *http.Client {
	return &http.Client{Transport: w, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// RoundTrip implements http.RoundTripper.
func (w *World) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Cookie", w.Cookie)
	r.Header.Set("Authorization", "Bearer "+w.Key)
	return http.DefaultTransport.RoundTrip(r)
}

// Called prints the operation. It exits with an error unless ok is true.
func Called(operation string, ok bool, got any, err error) {
	if !ok {
		text, _ := json.Marshal(got)
		fmt.Fprintf(os.Stderr, "%s: got %T %s, error %v\n", operation, got, text, err)
		os.Exit(1)
	}
	fmt.Println(operation)
}
