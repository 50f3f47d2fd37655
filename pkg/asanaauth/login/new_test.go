package login_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/asanaauth/asanaauth/pkg/asanaauth/asana"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/clientsecret"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/internal/authtest"
	"github.com/asanaauth/asanaauth/pkg/asanaauth/login"
)

// authorizerConfig sets only the required fields.
func authorizerConfig(inst *authtest.Installation) login.AuthorizerConfig {
	return login.AuthorizerConfig{
		Store: inst.Table, Asana: asanaClient(inst), RedirectURI: authtest.RedirectURI,
		ReturnURLs: []string{authtest.ReturnURL, authtest.OtherReturnURL}, Scopes: "default",
	}
}

// receiverConfig sets only the required fields.
func receiverConfig(inst *authtest.Installation) login.ReceiverConfig {
	inst.T.Helper()
	secrets, err := clientsecret.New(clientsecret.Config{Source: inst.Secrets})
	if err != nil {
		inst.T.Fatal(err)
	}
	return login.ReceiverConfig{
		Store: inst.Table, Keys: inst.Process().Keys, Asana: asanaClient(inst), Secrets: secrets,
		ReturnURLs: []string{authtest.ReturnURL, authtest.OtherReturnURL}, SessionTTL: 720 * time.Hour, SessionIdleTTL: 168 * time.Hour,
	}
}

func asanaClient(inst *authtest.Installation) *asana.Client {
	inst.T.Helper()
	client, err := asana.New(asana.Config{BaseURL: authtest.AsanaURL, ClientID: authtest.ClientID, Transport: inst.Wire})
	if err != nil {
		inst.T.Fatal(err)
	}
	return client
}

const (
	wrongResponseType = "asanaauth: ResponseType is neither code nor code id_token"
	openIDNeeded      = "asanaauth: Scopes must contain openid, because ResponseType is \"code id_token\""
)

// Each function removes one required field. The key is the error that NewAuthorizer must
// return.
var removeAuthorizerField = map[string]func(*login.AuthorizerConfig){
	"asanaauth: Store is missing":       func(c *login.AuthorizerConfig) { c.Store = nil },
	"asanaauth: Asana is missing":       func(c *login.AuthorizerConfig) { c.Asana = nil },
	"asanaauth: RedirectURI is missing": func(c *login.AuthorizerConfig) { c.RedirectURI = "" },
	"asanaauth: ReturnURLs is missing":  func(c *login.AuthorizerConfig) { c.ReturnURLs = nil },
	"asanaauth: Scopes is missing":      func(c *login.AuthorizerConfig) { c.Scopes = "" },
}

func TestNewAuthorizerReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	authorizer, err := login.NewAuthorizer(login.AuthorizerConfig{})
	authtest.WantMistakes(t, err, slices.Collect(maps.Keys(removeAuthorizerField))...)
	if authorizer != nil {
		t.Error("got an Authorizer and an error, want only an error")
	}
	for mistake, remove := range removeAuthorizerField {
		t.Run(mistake, func(t *testing.T) {
			c := authorizerConfig(authtest.New(t))
			remove(&c)
			authorizer, err := login.NewAuthorizer(c)
			authtest.WantMistakes(t, err, mistake)
			if authorizer != nil {
				t.Error("got an Authorizer and an error, want only an error")
			}
		})
	}
}

func TestNewAuthorizerReportsWrongValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change   func(*login.AuthorizerConfig)
		mistakes []string
	}{
		"an unknown response type": {func(c *login.AuthorizerConfig) { c.ResponseType = "token" }, []string{wrongResponseType}},
		"response types in another order": {func(c *login.AuthorizerConfig) {
			c.ResponseType, c.Scopes = "id_token code", authtest.OpenIDScopes
		}, []string{wrongResponseType}},
		"an ID token without openid": {func(c *login.AuthorizerConfig) { c.ResponseType = login.ResponseCodeIDToken }, []string{openIDNeeded}},
		"an ID token with a scope that begins with openid": {func(c *login.AuthorizerConfig) {
			c.ResponseType, c.Scopes = login.ResponseCodeIDToken, "default openidx"
		}, []string{openIDNeeded}},
		"a wrong value and missing fields": {func(c *login.AuthorizerConfig) {
			c.Store, c.RedirectURI, c.ResponseType = nil, "", login.ResponseCodeIDToken
		}, []string{"asanaauth: Store is missing", "asanaauth: RedirectURI is missing", openIDNeeded}},
		"no scopes at all": {func(c *login.AuthorizerConfig) {
			c.ResponseType, c.Scopes = login.ResponseCodeIDToken, ""
		}, []string{"asanaauth: Scopes is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := authorizerConfig(authtest.New(t))
			test.change(&c)
			authorizer, err := login.NewAuthorizer(c)
			authtest.WantMistakes(t, err, test.mistakes...)
			if authorizer != nil {
				t.Error("got an Authorizer and an error, want only an error")
			}
		})
	}
}

