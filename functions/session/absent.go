package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/secret"
)

// Connections are made with Asana and a client secret. This function has neither,
// and nothing that it does asks for them; should that ever change by mistake, the
// request fails.
var errAbsent = errors.New("the session function does not speak to Asana")

func noAsana() *asana.Client {
	c, _ := asana.New(asana.Config{ClientID: "none", Transport: refusal{}})
	return c
}

type refusal struct{}

func (refusal) RoundTrip(*http.Request) (*http.Response, error) { return nil, errAbsent }

type noSecrets struct{}

func (noSecrets) ClientSecrets(context.Context) ([]secret.String, error) { return nil, errAbsent }