func TestNewAuthorizerNeedsTheRequiredFieldsOnly(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*login.AuthorizerConfig){
		"no response type": func(*login.AuthorizerConfig) {},
		"code":             func(c *login.AuthorizerConfig) { c.ResponseType = login.ResponseCode },
		"code id_token": func(c *login.AuthorizerConfig) {
			c.ResponseType, c.Scopes = login.ResponseCodeIDToken, "default openid"
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := authorizerConfig(authtest.New(t))
			change(&c)
			authorizer, err := login.NewAuthorizer(c)
			if err != nil {
				t.Fatal(err)
			}
			c.ReturnURLs[0] = "https://changed.example/" // must have no effect
			if got := authorizer.Home(); got != authtest.ReturnURL {
				t.Errorf("Home() = %q, want %q", got, authtest.ReturnURL)
			}
			attempt, err := authorizer.Authorize(t.Context(), login.AuthorizeRequest{ReturnTo: authtest.ReturnURL})
			if err != nil || attempt.URL == "" || attempt.Browser.IsZero() {
				t.Errorf("Authorize() = %+v, %v", attempt, err)
			}
		})
	}
}

var removeReceiverField = map[string]func(*login.ReceiverConfig){
	"asanaauth: Store is missing":          func(c *login.ReceiverConfig) { c.Store = nil },
	"asanaauth: Keys is missing":           func(c *login.ReceiverConfig) { c.Keys = nil },
	"asanaauth: Asana is missing":          func(c *login.ReceiverConfig) { c.Asana = nil },
	"asanaauth: Secrets is missing":        func(c *login.ReceiverConfig) { c.Secrets = nil },
	"asanaauth: ReturnURLs is missing":     func(c *login.ReceiverConfig) { c.ReturnURLs = nil },
	"asanaauth: SessionTTL is missing":     func(c *login.ReceiverConfig) { c.SessionTTL = 0 },
	"asanaauth: SessionIdleTTL is missing": func(c *login.ReceiverConfig) { c.SessionIdleTTL = 0 },
}

func TestNewReceiverReportsEveryMissingField(t *testing.T) {
	t.Parallel()
	receiver, err := login.NewReceiver(login.ReceiverConfig{})
	authtest.WantMistakes(t, err, slices.Collect(maps.Keys(removeReceiverField))...)
	if receiver != nil {
		t.Error("got a Receiver and an error, want only an error")
	}
	for mistake, remove := range removeReceiverField {
		t.Run(mistake, func(t *testing.T) {
			c := receiverConfig(authtest.New(t))
			remove(&c)
			receiver, err := login.NewReceiver(c)
			authtest.WantMistakes(t, err, mistake)
			if receiver != nil {
				t.Error("got a Receiver and an error, want only an error")
			}
		})
	}
}

func TestNewReceiverReportsWrongValues(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change   func(*login.ReceiverConfig)
		mistakes []string
	}{
		"an unknown response type":   {func(c *login.ReceiverConfig) { c.ResponseType = "id_token" }, []string{wrongResponseType}},
		"a negative lifetime":        {func(c *login.ReceiverConfig) { c.SessionTTL = -time.Second }, []string{"asanaauth: SessionTTL is missing"}},
		"a negative idle lifetime":   {func(c *login.ReceiverConfig) { c.SessionIdleTTL = -1 }, []string{"asanaauth: SessionIdleTTL is missing"}},
		"an empty list of addresses": {func(c *login.ReceiverConfig) { c.ReturnURLs = []string{} }, []string{"asanaauth: ReturnURLs is missing"}},
		"a wrong value and missing fields": {func(c *login.ReceiverConfig) {
			c.Keys, c.Secrets, c.ResponseType = nil, nil, "CODE"
		}, []string{"asanaauth: Keys is missing", "asanaauth: Secrets is missing", wrongResponseType}},
	} {
		t.Run(name, func(t *testing.T) {
			c := receiverConfig(authtest.New(t))
			test.change(&c)
			receiver, err := login.NewReceiver(c)
			authtest.WantMistakes(t, err, test.mistakes...)
			if receiver != nil {
				t.Error("got a Receiver and an error, want only an error")
			}
		})
	}
}

func TestNewReceiverNeedsTheRequiredFieldsOnly(t *testing.T) {
	t.Parallel()
	for responseType, usesFragment := range map[string]bool{"": false, login.ResponseCode: false, login.ResponseCodeIDToken: true} {
		t.Run("response type "+responseType, func(t *testing.T) {
			c := receiverConfig(authtest.New(t))
			c.ResponseType = responseType
			receiver, err := login.NewReceiver(c)
			if err != nil {
				t.Fatal(err)
			}
			c.ReturnURLs[0] = "https://changed.example/" // must have no effect
			if got := receiver.Home(); got != authtest.ReturnURL {
				t.Errorf("Home() = %q, want %q", got, authtest.ReturnURL)
			}
			if got := receiver.UsesFragment(); got != usesFragment {
				t.Errorf("UsesFragment() = %v, want %v", got, usesFragment)
			}
		})
	}
}
